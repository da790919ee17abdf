"""The parts that all messages between nodes are made of, and the one way to read them.

Who speaks is a member, and yet nothing it says is taken on trust: each of these raises OpFault for
what is out of bounds, and nothing else, whatever the bytes are.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache, lru_cache
from typing import Any, Final, TypeVar

from google.protobuf.message import DecodeError

from aimem_node.contract.descriptors import PACKAGE, contract_pool, message_class
from aimem_sync.cursor import Cursor
from aimem_sync.dot import ORIGINS_REMEMBERED, Dot, Origin
from aimem_sync.faults import OpFault
from aimem_sync.limits import NUMBER_MAX, SIG_BYTES_MAX, TEXT_BYTES_MAX
from aimem_sync.log import Head
from aimem_sync.members import Endorsement, Proof
from aimem_sync.messages import Ballot

FRAME_BYTES_MAX: Final = 8 * 1024 * 1024
"""Of one message: a batch of 1 MiB, one op of 1 MiB beside it, answers, and ample room."""
LIST_MAX: Final = 65_536
"""Entries of any list. Logs are made by restores, so a cluster has tens of them."""
EPOCHS_MAX: Final = 4_096
HASH_BYTES: Final = 32
NODE_BYTES: Final = 16
INCARNATION_BYTES: Final = 8

T = TypeVar("T")


@cache
def wire_class(name: str) -> Any:
    """protobuf's class for a message of replication.proto."""
    return message_class(contract_pool(), f"{PACKAGE}.{name}")


def read_wire(name: str, body: bytes) -> Any:
    """The message in these bytes. Raises OpFault."""
    if len(body) > FRAME_BYTES_MAX:
        raise OpFault(f"{len(body)} bytes of {name}; at most {FRAME_BYTES_MAX} are read")
    try:
        return wire_class(name).FromString(body)
    except (DecodeError, UnicodeDecodeError) as error:
        raise OpFault(f"these bytes are no {name}") from error


# ---- numbers, texts and hashes -------------------------------------------------------------------


def number(found: int) -> int:
    """A sequence, an epoch, a Lamport number or an id."""
    if found > NUMBER_MAX:
        raise OpFault(f"{found} is past the end of the numbers")
    return found


def text(found: str) -> str:
    """A name of something."""
    if len(found) > TEXT_BYTES_MAX:
        raise OpFault(f"a text of {len(found)} characters")
    return found


def digest(found: bytes, *, optional: bool = False) -> bytes:
    """A SHA-256."""
    if len(found) != HASH_BYTES and not (optional and not found):
        raise OpFault(f"a hash of {len(found)} bytes")
    return found


def signature(found: bytes) -> bytes:
    """A signature, or none."""
    if len(found) > SIG_BYTES_MAX:
        raise OpFault(f"a signature of {len(found)} bytes")
    return found


def bounded(found: Any, most: int = LIST_MAX) -> Any:
    """A list that is not too long."""
    if len(found) > most:
        raise OpFault(f"a list of {len(found)}; at most {most} are read")
    return found


def incarnation_bytes(incarnation: str) -> bytes:
    """What incarnation reads."""
    return bytes.fromhex(incarnation)


def incarnation(found: bytes) -> str:
    """Which life of a node."""
    if len(found) != INCARNATION_BYTES:
        raise OpFault(f"an incarnation of {len(found)} bytes")
    return found.hex()


def node_id(found: str) -> str:
    """A node, or none."""
    if found and (len(found) != 2 * NODE_BYTES or not set(found) <= set("0123456789abcdef")):
        raise OpFault(f"not a node id: {found[:40]!r}")
    return found


# ---- logs ----------------------------------------------------------------------------------------


@lru_cache(ORIGINS_REMEMBERED)
def origin_bytes(origin: Origin) -> bytes:
    """What origin reads: 24 bytes."""
    return bytes.fromhex(origin.node_id + origin.incarnation)


def origin(found: bytes) -> Origin:
    """Which log."""
    if len(found) != NODE_BYTES + INCARNATION_BYTES:
        raise OpFault(f"an origin of {len(found)} bytes")
    return _origin(found)


@lru_cache(ORIGINS_REMEMBERED)
def _origin(found: bytes) -> Origin:
    return Origin.parse(f"{found[:NODE_BYTES].hex()}.{found[NODE_BYTES:].hex()}")


def put_cursor(room: Any, cursor: Cursor) -> None:
    """Write a cursor into a repeated LogSeq."""
    for one, seq in cursor.seqs.items():
        room.add(origin=origin_bytes(one), seq=seq)


def cursor(found: Any) -> Cursor:
    """How far each log."""
    return Cursor(_unique((origin(one.origin), number(one.seq)) for one in bounded(found)))


def put_heads(room: Any, heads: Mapping[Origin, Head]) -> None:
    """Write heads into a repeated LogHead."""
    for one, head in heads.items():
        room.add(origin=origin_bytes(one), seq=head.seq, chain=head.chain)


def heads(found: Any) -> dict[Origin, Head]:
    """Where each log ends."""
    return _unique(
        (origin(one.origin), Head(number(one.seq), digest(one.chain))) for one in bounded(found)
    )


def dot(found: Any) -> Dot:
    """One op."""
    if not found.seq:
        raise OpFault("the first op of a log is number 1")
    return Dot(origin(found.origin), number(found.seq))


def _unique(pairs: Iterable[tuple[Any, T]]) -> dict[Any, T]:
    made: dict[Any, T] = {}
    for key, value in pairs:
        if key in made:
            raise OpFault("one thing is named twice")
        made[key] = value
    return made


def by_name(found: Any, key: Callable[[Any], str], value: Callable[[Any], T]) -> dict[str, T]:
    """A mapping from texts."""
    return _unique((text(key(one)), value(one)) for one in bounded(found))


# ---- decisions -----------------------------------------------------------------------------------


def put_ballot(room: Any, ballot: Ballot) -> None:
    """Write a ballot."""
    room.round, room.node_id = ballot


def ballot(found: Any) -> Ballot:
    """Who asks, and for the how-manieth time."""
    return number(found.round), node_id(found.node_id)


def put_proofs(room: Any, proofs: Iterable[Proof]) -> None:
    """Write proofs into a repeated EpochProof."""
    for proof in proofs:
        endorsements = room.add().endorsements
        for one in proof:
            endorsements.add(node_id=one.node_id, fingerprint=one.fingerprint, sig=one.sig)


def proofs(found: Any) -> tuple[Proof, ...]:
    """What shows epochs to have been decided."""
    return tuple(
        tuple(
            Endorsement(text(one.node_id), text(one.fingerprint), signature(one.sig))
            for one in bounded(proof.endorsements)
        )
        for proof in bounded(found, EPOCHS_MAX)
    )
