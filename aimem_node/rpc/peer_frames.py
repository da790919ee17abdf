"""Every message of the core as bytes, and back.

Ops are sent as they lie in the store, already encoded, with the answers of their requests beside
them: this node may hold ops of kinds that it cannot read, and passes them on byte for byte. A frame
of a kind that this version does not know is no fault: its sender is newer.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from aimem_node.rpc import peer_words as words
from aimem_node.rpc.peer_words import EPOCHS_MAX, bounded, number, read_wire, wire_class
from aimem_sync.faults import OpFault
from aimem_sync.members import Config, decode_config, encode_config
from aimem_sync.messages import (
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
from aimem_sync.op import Op, decode_op, encode_op

OPS_MAX: Final = 4_096
"""Of one frame. This version sends 256; a later one may send more."""

_STATUS_NUMBERS: Final = MappingProxyType(
    {status: at for at, status in enumerate(Status, 1)}
)  # in the order of Frame.Status
_STATUSES: Final = {at: status for status, at in _STATUS_NUMBERS.items()}

KINDS: Final[Mapping[type, str]] = MappingProxyType(
    {
        Append: "append",
        AppendAck: "ack",
        Beat: "beat",
        Pull: "pull",
        Page: "page",
        SnapshotRequired: "snapshot_required",
        SnapshotWanted: "snapshot_wanted",
        Snapshot: "state",
        Prepare: "prepare",
        Promise: "promise",
        Accept: "accept",
        Accepted: "accepted",
        Learn: "learn",
    }
)
"""The field of Frame that carries each message."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a frame brought."""

    message: Message
    answers: tuple[bytes, ...] = ()
    "Beside the ops, encoded; of an Append or a Page only."


def append_bytes(
    epoch: int, durable_upto: int, ops: Sequence[bytes], answers: Sequence[bytes] = ()
) -> bytes:
    """An Append of ops that are encoded already."""
    frame = wire_class("Frame")()
    frame.append.epoch, frame.append.durable_upto = epoch, durable_upto
    frame.append.ops.extend(ops)
    frame.append.answers.extend(answers)
    return _packed(frame)


def page_bytes(pull_id: int, ops: Sequence[bytes], answers: Sequence[bytes] = ()) -> bytes:
    """A Page of ops that are encoded already."""
    frame = wire_class("Frame")()
    frame.page.pull_id = pull_id
    frame.page.ops.extend(ops)
    frame.page.answers.extend(answers)
    return _packed(frame)


def frame_bytes(message: Message) -> bytes:
    """Any message. Raises OpFault if it could not be read again."""
    if isinstance(message, Append):
        ops = [encode_op(op) for op in message.ops]
        return append_bytes(message.epoch, message.durable_upto, ops)
    if isinstance(message, Page):
        return page_bytes(message.pull_id, [encode_op(op) for op in message.ops])
    frame = wire_class("Frame")()
    kind = KINDS[type(message)]
    room = getattr(frame, kind)
    room.SetInParent()
    _PUTS[kind](room, message)
    return _packed(frame)


def frame_from(body: bytes) -> Arrived | None:
    """What a frame brought; None if its kind is one of a later version. Raises OpFault."""
    frame = read_wire("Frame", body)
    kind = frame.WhichOneof("kind")
    if kind is None:
        return None
    found = getattr(frame, kind)
    answers = tuple(bounded(found.answers, OPS_MAX)) if kind in ("append", "page") else ()
    return Arrived(_TAKES[kind](found), answers)


def _packed(frame: Any) -> bytes:
    packed: bytes = frame.SerializeToString()
    return packed


# ---- ops -----------------------------------------------------------------------------------------


def _ops(found: Any) -> tuple[Op, ...]:
    return tuple(decode_op(one) for one in bounded(found, OPS_MAX))


def _append(found: Any) -> Append:
    ops = _ops(found.ops)
    if not ops or any(op.origin != ops[0].origin for op in ops):
        raise OpFault("an Append carries ops of one log, and at least one")
    return Append(number(found.epoch), ops, number(found.durable_upto))


def _page(found: Any) -> Page:
    return Page(number(found.pull_id), _ops(found.ops))


# ---- how others stand ----------------------------------------------------------------------------


def _put_ack(room: Any, ack: AppendAck) -> None:
    room.incarnation = words.incarnation_bytes(ack.incarnation)
    room.origin = words.origin_bytes(ack.origin)
    room.answered, room.durable_seq = ack.answered, ack.durable_seq
    room.status = _STATUS_NUMBERS[ack.status]
    room.configs.extend(map(encode_config, ack.configs))
    words.put_proofs(room.proofs, ack.proofs)


def _ack(found: Any) -> AppendAck:
    if not found.status:
        raise OpFault("an ack without a status")
    configs, proofs = _epochs(found)
    return AppendAck(
        words.incarnation(found.incarnation), words.origin(found.origin), number(found.answered),
        number(found.durable_seq), _STATUSES.get(found.status, Status.STORAGE), configs, proofs,
    )  # fmt: skip


def _put_beat(room: Any, beat: Beat) -> None:
    room.incarnation = words.incarnation_bytes(beat.incarnation)
    room.epoch = beat.epoch
    words.put_heads(room.heads, beat.heads)
    words.put_cursor(room.floor, beat.floor)
    room.wall_us, room.echo_wall_us = beat.wall_us, beat.echo_wall_us
    room.echo_age_us, room.root = beat.echo_age_us, beat.root


