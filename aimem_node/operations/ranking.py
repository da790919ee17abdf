"""What moves a hit besides what it says: factors, each within narrow bounds.

They multiply what speaks for a hit (see evidence) and so never drown it: a factor moves a hit by a
tenth, never from the bottom to the top. Where the system this one follows added +8 for a long
memory of priority 10, an unrelated one could win.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Final, Protocol

from aimem_node.contract.values import Tier
from aimem_node.operations.lives import HALF_LIFE_US

RECENCY_SHARE: Final = 0.15
PRIORITY_STEP: Final = 0.02
CONFIDENCE_SHARE: Final = 0.2
TIER_FACTOR: Final = {Tier.SHORT: 0.97, Tier.MID: 1.0, Tier.LONG: 1.03}
TIERS: Final = {tier.value: tier for tier in TIER_FACTOR}
ANCESTOR_STEP: Final = 0.3
"""A memory one level above the asked namespace counts 1/1.3 of one in it."""
MINUTE_US: Final = 60_000_000
"""Ages are counted in these. By the microsecond, which of two equals leads would hang on the moment
at which each node was asked."""
LEAST: Final = 0.001
"""What is left of a hit against which more speaks than for it."""


class Rankable(Protocol):
    """A memory, as far as factors go by it."""

    @property
    def record_id(self) -> str: ...
    @property
    def namespace(self) -> str: ...
    @property
    def tier(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def confidence(self) -> float: ...
    @property
    def created_us(self) -> int: ...
    @property
    def lamport(self) -> int: ...


@dataclass(slots=True)
class Ranked:
    """A candidate with what made its score."""

    record_id: str
    lamport: int
    score: float
    terms: Mapping[str, float]
    "What speaks for it, added up."
    whole: float
    "What the terms are measured by."
    multiplied: dict[str, float]

    @property
    def order(self) -> tuple[float, int, str]:
        """Best first; of equals the one written last."""
        # Sums in another order differ by less: the order must be the same on every node.
        return (-round(self.score, 9), -self.lamport, self.record_id)

    @property
    def factors(self) -> dict[str, float]:
        """What made the score: the sum of the terms, which begin with +, times all others."""
        told = {f"+{name}": term / self.whole for name, term in self.terms.items()}
        return {name: round(value, 4) for name, value in (told | self.multiplied).items()}


def rank(
    memory: Rankable, terms: Mapping[str, float], whole: float, now_us: int, leaf: str
) -> Ranked:
    """Weigh a memory: its terms, of which `whole` is the most that can be earned, and the factors.
    `leaf`: the namespace from which distance counts; empty for no distance."""
    tier = TIERS[memory.tier]
    age_us = MINUTE_US * max(0, now_us // MINUTE_US - memory.created_us // MINUTE_US)
    factors = {
        "recency": 1 - RECENCY_SHARE + RECENCY_SHARE * 2.0 ** (-age_us / HALF_LIFE_US[tier]),
        "priority": 1 + PRIORITY_STEP * (memory.priority - 5),
        "confidence": 1 - CONFIDENCE_SHARE + CONFIDENCE_SHARE * memory.confidence,
        "tier": TIER_FACTOR[tier],
    }
    if leaf:
        above = leaf.count("/") - memory.namespace.count("/")
        factors["distance"] = 1 / (1 + ANCESTOR_STEP * max(0, above))
    score = max(LEAST, sum(terms.values())) / whole * prod(factors.values())
    return Ranked(memory.record_id, memory.lamport, score, terms, whole, factors)
