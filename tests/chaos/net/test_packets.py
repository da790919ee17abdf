"""Packets as bytes."""

import struct

import pytest

from chaos.net.packets import ACK, FIN, RST, SYN, checksum, is_ipv4, reset_for

HERE, THERE = bytes([10, 77, 0, 10]), bytes([10, 77, 0, 11])


def segment(flags: int, seq: int = 1_000, acked: int = 5_000, content: bytes = b"") -> bytes:
    tcp = struct.pack("!HHIIBBHHH", 40_000, 7740, seq, acked, 5 << 4, flags, 100, 0, 0)
    size = 20 + len(tcp) + len(content)
    ip = struct.pack("!BBHHHBBH", 0x45, 0, size, 0, 0, 64, 6, 0)
    return ip + HERE + THERE + tcp + content


def read(packet: bytes) -> tuple[bytes, bytes, int, int, int, int, int]:
    source, target, seq, acked, _, flags = struct.unpack_from("!HHIIBB", packet, 20)
    return packet[12:16], packet[16:20], source, target, seq, acked, flags


def is_right(packet: bytes) -> bool:
    """Both checksums: a sum over what includes its own checksum is nothing."""
    pseudo = packet[12:20] + struct.pack("!BBH", 0, 6, len(packet) - 20)
    return checksum(packet[:20]) == checksum(pseudo + packet[20:]) == b"\0\0"


def test_a_segment_that_acknowledges_is_reset_at_what_it_acknowledged() -> None:
    answer = reset_for(segment(ACK, content=b"hello"))
    assert answer is not None
    assert read(answer) == (THERE, HERE, 7740, 40_000, 5_000, 0, RST)
    assert is_right(answer)


@pytest.mark.parametrize(("flags", "content", "grows"), [(SYN, b"", 1), (FIN, b"abc", 4)])
def test_a_segment_that_acknowledges_nothing_is_acknowledged_with_its_reset(
    flags: int, content: bytes, grows: int
) -> None:
    answer = reset_for(segment(flags, content=content))
    assert answer is not None
    assert read(answer) == (THERE, HERE, 7740, 40_000, 0, 1_000 + grows, RST | ACK)
    assert is_right(answer)


def test_a_reset_and_what_is_no_tcp_are_not_answered() -> None:
    assert reset_for(segment(RST)) is None
    udp = bytearray(segment(ACK))
    udp[9] = 17
    assert reset_for(bytes(udp)) is None
    assert reset_for(segment(ACK)[:30]) is None


def test_only_version_four_is_routed() -> None:
    assert is_ipv4(segment(ACK))
    assert not is_ipv4(b"\x60" + bytes(39))
    assert not is_ipv4(b"\x45")


def test_a_checksum_covers_an_odd_last_byte() -> None:
    assert checksum(b"\x01") == checksum(b"\x01\x00")
    assert checksum(bytes([0x45, 0x00])) == bytes([0xBA, 0xFF])
