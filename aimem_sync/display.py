"""The one value a reader is shown where several stand.

Nothing is lost here: what is not shown is listed as a conflict and stays in the state. Rules look
at the versions and never at a clock, so all replicas show the same. "The newest wins" means the
highest place in the order of versions, not the latest time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final, TypeAlias, TypeGuard

from aimem_sync.canon import Json, canonical_json
from aimem_sync.change import LIFE, LIVE
from aimem_sync.deeds import plain, twins
from aimem_sync.state import RecordState, Version

Shown: TypeAlias = Mapping[str, Json]
"""Values decided so far; `life` is decided last and may look at all others."""

Rule: TypeAlias = Callable[[tuple[Version, ...], Shown], tuple[Version, ...]]
"""Puts the heads of one register, given newest first, in order of preference, best first.
Heads it leaves out count as absorbed by the best: they are no conflict."""


class Life:
    """Words for how a record stands."""

    LIVE: Final = "live"
    ARCHIVED: Final = "archived"
    DELETED: Final = "deleted"
    UNBORN: Final = "unborn"
    "Its creation has not arrived, or is withheld; something written later has. Not to be shown."


@dataclass(frozen=True, slots=True)
class Display:
    """A record as a reader sees it."""

    record_id: str
    type: str
    values: Mapping[str, Json] = field(default_factory=dict)
    "Per register: the value shown."
    tags: tuple[str, ...] = ()
    "Sorted."
    counters: Mapping[str, int] = field(default_factory=dict)
    "Sums over all origins."
    conflicts: Mapping[str, tuple[Version, ...]] = field(default_factory=dict)
    "Per register: versions not shown whose value differs from the one shown and each other."
    life: str = Life.UNBORN
    "A word of Life, or a newer version's word. A purged record is `deleted`."
    purged: bool = False
    first: Version | None = None
    """The oldest version standing in any register: the creation, as long as part of it stands. Of
    several by one op, that of the register first in the alphabet, life coming last."""
    last: Version | None = None
    "The newest version standing in any register."


def display(state: RecordState) -> Display:
    """What a reader is shown. A function of the state alone; never raises for what ops said."""
    if state.purged:
        return Display(state.record_id, state.type, life=Life.DELETED, purged=True)
    values: dict[str, Json] = {}
    conflicts: dict[str, tuple[Version, ...]] = {}
    versions: list[Version] = []
    late = twins(state.heads.get(LIFE, ()))
    for register in sorted(state.heads, key=_life_last):
        heads = state.heads[register]
        versions += heads
        if late:  # not where a late twin is all there is
            heads = tuple([head for head in heads if head.dot not in late]) or heads
        rule = RULES.get((state.type, register)) or RULES.get(register) or latest
        ranked = rule(heads, values)
        values[register] = ranked[0].value
        if len(ranked) > 1 and (losing := _differing(ranked)):
            conflicts[register] = losing
    return Display(
        record_id=state.record_id,
        type=state.type,
        values=values,
        tags=tuple(sorted([tag for tag, adds in state.tags.items() if not adds <= late])),
        counters={name: sum(totals.values()) for name, totals in sorted(state.counters.items())},
        conflicts=conflicts,
        life=_word(values[LIFE]) if LIFE in values else Life.UNBORN,
        first=min(versions, key=_order_key, default=None),
        last=max(versions, key=_order_key, default=None),
    )


def latest(heads: tuple[Version, ...], shown: Shown) -> tuple[Version, ...]:  # noqa: ARG001
    """The newest first, as they come."""
    return heads


def longest_tier(heads: tuple[Version, ...], shown: Shown) -> tuple[Version, ...]:  # noqa: ARG001
    """long over mid over short: a concurrent demotion must not shorten a life."""
    return _ranked(heads, lambda value: _TIERS.get(value, -1) if isinstance(value, str) else -1)


def latest_expiry(heads: tuple[Version, ...], shown: Shown) -> tuple[Version, ...]:  # noqa: ARG001
    """Never (null) over any time, a later time over an earlier one."""
    return _ranked(heads, _expiry_rank)


def last_time(heads: tuple[Version, ...], shown: Shown) -> tuple[Version, ...]:  # noqa: ARG001
    """The latest time alone: both things happened, and the register says when the last one did."""
    return _ranked(heads, lambda value: value if _is_time(value) else -1)[:1]


def liveliest(heads: tuple[Version, ...], shown: Shown) -> tuple[Version, ...]:
    """live over archived over deleted: whoever wrote on did not know of the removal.

    An archive made because time had run out is void if, by the expiry now shown, it had not:
    somebody touched the record meanwhile. Of a request's twins see `deeds`.
    """
    expires_at = shown.get("expires_at")
    return _ranked(
        tuple([_revived(_unsigned(version), expires_at) for version in heads]),
        lambda value: _LIVES.get(_word(value), -1),
    )


_TIERS: Final = {"short": 0, "mid": 1, "long": 2}
_LIVES: Final = {Life.DELETED: 0, Life.ARCHIVED: 1, Life.LIVE: 2}

RULES: Final[Mapping[tuple[str, str] | str, Rule]] = MappingProxyType(
    {
        "tier": longest_tier,
        "expires_at": latest_expiry,
        "updated_at": last_time,
        "accessed_at": last_time,
        LIFE: liveliest,
        ("link", "valid_until"): latest,
    }
)
"""By (type, register), else by register; any other register shows its latest."""


def _ranked(heads: tuple[Version, ...], rank: Callable[[Json], float]) -> tuple[Version, ...]:
    if len(heads) == 1:
        return heads
    # Sorting is stable: among equals the newest stays first.
    return tuple(sorted(heads, key=lambda version: rank(version.value), reverse=True))


def _expiry_rank(value: Json) -> float:
    if value is None:
        return float("inf")
    return value if _is_time(value) else -1


def _unsigned(version: Version) -> Version:
    value = version.value
    if not isinstance(value, Mapping) or plain(value) is value:
        return version
    return replace(version, value=plain(value))


def _revived(version: Version, expires_at: Json) -> Version:
    value = version.value
    if not isinstance(value, dict) or value.get("reason") != "ttl_expired":
        return version
    ran_out_at = value.get("expires_at")
    if _word(value) != Life.ARCHIVED or not _is_time(ran_out_at):
        return version
    touched = expires_at is None or (_is_time(expires_at) and expires_at > ran_out_at)
    return replace(version, value=LIVE) if touched else version


def _is_time(value: Json) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _word(life: Json) -> str:
    word = life.get("is") if isinstance(life, dict) else None
    # Nonsense is read as life: to hide a record takes a clear word.
    return word if isinstance(word, str) else Life.LIVE


def _differing(ranked: tuple[Version, ...]) -> tuple[Version, ...]:
    """Those whose value differs, as JSON, from all before them (1, 1.0 and true differ)."""
    spellings = {canonical_json(ranked[0].value)}
    losing = []
    for version in ranked[1:]:
        spelling = canonical_json(version.value)
        if spelling not in spellings:
            spellings.add(spelling)
            losing.append(version)
    return tuple(losing)


def _life_last(register: str) -> tuple[bool, str]:
    return (register == LIFE, register)


def _order_key(version: Version) -> tuple[int, str, str, int]:
    return version.order_key
