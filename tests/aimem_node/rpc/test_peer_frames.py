"""Every message goes and comes back; nothing else that comes is more than an OpFault."""

import contextlib
import random
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract.descriptors import PEER_FILE, contract_pool
from aimem_node.contract.operations import FACTS, OPERATIONS
from aimem_node.contract.values import MESSAGES as VALUES
from aimem_node.rpc.peer_frames import (
    KINDS,
    OPS_MAX,
    append_bytes,
    frame_bytes,
    frame_from,
    page_bytes,
)
from aimem_node.rpc.peer_words import wire_class
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot, Origin
from aimem_sync.faults import OpFault
from aimem_sync.limits import NUMBER_MAX
from aimem_sync.log import Head, append
from aimem_sync.members import Config, Endorsement, Member, Role
from aimem_sync.messages import (
    NO_BALLOT,
    Accept,
    Accepted,
    Append,
    AppendAck,
    Beat,
    Learn,
    Message,
    Page,
    Prepare,
    Promise,
    Pull,
    Snapshot,
    SnapshotRequired,
    SnapshotWanted,
    Status,
)
from aimem_sync.op import Op, Stamp, encode_op

A, B = Origin("aa" * 16, "01" * 8), Origin("bb" * 16, "02" * 8)
HEADS = {A: Head(7, b"\1" * 32), B: Head(1, b"\2" * 32)}
FLOOR = Cursor({A: 3})
PROOF = (Endorsement("aa" * 16, "f0" * 32, b"sig"), Endorsement("bb" * 16, "f1" * 32, b""))
CONFIG = Config(
    3,
    (Member("aa" * 16, ("f0" * 32,), Role.VOTER, "ann", "192.0.2.7:7740"),),
    frozenset({"f2" * 32}), frozenset({"bb" * 16}), "c1" * 16,
)  # fmt: skip


def ops_of(origin: Origin, count: int, kind: str = "edit") -> tuple[Op, ...]:
    head, made = Head(), []
    for at in range(count):
        op = append(
            head, Stamp(at + 1, 5, 1), kind, f"r{at}", b"{}", "user:ann", f"k{at}", origin,
            lambda chain: chain[:8],
        )  # fmt: skip
        made.append(op)
        head = Head(op.seq, op.chain)
    return tuple(made)


MESSAGES: list[Message] = [
    Append(3, ops_of(A, 3), 2),
    Page(4, (*ops_of(A, 2), *ops_of(B, 1))),
    Page(4, ()),
    *(AppendAck("01" * 8, B, 9, 8, status) for status in Status),
    AppendAck("01" * 8, B, 9, 8, Status.STALE_EPOCH, (CONFIG, CONFIG), (PROOF, ())),
    Beat("01" * 8, 3, HEADS, FLOOR, 1_700_000_000_000_000, 17, 18, b"\3" * 32),
    Beat("01" * 8, 0, {}, Cursor(), -5),
    Pull(1, (A, B), FLOOR, 256),
    SnapshotRequired(2, FLOOR),
    SnapshotWanted(NUMBER_MAX),
    Snapshot(5, HEADS, FLOOR, 99, {"r1": b"row", "r2": b""}, {"key": Dot(A, 4)}),
    Prepare(4, (1, "aa" * 16)),
    Promise(4, (2, "aa" * 16), NO_BALLOT, None),
    Promise(4, (2, "aa" * 16), (1, "bb" * 16), CONFIG),
    Accept(4, (2, "aa" * 16), CONFIG),
    Accepted(4, (2, "aa" * 16), b"a signature"),
    Learn((CONFIG,), (PROOF,)),
    Learn((CONFIG,)),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: type(one).__name__)
def test_what_is_sent_is_what_arrives(message: Message) -> None:
    arrived = frame_from(frame_bytes(message))
    assert arrived is not None
    assert arrived.message == message
    assert arrived.answers == ()


def test_every_message_of_the_core_has_its_frame_and_is_tried_here() -> None:
    assert set(KINDS) == set(get_args(Message)) == {type(one) for one in MESSAGES}
    assert set(KINDS.values()) == {field.name for field in wire_class("Frame").DESCRIPTOR.fields}


def test_statuses_are_numbered_as_the_contract_says() -> None:
    numbers = contract_pool().FindEnumTypeByName("aimem.v1.Frame.Status").values_by_name
    for status in Status:
        frame = wire_class("Frame").FromString(frame_bytes(AppendAck("01" * 8, A, 1, 1, status)))
        assert frame.ack.status == numbers[f"STATUS_{status.name}"].number


def test_ops_that_are_encoded_already_go_as_they_are_with_answers_beside_them() -> None:
    ops = ops_of(A, 2, kind="of a later version")
    encoded, answers = [encode_op(op) for op in ops], [b"one", b"\xff\0"]
    arrived = frame_from(append_bytes(3, 1, encoded, answers))
    assert arrived is not None
    assert arrived.message == Append(3, ops, 1)
    assert isinstance(arrived.message, Append)
    assert [encode_op(op) for op in arrived.message.ops] == encoded
    assert arrived.answers == tuple(answers)
    arrived = frame_from(page_bytes(5, encoded, answers))
    assert arrived is not None
    assert (arrived.message, arrived.answers) == (Page(5, ops), tuple(answers))


