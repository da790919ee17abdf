"""What nodes ask one another outside of the streams: who are you, and where do we differ?

The answers about differences are read from the store by whoever is asked; see Books.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from aimem_node.replica.vectors import VectorAnswer, VectorAsk
from aimem_node.rpc import peer_words as words
from aimem_node.rpc.peer_words import bounded, number, read_wire, wire_class
from aimem_sync.cursor import Cursor
from aimem_sync.digest import BUCKETS
from aimem_sync.dot import Origin
from aimem_sync.faults import OpFault

PROTOCOL: Final = 1
"""Of the frames. Raised only when an older node could not even ignore what is new."""
ASKED_MAX: Final = 4_096
"""Places or records in one question."""
ANSWERED_MAX: Final = 200_000
"""Entries of one answer: more do not fit a message anyway."""
LEVEL_BUCKETS, LEVEL_HASHES, LEVEL_RECORDS = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Hello:
    """Who speaks."""

    cluster_id: str
    origin: Origin
    epoch: int
    have: Cursor
    wall_us: int
    protocol_min: int = PROTOCOL
    protocol_max: int = PROTOCOL


@dataclass(frozen=True, slots=True)
class DigestAsk:
    """How the state sums up: all buckets, the records of some, or some records."""

    level: int
    buckets: tuple[int, ...] = ()
    record_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DigestAnswer:
    """The sums, hashes or records that were asked for, as of `have`."""

    have: Cursor
    entries: tuple[tuple[str, bytes], ...]
    "(number of a bucket or record id, 32 bytes or an encoded record)."


@dataclass(frozen=True, slots=True)
class ChainAsk:
    """The hashes of a log at these places."""

    origin: Origin
    seqs: tuple[int, ...]


class Books(Protocol):
    """Answers about what is in the store here."""

    async def digest(self, ask: DigestAsk) -> DigestAnswer:
        """Read in one transaction."""
        ...

    async def chain_at(self, ask: ChainAsk) -> Sequence[bytes]:
        """One hash for each place; empty where the log does not reach."""
        ...

    async def ops_at(self, node_id: str, ask: ChainAsk) -> Sequence[bytes]:
        """The ops that are here, encoded, as that member may hold them."""
        ...

    async def vectors_at(self, node_id: str, ask: VectorAsk) -> VectorAnswer:
        """The vectors that are here, as that member may hold them."""
        ...


def hello_bytes(hello: Hello) -> bytes:
    """What hello_from reads."""
    made = wire_class("PeerHello")(
        cluster_id=hello.cluster_id,
        node_id=hello.origin.node_id,
        incarnation=words.incarnation_bytes(hello.origin.incarnation),
        epoch=hello.epoch,
        protocol_min=hello.protocol_min,
        protocol_max=hello.protocol_max,
        wall_us=hello.wall_us,
    )
    words.put_cursor(made.have, hello.have)
    return bytes(made.SerializeToString())


def hello_from(body: bytes) -> Hello:
    """Raises OpFault, as all of these do."""
    found = read_wire("PeerHello", body)
    return Hello(
        words.text(found.cluster_id),
        Origin(found.node_id, words.incarnation(found.incarnation)),
        number(found.epoch),
        words.cursor(found.have),
        found.wall_us,
        found.protocol_min,
        found.protocol_max,
    )


def understands(hello: Hello) -> bool:
    """Whether this node and the one that said this can speak to one another."""
    return hello.protocol_min <= PROTOCOL <= hello.protocol_max


def digest_ask_bytes(ask: DigestAsk) -> bytes:
    """What digest_ask_from reads."""
    made = wire_class("DigestAsk")(level=ask.level, buckets=ask.buckets, record_ids=ask.record_ids)
    return bytes(made.SerializeToString())


def digest_ask_from(body: bytes) -> DigestAsk:
    """A question about the state."""
    found = read_wire("DigestAsk", body)
    buckets = tuple(bounded(found.buckets, BUCKETS))
    if found.level > LEVEL_RECORDS or any(bucket >= BUCKETS for bucket in buckets):
        raise OpFault("no such level or bucket")
    records = tuple(words.text(one) for one in bounded(found.record_ids, ASKED_MAX))
    return DigestAsk(found.level, buckets, records)


def digest_answer_bytes(answer: DigestAnswer) -> bytes:
    """What digest_answer_from reads."""
    made = wire_class("DigestAnswer")()
    words.put_cursor(made.have, answer.have)
    for key, value in answer.entries:
        made.entries.add(key=key, value=value)
    return bytes(made.SerializeToString())


def digest_answer_from(body: bytes) -> DigestAnswer:
    """The answer to it."""
    found = read_wire("DigestAnswer", body)
    entries = bounded(found.entries, ANSWERED_MAX)
    return DigestAnswer(
        words.cursor(found.have), tuple((words.text(one.key), one.value) for one in entries)
    )


def chain_ask_bytes(ask: ChainAsk) -> bytes:
    """What chain_ask_from reads."""
    made = wire_class("ChainAsk")(origin=words.origin_bytes(ask.origin), seqs=ask.seqs)
    return bytes(made.SerializeToString())


def chain_ask_from(body: bytes) -> ChainAsk:
    """A question about one log."""
    found = read_wire("ChainAsk", body)
    seqs = tuple(number(seq) for seq in bounded(found.seqs, ASKED_MAX))
    return ChainAsk(words.origin(found.origin), seqs)


def chains_bytes(chains: Sequence[bytes]) -> bytes:
    """What chains_from reads."""
    return bytes(wire_class("ChainAnswer")(chains=chains).SerializeToString())


def chains_from(body: bytes) -> tuple[bytes, ...]:
    """The answer to it."""
    found = bounded(read_wire("ChainAnswer", body).chains, ASKED_MAX)
    return tuple(words.digest(one, optional=True) for one in found)


def ops_bytes(ops: Sequence[bytes]) -> bytes:
    """What ops_from reads."""
    return bytes(wire_class("OpsAnswer")(ops=ops).SerializeToString())


def ops_from(body: bytes) -> tuple[bytes, ...]:
    """The answer to a question for ops."""
    return tuple(bounded(read_wire("OpsAnswer", body).ops, ASKED_MAX))
