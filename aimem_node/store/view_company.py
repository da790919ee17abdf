"""What a view tells of the memories around some: who stands before and after, and who said it.

Memories of one namespace, source and session are a thread: a conversation, a document, a working
day. What was stored just before and just after says what a short memory is about.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from aimem_node.store.gathering import Asked, Gathered, asked, gather
from aimem_node.store.listing import Filter, conditions
from aimem_node.store.view_base import ViewBase

Thread: TypeAlias = tuple[str, str, str]
"""Namespace, source, session."""

THREAD_READ_MAX: Final = 300
"""Memories of one thread that are read at once; around each of a longer one it is looked."""
APART_US_MAX: Final = 3_600_000_000
"""Where no session is named, what was stored more than an hour apart has nothing to do with it."""
TAIL_CHARS: Final = 12


class Light(NamedTuple):
    """A memory without its text."""

    rid: int
    record_id: str
    thread: Thread
    agent_id: str
    created_us: int
    happened_us: int | None
    tier: str
    priority: int
    confidence: float
    lamport: int
    ending: str
    "The last characters of the text."
    is_wanted: bool
    "Whether the filter wants it, and not only its neighbour."

    @property
    def namespace(self) -> str:
        return self.thread[0]


class Around(NamedTuple):
    """What stands beside a memory in its thread, the nearest first."""

    before: tuple[int, ...]
    after: tuple[int, ...]


class CompanyView(ViewBase):
    """See the module."""

    def asked(self, text: str, also: Sequence[str] = ()) -> Asked:
        """What a question asks for. See gathering."""
        return asked(self._connection, text, also)

    def gather(self, question: Asked, wanted: Filter, limit: int) -> Gathered:
        """Candidates by words. See gathering."""
        return gather(self._connection, question, wanted, limit)

    def lights(self, rids: Iterable[int], wanted: Filter) -> dict[int, Light]:
        """Those of these live memories that the filter's caller sees."""
        seen, seen_values = conditions(Filter(now_us=wanted.now_us, sight=wanted.sight), probe=True)
        where, values = conditions(wanted, probe=True)
        rows: Iterable[tuple[Any, ...]] = self._connection.execute(
            "SELECT m.rid, m.record_id, m.namespace, m.source, m.session, m.agent_id, m.created_us,"  # noqa: S608
            " m.happened_us, m.tier, m.priority, m.confidence, m.lamport,"
            f" substr(m.content, -{TAIL_CHARS}), {where}"
            f" FROM json_each(?) j CROSS JOIN memory m ON m.rid = j.value WHERE {seen}",
            (*values, json.dumps(list(rids)), *seen_values),
        )
        return {
            rid: Light(rid, record_id, (namespace, source, session), *rest)
            for rid, record_id, namespace, source, session, *rest in rows
        }

    def around(self, lights: Mapping[int, Light], each_way: int) -> dict[int, Around]:
        """Up to so many memories before and after each, whoever may see them."""
        threads: dict[Thread, list[Light]] = defaultdict(list)
        for light in lights.values():
            threads[light.thread].append(light)
        found: dict[int, Around] = {}
        for thread, members in threads.items():
            line = self._line(thread, members) if len(members) > 1 else None
            if line is None:
                for light in members:
                    found[light.rid] = self._beside(light, each_way)
            else:
                found |= _cut(line, members, each_way)
        return found

    def _line(self, thread: Thread, members: Sequence[Light]) -> list[tuple[Any, ...]] | None:
        """A thread from its first to its last, with some more at both ends; None if it is long."""
        within, values = _within(thread, members)
        rows: list[tuple[Any, ...]] = self._connection.execute(
            f"{_SELECT} WHERE {_IN_THREAD}{within} ORDER BY m.created_us, m.rid LIMIT ?",
            (*thread, *values, THREAD_READ_MAX + 1),
        ).fetchall()
        return None if len(rows) > THREAD_READ_MAX else rows

    def _beside(self, light: Light, each_way: int) -> Around:
        within, values = _within(light.thread, (light,))
        sides = [
            f"SELECT * FROM (SELECT {side}, m.rid{_FROM} WHERE {_IN_THREAD}{within}"  # noqa: S608
            f" AND (m.created_us, m.rid) {sign} (?, ?)"
            f" ORDER BY m.created_us {way}, m.rid {way} LIMIT ?)"
            for side, sign, way in ((0, "<", "DESC"), (1, ">", "ASC"))
        ]
        asked = (*light.thread, *values, light.created_us, light.rid, each_way)
        rows: list[tuple[Any, ...]] = self._connection.execute(
            " UNION ALL ".join(sides), asked * 2
        ).fetchall()
        return Around(
            tuple(rid for side, rid in rows if side == 0),
            tuple(rid for side, rid in rows if side == 1),
        )


_FROM: Final = " FROM memory m INDEXED BY memory_by_thread"
_SELECT: Final = f"SELECT m.created_us, m.rid{_FROM}"
_IN_THREAD: Final = "m.life = 'live' AND m.namespace = ? AND m.source = ? AND m.session = ?"


def _within(thread: Thread, members: Sequence[Light]) -> tuple[str, tuple[Any, ...]]:
    if thread[2]:
        return "", ()
    times = [light.created_us for light in members]
    bounds = (min(times) - APART_US_MAX, max(times) + APART_US_MAX)
    return " AND m.created_us BETWEEN ? AND ?", bounds


def _cut(
    line: Sequence[tuple[Any, ...]], members: Sequence[Light], each_way: int
) -> dict[int, Around]:
    places = {rid: at for at, (_, rid) in enumerate(line)}
    found: dict[int, Around] = {}
    for light in members:
        at = places.get(light.rid)
        if at is None:
            continue  # it is not live any more
        far = None if light.thread[2] else APART_US_MAX
        before = reversed(line[max(0, at - each_way) : at])
        after = line[at + 1 : at + 1 + each_way]
        found[light.rid] = Around(
            tuple(rid for us, rid in before if far is None or light.created_us - us <= far),
            tuple(rid for us, rid in after if far is None or us - light.created_us <= far),
        )
    return found
