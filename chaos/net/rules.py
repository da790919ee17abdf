"""What may happen to a packet on its way, decided by values alone."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

BITS = 8


@dataclass(frozen=True, slots=True)
class Rule:
    """How one node's packets to another fare. Shares are from 0 to 1, of all packets."""

    drop: bool = False
    loss: float = 0.0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    "Of the delay, up or down, evenly; packets keep their order nevertheless."
    rate_kbit: float = 0.0
    "Kilobits a second; 0 for as fast as it goes."
    duplicate: float = 0.0
    reorder: float = 0.0
    "Overtake all that is being delayed."
    larger_than: int = 0
    "Drop packets of more bytes than this: acknowledgements and pings pass, data do not."
    reset: bool = False
    "Answer TCP segments with a reset instead of passing them on."

    def __post_init__(self) -> None:
        for name in ("loss", "duplicate", "reorder"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, not {getattr(self, name)}")
        for name in ("delay_ms", "jitter_ms", "rate_kbit", "larger_than"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is at least 0, not {getattr(self, name)}")

    def as_json(self) -> dict[str, Any]:
        """For the router."""
        return asdict(self)

    @classmethod
    def from_json(cls, given: Mapping[str, Any]) -> Rule:
        """What as_json wrote. Raises ValueError on what is no rule."""
        known = {field.name for field in fields(cls)}
        if unknown := set(given) - known:
            raise ValueError(f"no such part of a rule: {', '.join(sorted(unknown))}")
        return cls(**given)


class Lane:
    """The way from one node to another: its rule, and what is under way on it."""

    def __init__(self, rule: Rule, chance: random.Random) -> None:
        self.rule = rule
        self._chance = chance
        self._free_s = 0.0
        self._last_s = 0.0

    def due(self, size: int, now_s: float) -> tuple[float, ...]:
        """When a packet of so many bytes is to be sent on: never, once, or twice. A time that is
        not after `now_s` means at once."""
        rule, chance = self.rule, self._chance
        if rule.drop or (rule.larger_than and size > rule.larger_than):
            return ()
        if rule.loss and chance.random() < rule.loss:
            return ()
        at_s = now_s
        if rule.rate_kbit:
            self._free_s = max(now_s, self._free_s) + size * BITS / (rule.rate_kbit * 1000)
            at_s = self._free_s
        if not (rule.reorder and chance.random() < rule.reorder):
            late_ms = rule.delay_ms + chance.uniform(-1, 1) * rule.jitter_ms
            at_s = max(at_s + max(0.0, late_ms) / 1000, self._last_s)
            self._last_s = at_s
        if rule.duplicate and chance.random() < rule.duplicate:
            return (at_s, at_s)
        return (at_s,)
