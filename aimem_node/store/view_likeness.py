"""What a view tells of memories that say the same, or speak of the same."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Final

from aimem_node.store.fulltext import Term, look_up
from aimem_node.store.listing import Filter, conditions
from aimem_node.store.rows import MEMORY_SELECT, MemoryRow, memory_row
from aimem_node.store.sameness import fingerprint, is_same
from aimem_node.store.view_base import ViewBase
from aimem_node.store.words import quoted

ROWS_READ_MAX: Final = 2_000
"""Rows of the words that a text may share, all words added up: 1 us each, and 1 us more where
few of them are wanted."""
COLLIDING_MAX: Final = 50
"""Memories with one fingerprint that are compared. Two texts share one by somebody's art only."""


class LikenessView(ViewBase):
    """See the module."""

    def marks(self, rid: int) -> tuple[int, str] | None:
        """What a memory is looked up by: fingerprint and topic."""
        row = self._connection.execute(
            "SELECT fingerprint, topic FROM memory WHERE rid = ?", (rid,)
        ).fetchone()
        return None if row is None else (row[0], row[1])

    def saying(self, title: str, content: str, wanted: Filter, limit: int) -> list[MemoryRow]:
        """Live memories wanted that are this text but for case, spacing and the like, the first
        written first."""
        assert wanted.life == "live", "others are in no index of fingerprints"
        where, values = conditions(wanted, probe=True)
        rows = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM memory m INDEXED BY memory_by_fingerprint"  # noqa: S608
            f" WHERE m.fingerprint = ? AND {where} ORDER BY m.lamport, m.write_id LIMIT ?",
            (fingerprint(title, content), *values, max(limit, COLLIDING_MAX)),
        )
        found = [memory_row(columns) for columns in rows]
        asked = title, content
        return [row for row in found if is_same((row.title, row.content), asked)][:limit]

    def on_topic(self, topic: str, wanted: Filter, limit: int) -> list[MemoryRow]:
        """Live memories wanted of one topic, normalised, the last written first."""
        assert wanted.life == "live", "others are in no index of topics"
        where, values = conditions(wanted, probe=True)
        rows = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM memory m INDEXED BY memory_by_topic"  # noqa: S608
            f" WHERE m.topic = ? AND {where} ORDER BY m.lamport DESC, m.write_id DESC LIMIT ?",
            (topic, *values, limit),
        )
        return [memory_row(columns) for columns in rows]

    def shared_topics(self, wanted: Filter, limit: int) -> list[str]:
        """Topics that several live memories have, in alphabetical order: looked for in the index
        alone, so of all that is wanted only the place counts."""
        place = Filter(namespaces=wanted.namespaces, below=wanted.below, but_below=wanted.but_below)
        where, values = conditions(place)
        rows = self._connection.execute(
            "SELECT m.topic FROM memory m INDEXED BY memory_by_topic"  # noqa: S608
            f" WHERE {where} GROUP BY m.topic HAVING count(*) > 1 LIMIT ?",
            (*values, limit),
        )
        return [topic for (topic,) in rows]

    def sharing(self, terms: Sequence[Term], wanted: Filter, limit: int) -> list[MemoryRow]:
        """Live memories wanted that share words with a text, those first that share the rarest and
        the most. Only words are looked for that few memories hold, ROWS_READ_MAX in all: whoever
        shares none of these shares nothing that tells."""
        assert wanted.life == "live", "others are in no index of words"
        weights: dict[int, float] = {}
        rows_left = ROWS_READ_MAX
        for term in sorted((term for term in terms if term.rows), key=lambda term: term.rows):
            rows_left -= term.rows
            if rows_left < 0:
                break
            weight = 1 / math.log2(1 + term.rows)
            for (rid,) in self._connection.execute(
                "SELECT rowid FROM memory_fts WHERE memory_fts MATCH ?",
                (quoted([term.word], "OR"),),
            ):
                weights[rid] = weights.get(rid, 0.0) + weight
        best = sorted(weights, key=lambda rid: (-weights[rid], -rid))
        where, values = conditions(wanted, probe=True)
        rows = self._connection.execute(
            f"SELECT {MEMORY_SELECT} FROM json_each(?) j CROSS JOIN memory m ON m.rid = j.value"  # noqa: S608
            f" WHERE {where} ORDER BY j.key LIMIT ?",
            (json.dumps(best), *values, limit),
        )
        return [memory_row(columns) for columns in rows]

    def terms(self, words: Sequence[str]) -> list[Term]:
        """How many live memories hold each word. Of words with one stem only the first is told."""
        return look_up(self._connection, list(words))
