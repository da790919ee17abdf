"""How long a memory lives: pure arithmetic on tiers, expiry and recalls.

Source of the figures: reference semantics, section 4. One rule differs on purpose: a recall
never shortens a life. There, an hour's extension replaced seven days that were left.
"""

from dataclasses import dataclass

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Tier

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US
DAY_US = 24 * HOUR_US

LIFE_US: dict[Tier, int | None] = {
    Tier.SHORT: 6 * HOUR_US,
    Tier.MID: 7 * DAY_US,
    Tier.LONG: None,
}
EXTENSION_US: dict[Tier, int] = {Tier.SHORT: HOUR_US, Tier.MID: DAY_US, Tier.LONG: 0}
HALF_LIFE_US: dict[Tier, int] = {
    Tier.SHORT: 7 * DAY_US,
    Tier.MID: 30 * DAY_US,
    Tier.LONG: 365 * DAY_US,
}
RANK = {Tier.SHORT: 0, Tier.MID: 1, Tier.LONG: 2}

RECALLS_TO_LONG = 5
"""A mid memory that was recalled this often is kept for ever."""
RECALLS_PER_PRIORITY = 10
PRIORITY_MAX = 10
ACCESS_COUNT_MAX = 1_000_000


def first_expiry_us(
    tier: Tier, expires_at: int | None, ttl_secs: int | None, now_us: int
) -> int | None:
    """When a new memory's life ends: what was asked for, else the tier's span. None is never."""
    if expires_at is not None:
        if expires_at <= now_us:
            raise Failure(
                Code.INVALID_ARGUMENT,
                "expires_at is in the past",
                path="$.expires_at",
                next="Give a later time, or leave it out.",
            )
        return expires_at
    if ttl_secs is not None:
        return now_us + ttl_secs * SECOND_US
    span = LIFE_US[tier]
    return None if span is None else now_us + span


def later(a: int | None, b: int | None) -> int | None:
    """The later of two ends of life, where None is never."""
    return None if a is None or b is None else max(a, b)


def higher(a: Tier, b: Tier) -> Tier:
    """The tier that keeps longer."""
    return a if RANK[a] >= RANK[b] else b


@dataclass(frozen=True, slots=True)
class Lived:
    """What a memory's recalls make of it."""

    tier: Tier
    expires_us: int | None
    priority: int


def touched(
    tier: Tier, expires_us: int | None, priority: int, count_before: int, times: int, at_us: int
) -> Lived:
    """What becomes of a memory that was recalled `times` more, the last time at `at_us`."""
    count = count_before + times
    if tier == Tier.MID and count >= RECALLS_TO_LONG:
        tier, expires_us = Tier.LONG, None
    elif expires_us is not None:
        expires_us = max(expires_us, at_us + EXTENSION_US[tier])
    raised = count // RECALLS_PER_PRIORITY - count_before // RECALLS_PER_PRIORITY
    return Lived(tier, expires_us, min(PRIORITY_MAX, max(priority, priority + raised)))
