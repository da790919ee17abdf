"""What a client will do, drawn ahead of anything it is told.

The draws of a client are one stream of numbers that depends on its seed alone. What they come to
depends on what is there: an archive that nothing is in cannot be restored from. So the same seed
makes the same clients want the same things, however the cluster fares.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

WEIGHTS: Final = {
    "put": 22, "update": 14, "tag": 8, "untag": 5, "link": 8, "invalidate": 4, "delete": 4,
    "promote": 4, "archive": 5, "restore": 4, "vote": 7, "count": 6, "read": 20,
}  # fmt: skip
"""How often each deed is wanted, in any 111."""
HOP: Final = 0.12
"""How often a session goes to another node."""
PENDING_ALLOWED: Final = 0.2
HURRY: Final = 0.1
"""How often a write has less time than a slow peer needs."""


@dataclass(frozen=True, slots=True)
class Draw:
    """One step of a client. The numbers are in [0, 1) and choose among what there is."""

    f: str
    "A deed by its name in the history."
    which: float
    other: float
    shared: bool
    "Whether it is done to a record that all clients edit."
    hops: bool
    pending_allowed: bool
    hurried: bool
    pause: float


def draws(seed: int, label: str) -> Iterator[Draw]:
    """The steps of one client, for ever."""
    chance = random.Random(f"{seed} {label}")
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    while True:
        yield Draw(
            f=chance.choices(names, weights)[0],
            which=chance.random(),
            other=chance.random(),
            shared=chance.random() < 0.7,
            hops=chance.random() < HOP,
            pending_allowed=chance.random() < PENDING_ALLOWED,
            hurried=chance.random() < HURRY,
            pause=chance.random(),
        )
