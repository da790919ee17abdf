"""Who is at the other end of a connection, as far as the kernel can say.

A unix socket's peer cannot lie about its user or its process: the kernel notes both when the
connection is made. They are those of the process that connected, even if it has since handed
the socket on. A TCP peer on loopback could be anyone on the machine, so it gets neither.
"""

import socket
import struct
import sys
from dataclasses import dataclass

from aimem_node.contract.calls import Channel

_DARWIN_SOL_LOCAL = 0
_DARWIN_PEERCRED = 1
_DARWIN_PEERPID = 2
_DARWIN_XUCRED_BYTES = 76
"""struct xucred: version, uid, number of groups, sixteen groups."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The far end of one connection."""

    channel: Channel
    uid: int | None = None
    pid: int | None = None


STRANGER = Peer(Channel.LOOPBACK)
"""What a connection counts as when nothing is known about it: the least trusted."""


def peer_of(connection: socket.socket) -> Peer:
    """The peer of a connected socket; a unix socket whose kernel does not tell has no uid."""
    if connection.family != socket.AF_UNIX:
        return STRANGER
    try:
        uid, pid = _darwin(connection) if sys.platform == "darwin" else _linux(connection)
    except OSError:
        return Peer(Channel.UNIX)
    return Peer(Channel.UNIX, uid, pid)


def _linux(connection: socket.socket) -> tuple[int, int]:
    layout = struct.Struct("3i")
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size)
    pid, uid, _gid = layout.unpack(raw)
    return uid, pid


def _darwin(connection: socket.socket) -> tuple[int, int]:
    raw = connection.getsockopt(_DARWIN_SOL_LOCAL, _DARWIN_PEERCRED, _DARWIN_XUCRED_BYTES)
    _version, uid = struct.unpack_from("2I", raw)
    raw = connection.getsockopt(_DARWIN_SOL_LOCAL, _DARWIN_PEERPID, 4)
    return uid, struct.unpack("i", raw)[0]
