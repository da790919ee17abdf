"""How many live memories there are where, by whom: counted as they change, never by looking."""

from __future__ import annotations

from typing import Final

from aimem_node.store.listing import Filter
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

    def population_is_right(self) -> bool:
        """Whether what was counted is what there is."""
        counted = self._connection.execute(POPULATION_IS).fetchall()
        return counted == self._connection.execute(POPULATION_SHOULD_BE).fetchall()
