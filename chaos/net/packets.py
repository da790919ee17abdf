"""IPv4 packets as bytes: who sends them to whom, and the reset that answers a TCP segment.

Layouts: RFC 791 and RFC 9293; checksums: RFC 1071; which reset answers which segment: RFC 9293,
section 3.5.2.
"""

from __future__ import annotations

import struct
from typing import Final

PAIR: Final = slice(12, 20)
"""Source and destination, 4 bytes each, as they stand in the header."""
IPV4: Final = 4
TCP: Final = 6
HEADER_BYTES: Final = 20
RST, ACK, SYN, FIN = 0x04, 0x10, 0x02, 0x01
TTL: Final = 64


def is_ipv4(packet: bytes) -> bool:
    """Whether it is one at all; anything else is noise here."""
    return len(packet) >= HEADER_BYTES and packet[0] >> 4 == IPV4


def reset_for(packet: bytes) -> bytes | None:
    """The packet that resets the connection of a TCP segment, to its sender; None if it needs
    none: it is no TCP, or a reset itself."""
    header = (packet[0] & 0x0F) * 4
    if packet[9] != TCP or len(packet) < header + HEADER_BYTES:
        return None
    source, target, seq, acked, offset, flags = struct.unpack_from("!HHIIBB", packet, header)
    if flags & RST:
        return None
    if flags & ACK:
        new_seq, new_ack, new_flags = acked, 0, RST
    else:
        size = len(packet) - header - (offset >> 4) * 4
        size += bool(flags & SYN) + bool(flags & FIN)
        new_seq, new_ack, new_flags = 0, (seq + size) & 0xFFFFFFFF, RST | ACK
    tcp = struct.pack("!HHIIBBHHH", target, source, new_seq, new_ack, 5 << 4, new_flags, 0, 0, 0)
    here, there = packet[16:20], packet[12:16]
    pseudo = here + there + struct.pack("!BBH", 0, TCP, len(tcp))
    tcp = tcp[:16] + checksum(pseudo + tcp) + tcp[18:]
    ip = struct.pack("!BBHHHBBH", 0x45, 0, HEADER_BYTES + len(tcp), 0, 0, TTL, TCP, 0)
    ip += here + there
    return ip[:10] + checksum(ip) + ip[12:] + tcp


def checksum(content: bytes) -> bytes:
    """The one's complement of the one's complement sum of all 16-bit words."""
    if len(content) % 2:
        content += b"\0"
    total = sum(struct.unpack(f"!{len(content) // 2}H", content))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return struct.pack("!H", ~total & 0xFFFF)
