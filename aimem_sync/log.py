"""One origin's log: extend one's own, take in another's, check any.

Ops are taken in strictly one after the other, so "how much of this log do I hold" is one number
and a gap can never be forgotten. Signatures are checked outside, before `admit`: an unsigned Fork
could be invented by whoever relays the log.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256

from aimem_sync.dot import Origin
from aimem_sync.faults import ChainFault, Duplicate, Fork, Gap, OpFault
from aimem_sync.limits import BODY_BYTES_MAX
from aimem_sync.op import CHAIN_START, Op, Stamp, chain_hash, header_bytes


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log ends: the last op's sequence and its hash, which stands for all before it."""

    seq: int = 0
    chain: bytes = CHAIN_START


def append(
    head: Head,
    stamp: Stamp,
    kind: str,
    record_id: str,
    body: bytes,
    author: str,
    request_key: str,
    origin: Origin,
    sign: Callable[[bytes], bytes],
) -> Op:
    """The next op of one's own log. `sign` is given the 32 bytes of the op's chain hash.

    Raises OpFault if a field or the body is out of bounds; nothing is signed then.
    """
    if len(body) > BODY_BYTES_MAX:
        raise OpFault(f"a body of {len(body)} bytes; at most {BODY_BYTES_MAX} fit one op")
    seq = head.seq + 1
    header = header_bytes(
        origin,
        seq,
        stamp.lamport,
        stamp.wall_us,
        stamp.epoch,
        kind,
        record_id,
        author,
        request_key,
    )
    body_sha256 = sha256(body).digest()
    chain = chain_hash(head.chain, header, body_sha256)
    return Op(
        origin=origin,
        seq=seq,
        lamport=stamp.lamport,
        wall_us=stamp.wall_us,
        epoch=stamp.epoch,
        kind=kind,
        record_id=record_id,
        author=author,
        request_key=request_key,
        body=body,
        body_sha256=body_sha256,
        prev_chain=head.chain,
        chain=chain,
        sig=sign(chain),
    )


def admit(head: Head, op: Op) -> Head:
    """The head once `op`, of the same log, is taken in after it.

    Raises Gap, Duplicate or Fork if it is not the next op, ChainFault if it is damaged.
    A Duplicate older than the head is believed without a look at its hash: only the head's is
    known here.
    """
    if op.seq > head.seq + 1:
        raise Gap(head.seq)
    if op.seq < head.seq or (op.seq == head.seq and op.chain == head.chain):
        raise Duplicate(op.seq)
    check_op(op)  # first, so that damage is never mistaken for a fork
    if op.seq == head.seq or op.prev_chain != head.chain:
        raise Fork(head.seq, head.chain)
    return Head(op.seq, op.chain)


def check_op(op: Op) -> None:
    """Raise ChainFault unless the op matches its own hashes. An absent body is no fault."""
    if op.body is not None and sha256(op.body).digest() != op.body_sha256:
        raise ChainFault(f"the body of {op.dot} does not match its hash")
    if chain_hash(op.prev_chain, op.header, op.body_sha256) != op.chain:
        raise ChainFault(f"{op.dot} does not match its hash")


def verify_chain(ops: Iterable[Op], start: Head) -> Head:
    """The head after all of `ops`, which must follow `start` one by one in one log.

    Raises what `admit` raises, and ChainFault if the ops are not of one origin.
    """
    head = start
    origin: Origin | None = None
    for op in ops:
        if origin is not None and op.origin != origin:
            raise ChainFault(f"{op.dot} stands in the log of {origin}")
        origin = op.origin
        head = admit(head, op)
    return head
