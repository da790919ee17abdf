"""What the core wants done. One half of its border; the other is in events.

The shell does effects in the order given and reports back by events. It keeps one rule: what goes
to disk goes there in the order in which it was asked for, and is reported only once it would
survive a power cut. Everything else here may be late, lost or done twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from aimem_sync.cursor import Cursor, Range
from aimem_sync.members import Config, Proof
from aimem_sync.messages import Ballot, Message, Snapshot
from aimem_sync.op import Op

PeerState: TypeAlias = tuple[str, str, str]
"""(node id, state, why): state is holds, behind, unreachable, refused or learner."""


class Outcome(Enum):
    """The only three answers to a write."""

    COMMITTED = "committed"
    "Enough voters hold it on disk."
    NOT_WRITTEN = "not_written"
    "This attempt has logged nothing anywhere and never will."
    PENDING = "pending"
    "It is in the log here and will spread; too few have confirmed in time."


@dataclass(frozen=True, slots=True)
class Vote:
    """What an acceptor has promised and accepted about one epoch."""

    epoch: int
    promised: Ballot
    accepted_ballot: Ballot
    accepted: Config | None


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message as it is. If there is no connection, forget it."""

    to: str
    message: Message


@dataclass(frozen=True, slots=True)
class SendAppend:
    """Read these ops of the own log and send them as one Append.

    Fewer may be sent, from the first on, if all of them are too many bytes for one message.
    """

    to: str
    ops: Range
    epoch: int
    durable_upto: int


@dataclass(frozen=True, slots=True)
class SendPage:
    """Read these ops and send them as one Page; again fewer, if they are too many bytes."""

    to: str
    pull_id: int
    ranges: tuple[Range, ...]


@dataclass(frozen=True, slots=True)
class SendSnapshot:
    """Read the whole state in one transaction and send it, on a connection of its own."""

    to: str
    pull_id: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """Stamp and append the ops of this request; report Wrote or NotWritten."""

    request: int


@dataclass(frozen=True, slots=True)
class Answer:
    """Tell the caller."""

    request: int
    outcome: Outcome
    acked_by: tuple[str, ...] = ()
    needed: int = 0
    reason: str = ""
    peers: tuple[PeerState, ...] = ()
    "Each other member and how it stands to this write; not told of a committed one."


@dataclass(frozen=True, slots=True)
class Keep:
    """Append these ops and fold them, in one transaction; report Kept or NotKept."""

    ticket: int
    ops: tuple[Op, ...]


@dataclass(frozen=True, slots=True)
class KeepVote:
    """Keep this vote; report Kept or NotKept."""

    ticket: int
    vote: Vote


@dataclass(frozen=True, slots=True)
class KeepConfig:
    """Keep these epochs; report Kept or NotKept."""

    ticket: int
    configs: tuple[Config, ...]
    proofs: tuple[Proof, ...] = ()
    "One for each, to be kept beside it: whoever is told of the epoch wants to see it."


@dataclass(frozen=True, slots=True)
class Install:
    """Put this snapshot in place of the state if snapshot.plan allows; report Installed."""

    snapshot: Snapshot


@dataclass(frozen=True, slots=True)
class Truncate:
    """Give up bodies up to here, as far as the time they are kept for allows; report Truncated."""

    upto: Cursor


@dataclass(frozen=True, slots=True)
class Collect:
    """Forget the names of overwritten versions up to here (merge.collect)."""

    stable: Cursor


@dataclass(frozen=True, slots=True)
class ServeRead:
    """Read now: the store holds all that was asked for."""

    read: int


@dataclass(frozen=True, slots=True)
class RefuseRead:
    """Tell the reader what could not be had in time, or (`lost`) never can."""

    read: int
    missing: tuple[Range, ...]
    lost: bool = False


@dataclass(frozen=True, slots=True)
class Changed:
    """The next epoch is decided: as the operator wanted (`won`), or otherwise."""

    request: int
    won: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """A new epoch rules. Cut what it does not allow, dial whom it brings."""

    config: Config


@dataclass(frozen=True, slots=True)
class Fence:
    """Stop: this node must not go on under its present origin. The operator's log says why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Note:
    """A fact for logs and metrics: something rare, or something wrong with a peer."""

    what: str
    peer: str = ""


Effect: TypeAlias = (
    Send | SendAppend | SendPage | SendSnapshot | Stamp | Answer | Keep | KeepVote | KeepConfig
    | Install | Truncate | Collect | ServeRead | RefuseRead | Changed | Applied | Fence | Note
)  # fmt: skip
