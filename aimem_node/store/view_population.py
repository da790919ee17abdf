"""How many live memories there are where, by whom: counted as they change, never by looking."""

from __future__ import annotations

from typing import Any, Final

from aimem_node.store.listing import Filter
from aimem_node.store.sight import below_sql
from aimem_node.store.view_base import ViewBase

_END: Final = "\U0010ffff"
_LIVE: Final = (
    "SELECT coalesce(sum(live), 0) FROM population WHERE namespace >= ?1 AND namespace < ?2"
    " AND (?3 = '' OR agent_id = ?3)"
)
POPULATION_IS: Final = (
    "SELECT namespace, agent_id, live FROM population ORDER BY namespace, agent_id"
)
POPULATION_SHOULD_BE: Final = (
    "SELECT namespace, agent_id, count(*) FROM memory WHERE life = 'live'"
    " GROUP BY namespace, agent_id ORDER BY namespace, agent_id"
)


def _place(wanted: Filter) -> tuple[str, list[Any]]:
    """Where a filter looks, as SQL over `m.namespace`."""
    parts, values = ["1"], list(wanted.namespaces)
    if wanted.namespaces:
        parts.append(f"m.namespace IN ({', '.join('?' * len(wanted.namespaces))})")
    for place, mark in ((wanted.below, ""), (wanted.but_below, "NOT ")):
        if place:
            sql, bound = below_sql(place)
            parts.append(mark + sql)
            values += bound
    return " AND ".join(parts), values


class PopulationView(ViewBase):
    """See the module."""

    def population(self, below: str = "", agent_id: str = "") -> int:
        """Live memories in a namespace and below it (empty: everywhere), of one agent or of all.

        Those whose time is over count until they are collected.
        """
        ranges = [(below, below + "\0"), (below + "/", below + "0")] if below else [("", _END)]
        return sum(int(self._value(_LIVE, *ends, agent_id)) for ends in ranges)

    def scope(self, wanted: Filter) -> int:
        """How many memories the filter's place and agent leave at most; other conditions may leave
        fewer."""
        if not wanted.namespaces:
            return self.population(wanted.below, wanted.agent_id)
        return sum(
            int(self._value(_LIVE, one, one + "\0", wanted.agent_id)) for one in wanted.namespaces
        )

    def counted_by_namespace(self, wanted: Filter) -> dict[str, int] | None:
        """How many of the memories wanted are in which namespace, without looking at any that has
        not ended; None where the filter asks for more than a place."""
        sight = wanted.sight
        plain = Filter(
            namespaces=wanted.namespaces, below=wanted.below, but_below=wanted.but_below,
            now_us=wanted.now_us, sight=sight,
        )  # fmt: skip
        if plain != wanted or (sight and sight.narrows) or not wanted.leaves_out_messages:
            return None
        where, values = _place(wanted)
        found: dict[str, int] = dict(
            self._connection.execute(
                f"SELECT m.namespace, sum(m.live) FROM population m WHERE {where}"  # noqa: S608
                " GROUP BY m.namespace",
                values,
            )
        )
        if wanted.now_us is not None:
            ended = self._connection.execute(
                "SELECT m.namespace, count(*) FROM memory m INDEXED BY memory_by_expiry"  # noqa: S608
                " WHERE m.life = 'live' AND m.expires_us IS NOT NULL AND m.expires_us <= ?"
                f" AND {where} GROUP BY m.namespace",
                (wanted.now_us, *values),
            )
            for namespace, count in ended:
                found[namespace] -= count
        return {namespace: count for namespace, count in sorted(found.items()) if count}

    def population_is_right(self) -> bool:
        """Whether what was counted is what there is."""
        counted = self._connection.execute(POPULATION_IS).fetchall()
        return counted == self._connection.execute(POPULATION_SHOULD_BE).fetchall()
