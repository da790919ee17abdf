"""A log takes in the next op and nothing else, and shows every tampering."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_sync.change import Change
from aimem_sync.faults import ChainFault, Duplicate, Fork, Gap, OpFault, PeerFault
from aimem_sync.limits import BODY_BYTES_MAX
from aimem_sync.log import Head, admit, append, verify_chain
from aimem_sync.op import CHAIN_START, Kind, Op, Origin, Stamp, decode_op, encode_op
from tests.aimem_sync.histories import ORIGINS, RECORD, Replica, toy_sign


def log_of(length: int, origin: Origin = ORIGINS[0], word: str = "x") -> list[Op]:
    replica = Replica(origin)
    return [replica.write(Change(RECORD, "memory", {"body": word})) for _ in range(length)]


def head_of(op: Op) -> Head:
    return Head(op.seq, op.chain)


def take_in(page: list[bytes]) -> Head:
    """What a replica does with a page: read, check signatures, check the chain."""
    ops = [decode_op(encoded) for encoded in page]
    if any(op.sig != toy_sign(ORIGINS[0], op.chain) for op in ops):
        raise ChainFault("bad signature")
    return verify_chain(ops, Head())


def test_a_log_is_taken_in_from_the_start() -> None:
    ops = log_of(5)
    assert ops[0].prev_chain == CHAIN_START
    assert [op.seq for op in ops] == [1, 2, 3, 4, 5]
    assert verify_chain(ops, Head()) == head_of(ops[-1])
    assert verify_chain(ops[2:], head_of(ops[1])) == head_of(ops[-1])
    assert verify_chain([], Head()) == Head()


@given(st.integers(0, 4), st.integers(0, 4))
def test_only_the_next_op_is_taken_in(held: int, offered: int) -> None:
    ops = log_of(5)
    head = verify_chain(ops[:held], Head())
    op = ops[offered]
    if op.seq == held + 1:
        assert admit(head, op) == head_of(op)
    elif op.seq > held:
        with pytest.raises(Gap) as gap:
            admit(head, op)
        assert gap.value.have == held
    else:
        with pytest.raises(Duplicate):
            admit(head, op)


def test_another_history_from_the_head_on_is_a_fork() -> None:
    mine, theirs = log_of(3, word="x"), log_of(3, word="y")
    head = head_of(mine[0])
    for op in (theirs[0], theirs[1]):
        with pytest.raises(Fork) as fork:
            admit(head, op)
        assert (fork.value.seq, fork.value.chain) == (1, mine[0].chain)


def test_damage_is_never_called_a_fork() -> None:
    ops = log_of(2)
    for wrong in (
        replace(ops[1], prev_chain=bytes(32)),
        replace(ops[1], chain=bytes(32)),
        replace(ops[1], body=b"{}"),
        replace(ops[1], author="user:eve"),
    ):
        with pytest.raises(ChainFault):
            admit(head_of(ops[0]), wrong)
    with pytest.raises(ChainFault):
        admit(head_of(ops[0]), replace(ops[0], chain=bytes(32)))


@given(st.data())
def test_every_flipped_bit_is_detected(data: st.DataObject) -> None:
    ops = log_of(3)
    which = data.draw(st.integers(0, 2))
    encoded = bytearray(encode_op(ops[which]))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(PeerFault):
        take_in([*map(encode_op, ops[:which]), bytes(encoded), *map(encode_op, ops[which + 1 :])])


def test_a_chain_verifies_without_its_bodies() -> None:
    ops = log_of(4)
    bare = [replace(op, body=None) for op in ops]
    assert verify_chain(bare, Head()) == verify_chain(ops, Head())


def test_ops_left_out_or_turned_around_are_detected() -> None:
    one, two, three = log_of(3)
    for wrong in ([one, three], [two, one, three], [one, two, two], [two]):
        with pytest.raises((Gap, Duplicate)):
            verify_chain(wrong, Head())


def test_an_op_of_another_log_is_detected() -> None:
    mine, theirs = log_of(2), log_of(2, ORIGINS[1])
    with pytest.raises(ChainFault):
        verify_chain([mine[0], theirs[1]], Head())


def test_the_signature_is_made_over_the_chain_hash() -> None:
    signed: list[bytes] = []

    def sign(chain: bytes) -> bytes:
        signed.append(chain)
        return b"signature"

    stamp = Stamp(lamport=4, wall_us=5, epoch=6)
    op = append(Head(), stamp, Kind.EDIT, "r", b"{}", "user:ann", "key", ORIGINS[0], sign)
    assert signed == [op.chain]
    assert (op.sig, op.seq, op.lamport, op.wall_us, op.epoch) == (b"signature", 1, 4, 5, 6)
    assert (op.record_id, op.author, op.request_key, op.body) == ("r", "user:ann", "key", b"{}")


def test_nothing_out_of_bounds_is_ever_signed() -> None:
    def sign(chain: bytes) -> bytes:
        raise AssertionError(chain)

    for body, record_id, lamport in (
        (bytes(BODY_BYTES_MAX + 1), "r", 1),
        (b"", "r" * 5000, 1),
        (b"", "r", 0),
    ):
        with pytest.raises(OpFault):
            append(Head(), Stamp(lamport, 1, 1), "edit", record_id, body, "a", "", ORIGINS[0], sign)
