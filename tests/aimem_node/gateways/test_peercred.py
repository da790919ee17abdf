"""The kernel says who is at the other end of a unix socket; TCP says nothing."""

import os
import socket

from aimem_node.contract.calls import Channel
from aimem_node.gateways.peercred import STRANGER, Peer, peer_of


def test_a_unix_peer_has_its_user_and_process() -> None:
    near, far = socket.socketpair(socket.AF_UNIX)
    with near, far:
        assert peer_of(near) == Peer(Channel.UNIX, os.geteuid(), os.getpid())


def test_a_tcp_peer_is_a_stranger() -> None:
    with socket.socket(socket.AF_INET) as connection:
        assert peer_of(connection) == STRANGER == Peer(Channel.LOOPBACK)
