"""The slow truth: keep every op, and work all out from nothing each time it is asked.

It shares no code with the fold: bodies are read with plain json, dots stay text, and each
question is answered by its definition.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from aimem_sync.op import Op

TIERS = ["short", "mid", "long"]
LIVES = ["deleted", "archived", "live"]


class Model:
    def __init__(self, ops: Iterable[Op] = ()) -> None:
        self.ops: dict[str, Op] = {}
        for op in ops:
            self.take(op)

    def take(self, op: Op) -> None:
        self.ops[f"{op.origin}:{op.seq}"] = op

    @property
    def purged(self) -> bool:
        return any(op.kind == "purge" for op in self.ops.values())

    def bodies(self) -> dict[str, Any]:
        if self.purged:
            return {}
        return {
            dot: json.loads(op.body)
            for dot, op in self.ops.items()
            if op.kind == "edit" and op.body is not None
        }

    def newest_first(self, dots: Iterable[str]) -> list[str]:
        def place(dot: str) -> tuple[int, str, str, int]:
            op = self.ops[dot]
            return (op.lamport, op.origin.node_id, op.origin.incarnation, op.seq)

        return sorted(dots, key=place, reverse=True)

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
        bodies = self.bodies()
        found: dict[str, set[str]] = {}
        for tag in {t for body in bodies.values() for t in body.get("tag", [])}:
            added = {dot for dot, body in bodies.items() if tag in body.get("tag", [])}
            for body in bodies.values():
                added -= set(body.get("untag", {}).get(tag, []))
            if added:
                found[tag] = added
        return found

    def counters(self) -> dict[str, int]:
        highest: dict[tuple[str, str], int] = {}
        for dot, body in self.bodies().items():
            for name, total in body.get("count", {}).items():
                key = (name, dot.split(":")[0])
                highest[key] = max(total, highest.get(key, 0))
        sums: dict[str, int] = {}
        for (name, _), total in highest.items():
            sums[name] = sums.get(name, 0) + total
        return sums

    def shown(self) -> dict[str, Any]:
        heads = {
            register: [value for _, value in found] for register, found in self.heads().items()
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
            lives = [self.life(value, shown.get("expires_at")) for value in heads["life"]]
            best = max(LIVES.index(value["is"]) for value in lives)
            shown["life"] = next(v for v in lives if LIVES.index(v["is"]) == best)
        return shown

    @staticmethod
    def life(value: Any, expires_at: int | None) -> Any:
        ran_out = value["is"] == "archived" and value["reason"] == "ttl_expired"
        if ran_out and (expires_at is None or expires_at > value["expires_at"]):
            return {"is": "live"}
        return value
