"""What somebody wants to be told of, and how far they have been told.

Two rooms need the words: operations know what a subscription means and which op is an event of it;
a follower delivers. How far a subscription has been told is a cursor over all logs, so that any
member can go on where another one stopped.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aimem_node.outbound.reachable import Allowed
from aimem_node.replica.writing import Tx
from aimem_node.store.view import View
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot


@dataclass(frozen=True, slots=True)
class Subscribed:
    """One subscription."""

    id: str
    url: str
    said: Mapping[str, Any]
    "What it is about; only operations read it."
    sealed: Mapping[str, str]
    "The secret, by the fingerprint of the key that opens it."
    told: Cursor
    "All events up to here were delivered or given up."


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one receiver."""

    id: str
    "The same for the same event, whoever delivers it and however often."
    dot: Dot | None
    "The op that it tells of; None for one that was given up before."
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """What comes next in the order of arrival here."""

    pos: int
    "Up to where it reaches."
    told: Cursor
    "How far everything is told once these are delivered."
    deliveries: tuple[Delivery, ...]
    is_last: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """How one subscription stands, as far as this node knows."""

    taken: int = 0
    "Deliveries that were taken since the start."
    failed: int = 0
    "Attempts that failed."
    last_us: int | None = None
    "When the last one was taken."
    deliverer: str = ""
    "Node id of the member that delivers."
    state: str = "waiting"
    "waiting, delivering, retrying or blocked."
    reason: str = ""


class Desk(Protocol):
    """What operations ask about deliveries."""

    allowed: Allowed
    "What the operator allows besides public addresses."

    def member_keys(self) -> Mapping[str, bytes]:
        """Certificates (DER) of all members by fingerprint."""
        ...

    def counted(self, subscription_id: str) -> Counted:
        """How one stands."""
        ...


class NoDesk:
    """Of a node that delivers nothing."""

    allowed = Allowed()

    def member_keys(self) -> Mapping[str, bytes]:
        """Nobody's."""
        return {}

    def counted(self, _subscription_id: str) -> Counted:
        """Nothing is known of any."""
        return Counted()


class Telling(Protocol):
    """What subscriptions mean, for who delivers."""

    def is_any(self, view: View) -> bool:
        """Whether there may be subscriptions at all."""
        ...

    def all_standing(self, view: View) -> list[Subscribed]:
        """Those that stand."""
        ...

    def begin(self, view: View, told: Cursor) -> int:
        """The position here behind which something may not have been told."""
        ...

    def page(
        self, view: View, one: Subscribed, before: Cursor, told: Cursor, pos: int
    ) -> Page | None:
        """The next events behind a position; None if it has ended or begins at another place."""
        ...

    def given_up(self, view: View, one: Subscribed) -> list[Delivery]:
        """Given-up deliveries that are to be tried once more."""
        ...

    def keep_told(self, tx: Tx, subscription_id: str, before: Cursor, told: Cursor) -> int:
        """Log how far it has been told; 0 if that is not `before` any more."""
        ...

    def give_up(
        self, tx: Tx, one: Subscribed, delivery: Delivery, attempts: int, reason: str
    ) -> int:
        """Log that a delivery was given up, for somebody to look at."""
        ...

    def bury(self, tx: Tx, one: Subscribed, delivery_id: str) -> int:
        """Log that a given-up delivery has been taken after all."""
        ...

    def keep_sealed(self, tx: Tx, subscription_id: str, sealed: Mapping[str, str]) -> int:
        """Log the secret as it is sealed for the members of now."""
        ...
