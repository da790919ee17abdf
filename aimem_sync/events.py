"""What happens to the core. One half of its border; the other is in effects.

What is reported as kept must survive a power cut from then on: the core tells others of it in the
next moment, and a promise about a disk cannot be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot, Origin
from aimem_sync.log import Head
from aimem_sync.members import Config
from aimem_sync.messages import Message


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed. `wall_us` is only passed on."""

    wall_us: int
    can_hear: bool = True
    "Whether the way to other members is open by now: before that, silence says nothing of them."


@dataclass(frozen=True, slots=True)
class Heard:
    """A message came over a connection whose other end proved this key.

    The shell has checked the signature of every op in it against the op's origin.
    """

    fingerprint: str
    message: Message


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection to a member broke, or a download from it failed: no answer will come."""

    node_id: str


@dataclass(frozen=True, slots=True)
class SnapshotProgress:
    """Bytes of a snapshot arrive from a member: it is worth more patience."""

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
    eligible: frozenset[str] | None = None
    "The members that may hold it, where not all may; only they count."


@dataclass(frozen=True, slots=True)
class Wrote:
    """The ops of a request are on disk, or its key had made them before."""

    request: int
    dot: Dot | None
    "The last of them. None: there was nothing to write, and nothing to wait for."
    head: Head
    "Where this node's own log now ends."
    needed: int = 0
    "W, if it is known only now: the namespaces' strictest. 0 leaves it as it was asked for."
    eligible: frozenset[str] | None = None
    "As in WriteWanted, where only the transaction knows what is written to."


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


@dataclass(frozen=True, slots=True)
class Forced:
    """An operator declares the next epoch, since no majority is left to decide one."""

    config: Config


@dataclass(frozen=True, slots=True)
class Digested:
    """The state as of `have`, read in one transaction, has this Digest.root.

    Not to be reported by a node from which bodies are withheld: its state is another one.
    """

    have: Cursor
    root: bytes


Event: TypeAlias = (
    Tick | Heard | Disconnected | SnapshotProgress | WriteWanted | Wrote | NotWritten | Kept
    | NotKept | Installed | Truncated | ReadWanted | ChangeWanted | Forced | Digested
)  # fmt: skip
