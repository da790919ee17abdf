"""What one caller may see of the memories: the same rule as SQL and as a question about one row.

Two kinds of bound, apart from each other. A place bounds memories by their scope: someone who
stands in a/b/c sees what is private to exactly there, what is a team's at or below a/b, a unit's
and an org's at or below a, and what is everybody's. A message is seen by whom it is for and by its
sender, whatever its scope says. What one has written oneself is always seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any, Final

from aimem_node.store.rows import MemoryRow

MESSAGES: Final = "_messages"
"""Below it every agent has an inbox, named after it."""
INBOX_CHARS_MAX: Final = 128
_INBOX: Final = re.compile(rf"[A-Za-z0-9_:@.~\-]{{1,{INBOX_CHARS_MAX}}}", re.ASCII)
_NO_INBOX: Final = "*[^A-Za-z0-9_:@.~-]*"
"""The same for SQLite's GLOB: what holds a character that no inbox has."""
_INBOX_SQL: Final = f"substr(m.namespace, {len(MESSAGES) + 2})"


@dataclass(frozen=True, slots=True)
class Inboxes:
    """Whose messages a caller may read, by the names of inboxes."""

    names: tuple[str, ...]
    "These in any case: the caller's own name, and the agents that it is bound to."
    pattern: str = ""
    "And any other that is like this, with * and ?, unless it is one of the following."
    taken: tuple[str, ...] = ()
    "Names of agents that are registered to others."
    reserved: tuple[str, ...] = ()
    "Words that no name may be, nor begin with before a colon."

    def holds(self, name: str) -> bool:
        """Whether the inbox of this name may be read."""
        if name in self.names:
            return True
        return (
            _INBOX.fullmatch(name) is not None
            and fnmatchcase(name, self.pattern)
            and name not in self.taken
            and name.lower().partition(":")[0] not in self.reserved
        )

    def condition(self) -> tuple[str, list[Any]]:
        """The same as SQL."""
        word = (
            f"lower(CASE instr({_INBOX_SQL}, ':') WHEN 0 THEN {_INBOX_SQL}"
            f" ELSE substr({_INBOX_SQL}, 1, instr({_INBOX_SQL}, ':') - 1) END)"
        )
        sql = (
            f"({_INBOX_SQL} IN ({_marks(self.names)}) OR ({_INBOX_SQL} GLOB ?"
            f" AND length({_INBOX_SQL}) BETWEEN 1 AND {INBOX_CHARS_MAX}"
            f" AND {_INBOX_SQL} NOT GLOB '{_NO_INBOX}'"
            f" AND {_INBOX_SQL} NOT IN ({_marks(self.taken)})"
            f" AND {word} NOT IN ({_marks(self.reserved)})))"
        )
        return sql, [*self.names, self.pattern, *self.taken, *self.reserved]


@dataclass(frozen=True, slots=True)
class Sight:
    """What one caller sees. No sight at all, None where one could be given, is all there is."""

    place: str = ""
    "The namespace it stands in; empty: no bounds."
    own: tuple[str, ...] = ()
    """Principals, as author@node: what these have written is seen whatever its scope is. An author
    is only a name on the node that wrote, unless it is given in full already."""
    inboxes: Inboxes | None = None
    "None: every message."
    narrowed_to: str = ""
    "And no more than anyone sees who stands here, whoever wrote it; empty: no more bounds."

    def narrowed(self, place: str) -> Sight:
        """No more than this, and no more than someone would see who stands there."""
        assert not self.narrowed_to
        return replace(self, narrowed_to=place)

    @property
    def narrows(self) -> bool:
        """Whether much may be out of sight. Messages are few."""
        return bool(self.place or self.narrowed_to)

    def sees(self, row: MemoryRow) -> bool:
        """Whether this memory is seen."""
        if self.narrowed_to and not _shown_at(self.narrowed_to, row):
            return False
        # What was approved for somebody names them in full: it may be written on another node.
        if row.author in self.own or f"{row.author}@{row.write_id.partition('.')[0]}" in self.own:
            return True
        if lies_below(row.namespace, MESSAGES):
            return self.inboxes is None or self.inboxes.holds(row.namespace[len(MESSAGES) + 1 :])
        return not self.place or _shown_at(self.place, row)

    def condition(self, *, messages: bool = True) -> tuple[str, list[Any]]:
        """The same as SQL over `memory m`, with its bindings; empty where it bounds nothing.

        Without `messages` there are none among the rows that are asked about.
        """
        parts: list[str] = []
        values: list[Any] = []
        if self.narrowed_to:
            sql, values = _shown_at_sql(self.narrowed_to)
            parts.append(sql)
        seen: list[tuple[str, list[Any]]] = []
        if self.place:
            seen.append(_shown_at_sql(self.place))
        elif messages and self.inboxes is not None:
            seen.append(("1", []))
        if messages and seen:
            of_inbox, bound = ("1", []) if self.inboxes is None else self.inboxes.condition()
            sql, said = seen.pop()
            within, place = below_sql(MESSAGES)
            seen.append(
                (f"CASE WHEN {within} THEN {of_inbox} ELSE {sql} END", place + bound + said)
            )
        if seen:
            sql, said = seen[0]
            own, whose = self._own_sql()
            # What is its own is looked for last: it alone reads who wrote a memory, and where.
            parts.append(f"({sql} OR {own})")
            values += said + whose
        return " AND ".join(parts), values

    def _own_sql(self) -> tuple[str, list[Any]]:
        parts, values = ["0"], []
        for principal in self.own:
            author, _, node_id = principal.rpartition("@")
            parts.append("(m.author = ? AND substr(m.write_id, 1, ?) = ?) OR m.author = ?")
            values += [author, len(node_id) + 1, f"{node_id}.", principal]
        return " OR ".join(parts), values


def lies_below(namespace: str, place: str) -> bool:
    """Whether a namespace is this one, or below it."""
    return namespace == place or namespace.startswith(place + "/")


def below_sql(place: str) -> tuple[str, list[Any]]:
    """The same as SQL. '0' is the character after '/': the range holds what begins with the name
    and a slash."""
    sql = "(m.namespace = ? OR (m.namespace >= ? AND m.namespace < ?))"
    return sql, [place, place + "/", place + "0"]


def _reach(place: str) -> tuple[str, str, str]:
    """From where on downwards what is a team's, a unit's and an org's is seen from a place."""
    parts = place.split("/")
    up: Callable[[int], str] = lambda steps: "/".join(parts[: max(1, len(parts) - steps)])  # noqa: E731
    return up(1), up(2), parts[0]


def _shown_at(place: str, row: MemoryRow) -> bool:
    team, unit, org = _reach(place)
    match row.scope:
        case "collective":
            return True
        case "private":
            return row.namespace == place
        case "team":
            return lies_below(row.namespace, team)
        case "unit":
            return lies_below(row.namespace, unit)
        case "org":
            return lies_below(row.namespace, org)
        case _:  # of a later version: who knows for whom it is
            return False


def _shown_at_sql(place: str) -> tuple[str, list[Any]]:
    parts = ["WHEN 'collective' THEN 1", "WHEN 'private' THEN m.namespace = ?"]
    values: list[Any] = [place]
    for scope, top in zip(("team", "unit", "org"), _reach(place), strict=True):
        sql, bound = below_sql(top)
        parts.append(f"WHEN '{scope}' THEN {sql}")
        values += bound
    return f"CASE m.scope {' '.join(parts)} ELSE 0 END", values


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))