def test_a_frame_of_a_later_version_is_no_fault() -> None:
    assert frame_from(b"") is None
    assert frame_from(b"\xa2\x1f\x02hi") is None
    later = frame_bytes(SnapshotWanted(3)) + b"\xa2\x1f\x02hi"
    arrived = frame_from(later)
    assert arrived is not None
    assert arrived.message == SnapshotWanted(3)


def test_a_status_of_a_later_version_means_to_ask_again() -> None:
    frame = wire_class("Frame").FromString(frame_bytes(AppendAck("01" * 8, A, 1, 1)))
    frame.ack.status = 77
    arrived = frame_from(frame.SerializeToString())
    assert arrived is not None
    assert arrived.message == AppendAck("01" * 8, A, 1, 1, Status.STORAGE)


def wrong_frames() -> dict[str, bytes]:
    """What an OpFault must be made of, by what is wrong with it."""

    made = {}
    one = wire_class("Frame")()
    one.append.epoch = 1
    made["an append without ops"] = one
    two = wire_class("Frame")()
    two.append.ops.extend(encode_op(op) for op in (*ops_of(A, 1), *ops_of(B, 1)))
    made["an append of two logs"] = two
    three = wire_class("Frame")()
    three.page.ops.append(b"not an op")
    made["no op"] = three
    four = wire_class("Frame")()
    four.page.ops.extend([encode_op(ops_of(A, 1)[0])] * (OPS_MAX + 1))
    made["too many ops"] = four
    five = wire_class("Frame").FromString(frame_bytes(MESSAGES[0]))
    five.append.durable_upto = NUMBER_MAX + 1
    made["a number too large"] = five
    six = wire_class("Frame").FromString(frame_bytes(AppendAck("01" * 8, A, 1, 1)))
    six.ack.status = 0
    made["an ack without a status"] = six
    seven = wire_class("Frame").FromString(frame_bytes(Beat("01" * 8, 3, HEADS, FLOOR, 0)))
    seven.beat.heads.append(seven.beat.heads[0])
    made["a log named twice"] = seven
    eight = wire_class("Frame").FromString(frame_bytes(Beat("01" * 8, 3, HEADS, FLOOR, 0)))
    eight.beat.root = b"short"
    made["half a hash"] = eight
    nine = wire_class("Frame").FromString(frame_bytes(Prepare(4, (1, "aa" * 16))))
    nine.prepare.ballot.node_id = "ann"
    made["no node"] = nine
    ten = wire_class("Frame").FromString(frame_bytes(Learn((CONFIG,), (PROOF,))))
    ten.learn.proofs.append(ten.learn.proofs[0])
    made["more proofs than epochs"] = ten
    eleven = wire_class("Frame").FromString(frame_bytes(Learn((CONFIG,), (PROOF,))))
    eleven.learn.configs[0] = b"{}"
    made["no epoch"] = eleven
    twelve = wire_class("Frame").FromString(frame_bytes(Accepted(4, NO_BALLOT, b"")))
    twelve.accepted.sig = bytes(2_000)
    made["a signature too long"] = twelve
    thirteen = wire_class("Frame").FromString(frame_bytes(Pull(1, (A,), FLOOR, 2)))
    thirteen.pull.origins[0] = b"short"
    made["half an origin"] = thirteen
    fourteen = wire_class("Frame").FromString(frame_bytes(MESSAGES[15]))
    fourteen.state.request_keys[0].dot.seq = 0
    made["op number 0"] = fourteen
    return {name: body.SerializeToString() for name, body in made.items()}


WRONG = wrong_frames()


@pytest.mark.parametrize("name", WRONG)
def test_what_is_out_of_bounds_is_a_fault(name: str) -> None:
    with pytest.raises(OpFault):
        frame_from(WRONG[name])


def test_more_bytes_than_a_frame_may_have_are_not_looked_at() -> None:
    with pytest.raises(OpFault, match="at most"):
        frame_from(bytes(8 * 1024 * 1024 + 1))


def only_a_fault(body: bytes) -> None:
    with contextlib.suppress(OpFault):
        frame_from(body)


@given(st.binary(max_size=300))
def test_random_bytes_are_a_fault_at_most(body: bytes) -> None:
    only_a_fault(body)


@given(st.sampled_from(MESSAGES), st.data())
def test_a_frame_cut_short_or_spoiled_is_a_fault_at_most(
    message: Message, data: st.DataObject
) -> None:
    body = bytearray(frame_bytes(message))
    only_a_fault(bytes(body[: data.draw(st.integers(0, len(body)))]))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(body) - 1))
        body[at] ^= 1 << data.draw(st.integers(0, 7))
    only_a_fault(bytes(body))


def test_every_single_bit_of_every_frame_may_be_wrong() -> None:
    chance = random.Random(5)
    for message in MESSAGES:
        body = frame_bytes(message)
        for _ in range(300):
            at = chance.randrange(8 * len(body))
            spoiled = bytearray(body)
            spoiled[at // 8] ^= 1 << at % 8
            only_a_fault(bytes(spoiled))


def test_the_contract_keeps_frames_from_every_surface() -> None:
    file = contract_pool().FindServiceByName("aimem.v1.Peer").file
    assert file.name == PEER_FILE
    assert "replication" not in FACTS.families
    assert not any(operation.service == "aimem.v1.Peer" for operation in OPERATIONS.values())
    assert not {one.full_name for one in file.message_types_by_name.values()} & set(VALUES)
