"""The slow truth: keep every op of one record, and work all out from nothing each time it is asked.

It shares no code with the fold: bodies are plain JSON, dots stay text, and each question is
answered by its definition.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

TIERS = ["short", "mid", "long"]
LIVES = ["deleted", "archived", "live"]
NOTHING = bytes(32)


@dataclass(frozen=True, slots=True)
class Said:
    """What the model has to know of one op."""

    dot: str
    lamport: int
    kind: str
    body: Any
    "Decoded; None if it is not here."

    @property
    def origin(self) -> str:
        """Whose op it is."""
        return self.dot.rpartition(":")[0]

    @property
    def place(self) -> tuple[int, str, str, int]:
        """In the total order."""
        origin, _, seq = self.dot.rpartition(":")
        node_id, _, incarnation = origin.partition(".")
        return (self.lamport, node_id, incarnation, int(seq))


class Model:
    """One record, as the set of all that was ever said of it."""

    def __init__(self, ops: Iterable[Said] = (), record_id: str = "") -> None:
        self.record_id = record_id
        self.ops: dict[str, Said] = {op.dot: op for op in ops}

    @property
    def purged(self) -> bool:
        """Erased for good."""
        return any(op.kind == "purge" for op in self.ops.values())

    def bodies(self) -> dict[str, Any]:
        """What edits say, by their dots."""
        if self.purged:
            return {}
        return {
            dot: op.body
            for dot, op in self.ops.items()
            if op.kind == "edit" and op.body is not None
        }

    def newest_first(self, dots: Iterable[str]) -> list[str]:
        """In the total order, from its end."""
        return sorted(dots, key=lambda dot: self.ops[dot].place, reverse=True)

    def heads(self) -> dict[str, list[tuple[str, Any]]]:
        """Per register: dots of all ops, less the union of all overwritten, newest first."""
        bodies = self.bodies()
        found: dict[str, list[tuple[str, Any]]] = {}
        for register in {r for body in bodies.values() for r in body.get("set", {})}:
            wrote = {dot for dot, body in bodies.items() if register in body.get("set", {})}
            for body in bodies.values():
                wrote -= set(body.get("over", {}).get(register, []))
            if wrote:
                ranked = self.newest_first(wrote)
                found[register] = [(dot, bodies[dot]["set"][register]) for dot in ranked]
        return found

    def tags(self) -> dict[str, set[str]]:
        """Per tag: the adds that nobody took away."""
        bodies = self.bodies()
        found: dict[str, set[str]] = {}
        for tag in {t for body in bodies.values() for t in body.get("tag", [])}:
            added = {dot for dot, body in bodies.items() if tag in body.get("tag", [])}
            for body in bodies.values():
                added -= set(body.get("untag", {}).get(tag, []))
            if added:
                found[tag] = added
        return found

    def totals(self) -> dict[str, dict[str, int]]:
        """Per counter: what each origin has counted, which only rises."""
        highest: dict[str, dict[str, int]] = {}
        for dot, body in self.bodies().items():
            for name, total in body.get("count", {}).items():
                of_all = highest.setdefault(name, {})
                origin = self.ops[dot].origin
                of_all[origin] = max(total, of_all.get(origin, 0))
        return highest

    def counters(self) -> dict[str, int]:
        """Sums over all origins."""
        return {name: sum(of_all.values()) for name, of_all in self.totals().items()}

    def late(self) -> set[str]:
        """Ops whose request came twice, and was seen by somebody who saw the other op of it: of
        these nothing is shown. A life says who made it (by, 12 digits) and what its writer saw
        (seen: eight at most, 6 more digits for the op)."""
        lives = self.heads().get("life", [])
        found = {
            dot for dot, life in lives for _, other in lives if self._overtook(other, dot, life)
        }
        return found if len(found) < len(lives) else set()

    @staticmethod
    def _overtook(other: Any, dot: str, life: Any) -> bool:
        seen = other.get("seen", [])
        names = [one[:12] for one in seen]
        itself = life.get("by", "") + sha256(dot.encode()).hexdigest()[:6]
        if life.get("by") not in names or itself in seen:
            return False
        before = [one[:12] for one in life.get("seen", [])[: 7 - names.index(life["by"])]]
        return set(before) <= {*names, other.get("by")}

    def tags_shown(self) -> list[str]:
        """The tags that a reader sees."""
        late = self.late()
        return sorted(tag for tag, adds in self.tags().items() if adds - late)

    def shown(self) -> dict[str, Any]:
        """What a reader sees of each register."""
        late = self.late()
        heads = {
            register: [v for dot, v in found if dot not in late] or [v for _, v in found]
            for register, found in self.heads().items()
        }
        shown = {register: values[0] for register, values in heads.items()}
        if "tier" in heads:
            shown["tier"] = max(heads["tier"], key=TIERS.index)
        if "expires_at" in heads:
            given = heads["expires_at"]
            shown["expires_at"] = None if None in given else max(given)
        if "accessed_at" in heads:
            shown["accessed_at"] = max(heads["accessed_at"])
        if "life" in heads:
            plain = [{k: v for k, v in life.items() if k not in ("by", "seen")}
                     for life in heads["life"]]  # fmt: skip
            lives = [self.life(value, shown.get("expires_at")) for value in plain]
            best = max(LIVES.index(value["is"]) for value in lives)
            shown["life"] = next(v for v in lives if LIVES.index(v["is"]) == best)
        return shown

    @staticmethod
    def life(value: Any, expires_at: int | None) -> Any:
        """A life that ran out is not over if the time it had was made longer."""
        ran_out = value["is"] == "archived" and value["reason"] == "ttl_expired"
        if ran_out and (expires_at is None or expires_at > value["expires_at"]):
            return {"is": "live"}
        return value

    def hash(self) -> bytes:
        """What a node's record must hash to: everything that can be seen, in one spelling."""
        heads = {name: [list(one) for one in found] for name, found in self.heads().items()}
        tags = {tag: sorted(adds) for tag, adds in self.tags().items()}
        totals = self.totals()
        if not (heads or tags or totals or self.purged):
            return NOTHING
        types = [str(body.get("type", "")) for body in self.bodies().values()]
        visible = [self.record_id, max(types, default=""), self.purged, heads, tags, totals]
        spelled = json.dumps(visible, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return sha256(spelled.encode()).digest()
