"""What members say to one another, as values.

Two of these say how far a log is held: an ack and a beat. Both are promises about a *disk*, made
in one incarnation: what another incarnation of the same node once promised is worth nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeAlias

from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot, Origin
from aimem_sync.log import Head
from aimem_sync.members import Config, Proof
from aimem_sync.op import Op

Ballot: TypeAlias = tuple[int, str]
"""(round, node id): who asks, and for the how-manieth time. Never equal for two nodes."""

NO_BALLOT: Ballot = (0, "")


class Status(Enum):
    """What became of an Append."""

    OK = "ok"
    "All of it is on disk here."
    GAP = "gap"
    "Ops before it are missing; go on from durable_seq + 1."
    FORK = "fork"
    "Another history of this origin is held here."
    STALE_EPOCH = "stale_epoch"
    "The sender has missed a change of members; the configs are in the answer."
    STORAGE = "storage"
    "The disk did not take it; ask again later."
    DAMAGED = "damaged"
    "An op does not match its hash or its number leaps: nothing of it was taken in."


@dataclass(frozen=True, slots=True)
class Append:
    """The next ops of the sender's own log, one after the other."""

    epoch: int
    ops: tuple[Op, ...]
    "At least one, all of one origin."
    durable_upto: int
    "How far this log is committed, as the sender counts."

    @property
    def origin(self) -> Origin:
        return self.ops[0].origin


@dataclass(frozen=True, slots=True)
class AppendAck:
    """The one answer to one Append."""

    incarnation: str
    "Of the node that answers."
    origin: Origin
    answered: int
    "The last sequence of the Append that this answers."
    durable_seq: int
    "The log is on disk up to here. Cumulative."
    status: Status = Status.OK
    configs: tuple[Config, ...] = ()
    "With STALE_EPOCH: the epochs that the sender lacks, in order."
    proofs: tuple[Proof, ...] = ()
    "Of each of these epochs: that it was decided."


@dataclass(frozen=True, slots=True)
class Beat:
    """How a member stands. Sent to every other one, every half second."""

    incarnation: str
    epoch: int
    heads: Mapping[Origin, Head]
    "Where each log ends on this disk."
    floor: Cursor
    "Up to where bodies have been given up; older ops are to be had as a snapshot only."
    wall_us: int
    "For the offset of clocks; nothing is ordered by it."
    echo_wall_us: int = 0
    "`wall_us` of the last beat heard from the one that this goes to; 0 if none was."
    echo_age_us: int = 0
    "How long ago that was: what the way there and back did not take."
    root: bytes = b""
    "Digest.root of the state that these heads lead to; empty if it is not known."


@dataclass(frozen=True, slots=True)
class Pull:
    """A request for what the sender lacks of some logs."""

    pull_id: int
    origins: tuple[Origin, ...]
    have: Cursor
    ops_max: int


@dataclass(frozen=True, slots=True)
class Page:
    """What a pull brought. Ops of one origin follow one another; origins come in any order."""

    pull_id: int
    ops: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class SnapshotRequired:
    """The answer to a pull that reaches below the floor."""

    pull_id: int
    floor: Cursor


@dataclass(frozen=True, slots=True)
class SnapshotWanted:
    """A request for the whole state."""

    pull_id: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The whole state, as of one read transaction."""

    pull_id: int
    heads: Mapping[Origin, Head]
    floor: Cursor
    lamport: int
    records: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """Rows as state.encode_state writes them, with all that is remembered of overwritten versions.
    Empty, as are the keys, where a snapshot travels as a file that the shell puts in place."""
    request_keys: Mapping[str, Dot] = field(default_factory=dict, repr=False)
    "Which op each request key made: a retry must find it here too."


@dataclass(frozen=True, slots=True)
class Prepare:
    """May I ask for a config of this epoch?"""

    epoch: int
    ballot: Ballot


@dataclass(frozen=True, slots=True)
class Promise:
    """Yes, and here is what I have accepted before, if anything."""

    epoch: int
    ballot: Ballot
    accepted_ballot: Ballot
    accepted: Config | None


@dataclass(frozen=True, slots=True)
class Accept:
    """Then let it be this one."""

    epoch: int
    ballot: Ballot
    config: Config


@dataclass(frozen=True, slots=True)
class Accepted:
    """So be it, as far as I am concerned."""

    epoch: int
    ballot: Ballot
    sig: bytes = b""
    "Of members.endorsed_bytes of what was accepted."


@dataclass(frozen=True, slots=True)
class Learn:
    """These epochs were decided."""

    configs: tuple[Config, ...]
    proofs: tuple[Proof, ...] = ()
    "One for each; an epoch without a good one is not believed."


Message: TypeAlias = (
    Append | AppendAck | Beat | Pull | Page | SnapshotRequired | SnapshotWanted | Snapshot
    | Prepare | Promise | Accept | Accepted | Learn
)  # fmt: skip
