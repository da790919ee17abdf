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
