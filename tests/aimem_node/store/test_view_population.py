"""The counts of live memories follow the memories, however those change."""

from dataclasses import replace
from typing import Any

import apsw
from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.store.listing import Filter, conditions
from aimem_node.store.schema import MIGRATIONS, migrate
from aimem_node.store.sight import Sight
from aimem_node.store.view import View

STEPS = st.lists(
    st.tuples(
        st.integers(1, 6), st.sampled_from(["a", "a/b", "ab"]), st.sampled_from(["x", "y"]),
        st.sampled_from(["live", "archived", "deleted", "gone"]),
    ),
    max_size=25,
)  # fmt: skip
TEXTS = (
    "title",
    "tier",
    "scope",
    "archive_reason",
    "write_id",
    "author",
    "session",
    "source",
    "content",
)
NUMBERS = (
    "priority",
    "confidence",
    "created_us",
    "updated_us",
    "access_count",
    "lamport",
    "conflicts",
)


def put(connection: apsw.Connection, rid: int, namespace: str, agent: str, life: str) -> None:
    if life == "gone":
        connection.execute("DELETE FROM memory WHERE rid = ?", (rid,))
        return
    connection.execute(
        "INSERT OR IGNORE INTO record(rid, record_id, type, born_lamport, born_id, hash, state)"
        " VALUES(?, ?, 'memory', 1, '', x'', x'')",
        (rid, f"m{rid}"),
    )
    row: dict[str, Any] = dict.fromkeys(TEXTS, "") | dict.fromkeys(NUMBERS, 0)
    row |= {"rid": rid, "record_id": f"m{rid}", "namespace": namespace, "agent_id": agent,
            "life": life, "tags": "[]", "metadata": "{}"}  # fmt: skip
    names = ", ".join(row)
    marks = ", ".join("?" * len(row))
    have = connection.execute("SELECT 1 FROM memory WHERE rid = ?", (rid,)).fetchone()
    if have:
        sets = ", ".join(f"{name} = ?" for name in row)
        connection.execute(f"UPDATE memory SET {sets} WHERE rid = ?", (*row.values(), rid))
    else:
        connection.execute(f"INSERT INTO memory({names}) VALUES({marks})", tuple(row.values()))


def fresh() -> apsw.Connection:
    connection = apsw.Connection(":memory:")
    migrate(connection, 0)
    return connection


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_the_counts_are_what_there_is_after_any_changes(steps: list[Any]) -> None:
    connection = fresh()
    view = View(connection)
    state: dict[int, tuple[str, str]] = {}
    for rid, namespace, agent, life in steps:
        put(connection, rid, namespace, agent, life)
        state.pop(rid, None)
        if life == "live":
            state[rid] = (namespace, agent)
    assert view.population_is_right()
    assert view.population() == len(state)
    assert view.population("a") == sum(n in ("a", "a/b") for n, _ in state.values())
    assert view.population("a", "x") == sum(
        n in ("a", "a/b") and agent == "x" for n, agent in state.values()
    )
    assert view.population("", "y") == sum(agent == "y" for _, agent in state.values())


def test_a_file_of_an_earlier_version_is_counted_when_it_is_opened() -> None:
    connection = apsw.Connection(":memory:")
    migrate(connection, 0, MIGRATIONS[:2])
    for rid in range(1, 4):
        put(connection, rid, "a/b", "x", "live")
    put(connection, 4, "a", "x", "archived")
    migrate(connection, 2)
    assert View(connection).population("a") == 3
    assert View(connection).population_is_right()


@settings(deadline=None, max_examples=60)
@given(STEPS, st.sampled_from([(), ("a",), ("a", "ab")]), st.sampled_from(["", "a"]))
def test_counting_by_namespace_is_the_same_as_looking_at_each(
    steps: list[tuple[int, str, str, str]], namespaces: tuple[str, ...], below: str
) -> None:
    connection = fresh()
    put(connection, 99, "_messages/ann", "x", "live")
    for rid, namespace, agent, life in steps:
        put(connection, rid, namespace, agent, life)
        connection.execute(
            "UPDATE memory SET expires_us = ? WHERE rid = ?", (5 if rid % 2 else 50, rid)
        )
    wanted = Filter(namespaces=namespaces, below=below, but_below="_messages", now_us=10)
    where, values = conditions(wanted)
    looked = connection.execute(
        f"SELECT m.namespace, count(*) FROM memory m WHERE {where} GROUP BY 1 ORDER BY 1", values
    )
    assert View(connection).counted_by_namespace(wanted) == dict(looked.fetchall())
    assert View(connection).counted_by_namespace(replace(wanted, tier="long")) is None
    seen = replace(wanted, sight=Sight(place="a"))
    assert View(connection).counted_by_namespace(seen) is None
