"""A node that never forgets a key: whoever ever was a member is let in, heard and answered.

It takes more than one break. A certificate has to be a root of the handshake, the key has to be
somebody's in every call, streams must not be cut when an epoch comes, and the core has to listen.
"""

# ruff: noqa: SLF001 - they stand where the real ones stood

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from aimem_node.contract.errors import Failure
from aimem_node.rpc import peer_access, peer_net, peer_server
from aimem_sync import dataplane
from aimem_sync.members import Config, Member

_EVER: Final[dict[str, Member]] = {}
"""By fingerprint."""

_follow, _member_of = peer_net.PeerNet.follow, peer_access.member_of
_pair_and_roots = peer_server.PeerServer._pair_and_roots
_meet = dataplane.DataPlane._meet


def follow(self: Any, config: Config, history: Sequence[Config]) -> None:
    """PeerNet.follow, which notes who ever belonged."""
    for one in (*history, config):
        _EVER.update({key: member for member in one.members for key in member.fingerprints})
    _follow(self, config, history)


def member_of(config: Config, fingerprint: str) -> str:
    """peer_access.member_of."""
    try:
        return _member_of(config, fingerprint)
    except Failure:
        if fingerprint in _EVER:
            return _EVER[fingerprint].node_id
        raise


def pair_and_roots(self: Any) -> tuple[Any, bytes]:
    """PeerServer._pair_and_roots."""
    pair, roots = _pair_and_roots(self)
    known = {key: pem for one in _EVER.values()
             for key, pem in peer_access.fit_certificates(one).items()}  # fmt: skip
    return pair, roots + b"".join(pem for pem in known.values() if pem not in roots)


def proved(_self: Any, pipe: Any) -> str | None:
    """PeerNet._proved: a key that opened a stream is good for as long as that lasts."""
    return next(iter(pipe.fingerprints), None)


def sender(self: Any, fingerprint: str) -> str | None:
    """DataPlane._sender."""
    found: str | None = self.config.node_of(fingerprint)
    return found or (_EVER[fingerprint].node_id if fingerprint in _EVER else None)


def meet(self: Any, config: Config) -> None:
    """DataPlane._meet: nobody is let go."""
    before = dict(self.links)
    _meet(self, config)
    for node, link in before.items():
        self.links.setdefault(node, link)


def forget_nobody(_self: Any, _node_id: str) -> None:
    """PeerNet._forget."""


PATCHES: Final = (
    (peer_net.PeerNet, "follow", follow),
    (peer_net.PeerNet, "_proved", proved),
    (peer_net.PeerNet, "_forget", forget_nobody),
    (peer_access, "member_of", member_of),
    (peer_server, "member_of", member_of),
    (peer_server.PeerServer, "_pair_and_roots", pair_and_roots),
    (dataplane.DataPlane, "_sender", sender),
    (dataplane.DataPlane, "_meet", meet),
)