def _beat(found: Any) -> Beat:
    return Beat(
        words.incarnation(found.incarnation), number(found.epoch), words.heads(found.heads),
        words.cursor(found.floor), found.wall_us, found.echo_wall_us, found.echo_age_us,
        words.digest(found.root, optional=True),
    )  # fmt: skip


# ---- catching up ---------------------------------------------------------------------------------


def _put_pull(room: Any, pull: Pull) -> None:
    room.pull_id, room.ops_max = pull.pull_id, pull.ops_max
    room.origins.extend(map(words.origin_bytes, pull.origins))
    words.put_cursor(room.have, pull.have)


def _pull(found: Any) -> Pull:
    origins = tuple(words.origin(one) for one in bounded(found.origins))
    have, ops_max = words.cursor(found.have), number(found.ops_max)
    return Pull(number(found.pull_id), origins, have, ops_max)


def _put_required(room: Any, required: SnapshotRequired) -> None:
    room.pull_id = required.pull_id
    words.put_cursor(room.floor, required.floor)


def _required(found: Any) -> SnapshotRequired:
    return SnapshotRequired(number(found.pull_id), words.cursor(found.floor))


def _put_wanted(room: Any, wanted: SnapshotWanted) -> None:
    room.pull_id = wanted.pull_id


def _wanted(found: Any) -> SnapshotWanted:
    return SnapshotWanted(number(found.pull_id))


def _put_state(room: Any, state: Snapshot) -> None:
    room.pull_id, room.lamport = state.pull_id, state.lamport
    words.put_heads(room.heads, state.heads)
    words.put_cursor(room.floor, state.floor)
    for record_id, row in state.records.items():
        room.records.add(record_id=record_id, state=row)
    for key, dot in state.request_keys.items():
        one = room.request_keys.add(key=key)
        one.dot.origin, one.dot.seq = words.origin_bytes(dot.origin), dot.seq


def _state(found: Any) -> Snapshot:
    records = words.by_name(found.records, lambda one: one.record_id, lambda one: one.state)
    keys = words.by_name(found.request_keys, lambda one: one.key, lambda one: words.dot(one.dot))
    return Snapshot(
        number(found.pull_id), words.heads(found.heads), words.cursor(found.floor),
        number(found.lamport), records, keys,
    )  # fmt: skip


# ---- decisions -----------------------------------------------------------------------------------


def _epochs(found: Any) -> tuple[tuple[Config, ...], tuple[Any, ...]]:
    configs = tuple(decode_config(one) for one in bounded(found.configs, EPOCHS_MAX))
    proofs = words.proofs(found.proofs)
    if len(proofs) not in (0, len(configs)):
        raise OpFault(f"{len(proofs)} proofs of {len(configs)} epochs")
    return configs, proofs


def _put_prepare(room: Any, prepare: Prepare) -> None:
    room.epoch = prepare.epoch
    words.put_ballot(room.ballot, prepare.ballot)


def _prepare(found: Any) -> Prepare:
    return Prepare(number(found.epoch), words.ballot(found.ballot))


def _put_promise(room: Any, promise: Promise) -> None:
    room.epoch = promise.epoch
    words.put_ballot(room.ballot, promise.ballot)
    words.put_ballot(room.accepted_ballot, promise.accepted_ballot)
    if promise.accepted is not None:
        room.accepted = encode_config(promise.accepted)


def _promise(found: Any) -> Promise:
    accepted = decode_config(found.accepted) if found.HasField("accepted") else None
    mine, theirs = words.ballot(found.ballot), words.ballot(found.accepted_ballot)
    return Promise(number(found.epoch), mine, theirs, accepted)


def _put_accept(room: Any, accept: Accept) -> None:
    room.epoch, room.config = accept.epoch, encode_config(accept.config)
    words.put_ballot(room.ballot, accept.ballot)


def _accept(found: Any) -> Accept:
    config = decode_config(found.config)
    return Accept(number(found.epoch), words.ballot(found.ballot), config)


def _put_accepted(room: Any, accepted: Accepted) -> None:
    room.epoch, room.sig = accepted.epoch, accepted.sig
    words.put_ballot(room.ballot, accepted.ballot)


def _accepted(found: Any) -> Accepted:
    sig = words.signature(found.sig)
    return Accepted(number(found.epoch), words.ballot(found.ballot), sig)


def _put_learn(room: Any, learn: Learn) -> None:
    room.configs.extend(map(encode_config, learn.configs))
    words.put_proofs(room.proofs, learn.proofs)


def _learn(found: Any) -> Learn:
    return Learn(*_epochs(found))


_PUTS: Final[Mapping[str, Callable[[Any, Any], None]]] = {
    "ack": _put_ack,
    "beat": _put_beat,
    "pull": _put_pull,
    "snapshot_required": _put_required,
    "snapshot_wanted": _put_wanted,
    "state": _put_state,
    "prepare": _put_prepare,
    "promise": _put_promise,
    "accept": _put_accept,
    "accepted": _put_accepted,
    "learn": _put_learn,
}
_TAKES: Final[Mapping[str, Callable[[Any], Message]]] = {
    "append": _append,
    "ack": _ack,
    "beat": _beat,
    "pull": _pull,
    "page": _page,
    "snapshot_required": _required,
    "snapshot_wanted": _wanted,
    "state": _state,
    "prepare": _prepare,
    "promise": _promise,
    "accept": _accept,
    "accepted": _accepted,
    "learn": _learn,
}
