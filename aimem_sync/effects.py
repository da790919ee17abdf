"""What happens to the core, and what it wants done: the whole of its border.

The shell does effects in the order given and reports back by events. It keeps one rule: what goes
to disk goes there in the order in which it was asked for, and is reported only once it would
survive a power cut. Everything else here may be late, lost or done twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from aimem_sync.cursor import Cursor, Range
from aimem_sync.dot import Dot, Origin
from aimem_sync.log import Head
from aimem_sync.members import Config
from aimem_sync.messages import Ballot, Message, Snapshot
from aimem_sync.op import Op


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


# ---- events --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed. `wall_us` is only passed on."""

    wall_us: int


@dataclass(frozen=True, slots=True)
class Heard:
    """A message came over a connection whose other end proved this key.

    The shell has checked the signature of every op in it against the op's origin.
    """

    fingerprint: str
    message: Message


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection to a member broke: what it was asked will not be answered."""

    node_id: str


@dataclass(frozen=True, slots=True)
class WriteWanted:
    """Somebody wants to write. Answered by Stamp or Answer."""

    request: int
    deadline_us: int
    needed: int = 0
    "W of this write; 0 is the majority of voters."
    allow_pending: bool = False
    "Write even if too few voters are in reach."
    known: Dot | None = None
    "The op that the same request key made before."


@dataclass(frozen=True, slots=True)
class Wrote:
    """The ops of a request are on disk; or its key had made `head`'s op before (`again`)."""

    request: int
    dot: Dot
    head: Head
    "Where this node's own log now ends."


@dataclass(frozen=True, slots=True)
class NotWritten:
    """The store refused a request's ops; nothing is logged."""

    request: int
    reason: str


@dataclass(frozen=True, slots=True)
class Kept:
    """What Keep or KeepVote or KeepConfig asked for is on disk."""

    ticket: int


@dataclass(frozen=True, slots=True)
class NotKept:
    """The disk did not take it; nothing of it is there."""

    ticket: int
    reason: str


@dataclass(frozen=True, slots=True)
class Installed:
    """A snapshot has taken the place of the state. `refused` names the origins if it has not."""

    heads: Mapping[Origin, Head]
    floor: Cursor
    refused: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class Truncated:
    """Bodies up to `floor` are given up."""

    floor: Cursor


@dataclass(frozen=True, slots=True)
class ReadWanted:
    """Somebody wants to read what is at least as new as `after`."""

    read: int
    after: Cursor
    deadline_us: int


@dataclass(frozen=True, slots=True)
class ChangeWanted:
    """An operator wants this to be the next epoch."""

    request: int
    config: Config


Event: TypeAlias = (
    Tick | Heard | Disconnected | WriteWanted | Wrote | NotWritten | Kept | NotKept | Installed
    | Truncated | ReadWanted | ChangeWanted
)  # fmt: skip

# ---- effects -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message as it is. If there is no connection, forget it."""

    to: str
    message: Message


@dataclass(frozen=True, slots=True)
class SendAppend:
    """Read these ops of the own log and send them as one Append."""

    to: str
    ops: Range
    epoch: int
    durable_upto: int


@dataclass(frozen=True, slots=True)
class SendPage:
    """Read these ops and send them as one Page."""

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
