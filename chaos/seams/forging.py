"""A member that lies about what others said: what it hands on of their logs is altered."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from hashlib import sha256
from typing import Any

from aimem_node.rpc.peer_net import PeerNet
from aimem_sync.op import Op, chain_hash, decode_op, encode_op


class Forging:
    """Off until it is told to."""

    def __init__(self) -> None:
        self.is_on = False
        self.forged = 0
        self._kinds = itertools.cycle((other_text, other_text_and_hashes, other_author))

    def install(self) -> None:
        """Stand where pages of ops leave for those who asked for them."""
        send_page = PeerNet.send_page
        forging = self

        def lied(
            net: PeerNet, node_id: str, pull_id: int, ops: list[bytes], beside: list[bytes]
        ) -> None:
            me = net._identity.node_id  # noqa: SLF001 - a seam
            told = [forging.altered(op, me) for op in ops] if forging.is_on else ops
            send_page(net, node_id, pull_id, told, beside)

        patched: Any = PeerNet
        patched.send_page = lied

    def altered(self, encoded: bytes, me: str) -> bytes:
        """Another op in the place of one by somebody else."""
        op = decode_op(encoded)
        if op.origin.node_id == me or not op.body:
            return encoded
        self.forged += 1
        return encode_op(next(self._kinds)(op))

    def obey(self, order: Mapping[str, Any]) -> dict[str, Any]:
        """on: true or false; tells how many ops have been forged."""
        self.is_on = bool(order["on"])
        return {"forged": self.forged}


def other_text(op: Op) -> Op:
    """What was said is changed, and nothing else."""
    return replace(op, body=_changed(op))


def other_text_and_hashes(op: Op) -> Op:
    """Every hash fits; only the signature cannot."""
    body = _changed(op)
    forged = replace(op, body=body, body_sha256=sha256(body).digest())
    return replace(forged, chain=chain_hash(forged.prev_chain, forged.header, forged.body_sha256))


def other_author(op: Op) -> Op:
    """Somebody else is said to have written it."""
    forged = replace(op, author="user:mallory")
    return replace(forged, chain=chain_hash(forged.prev_chain, forged.header, forged.body_sha256))


def _changed(op: Op) -> bytes:
    assert op.body is not None
    return op.body.replace(b"a", b"e") if b"a" in op.body else op.body + b" "
