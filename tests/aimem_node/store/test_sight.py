"""What is seen is the same whether a query asks or a question about one row."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.contract.formats import RESERVED_AGENTS
from aimem_node.store.listing import Filter
from aimem_node.store.sight import MESSAGES, Inboxes, Sight

NODES = ("1" * 32, "2" * 32)
AUTHORS = ("user:ann", "token:ci", "cert:a@b")
SEGMENTS = ("a", "A", "b", "a-b", "a0", "a.", "é", "_messages", "*")
NAMES = (
    "ai:x",
    "ai:X",
    "ai:xy",
    "user:ann",
    "USER:ann",
    "node",
    "x~y",
    "ai:é",
    "a[b]",
    "",
    "x" * 129,
)

places = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=5).map("/".join)
inboxes = st.sampled_from(NAMES).map(lambda name: f"{MESSAGES}/{name}")
patterns = st.sampled_from(["*", "", "ai:*", "ai:?", "?????", "user:*", "*~*", "ai:x"])
names = st.lists(st.sampled_from(NAMES), max_size=3, unique=True).map(tuple)
principals = st.tuples(st.sampled_from(AUTHORS), st.sampled_from(NODES)).map("@".join)
rows = st.builds(
    SimpleNamespace,
    namespace=places | inboxes | st.just(MESSAGES),
    scope=st.sampled_from(["private", "team", "unit", "org", "collective", "galactic", ""]),
    author=st.sampled_from(AUTHORS) | principals,
    write_id=st.sampled_from(NODES).map(lambda node: f"{node}.{'3' * 16}:7"),
)
sights = st.builds(
    Sight,
    place=st.just("") | places,
    own=st.lists(principals, max_size=2, unique=True).map(tuple),
    inboxes=st.none()
    | st.builds(
        Inboxes, names, patterns, taken=names, reserved=st.just(tuple(sorted(RESERVED_AGENTS)))
    ),
    narrowed_to=st.just("") | places,
)


def selected(sight: Sight, those: list[Any], **how: bool) -> list[int]:
    """The rows that the condition lets through, by their index."""
    connection = apsw.Connection(":memory:")
    connection.execute("CREATE TABLE memory(rid, namespace, scope, author, write_id)")
    connection.executemany(
        "INSERT INTO memory VALUES(?, ?, ?, ?, ?)",
        [(at, r.namespace, r.scope, r.author, r.write_id) for at, r in enumerate(those)],
    )
    sql, values = sight.condition(**how)
    found = connection.execute(
        f"SELECT rid FROM memory m WHERE {sql or '1'} ORDER BY rid",
        values,
    )
    return [rid for (rid,) in found]


@given(sights, st.lists(rows, min_size=1, max_size=12))
@settings(max_examples=400)
def test_the_query_and_the_question_agree(sight: Sight, those: list[Any]) -> None:
    assert selected(sight, those) == [at for at, row in enumerate(those) if sight.sees(row)]


@given(sights, st.lists(rows, min_size=1, max_size=12))
def test_where_there_are_no_messages_the_shorter_query_says_the_same(
    sight: Sight, those: list[Any]
) -> None:
    others = [row for row in those if row.namespace.split("/")[0] != MESSAGES]
    seen = [at for at, row in enumerate(others) if sight.sees(row)]
    assert selected(sight, others, messages=False) == seen


@given(sights, places, rows)
def test_to_narrow_a_sight_never_shows_more(sight: Sight, place: str, row: Any) -> None:
    whole = replace(sight, narrowed_to="")
    assert whole.sees(row) or not whole.narrowed(place).sees(row)


def row(namespace: str, scope: str) -> Any:
    write_id = f"{NODES[1]}.{'3' * 16}:1"
    return SimpleNamespace(namespace=namespace, scope=scope, author="user:bob", write_id=write_id)


@pytest.mark.parametrize(
    ("place", "scope", "seen"),
    [
        ("o/u/t/p", "private", {"o/u/t/p"}),
        ("o/u/t/p", "team", {"o/u/t", "o/u/t/p", "o/u/t/p/x", "o/u/t/q"}),
        ("o/u/t/p", "unit", {"o/u", "o/u/s", "o/u/t", "o/u/t/p", "o/u/t/p/x", "o/u/t/q"}),
        ("o", "private", {"o"}),
        ("o", "team", "below"),
        ("o", "unit", "below"),
        ("o", "org", "below"),
        ("o/u", "team", "below"),
        ("o/u", "unit", "below"),
        ("o/u/t/p", "org", "below"),
        ("o/u/t/p", "collective", "all"),
        ("o/u/t/p", "", set()),
    ],
)
def test_a_place_sees_what_the_scopes_mean(place: str, scope: str, seen: Any) -> None:
    below = ["o", "o/u", "o/u/s", "o/u/t", "o/u/t/p", "o/u/t/p/x", "o/u/t/q", "o/v"]
    everywhere = [*below, "O/u/t/p", "o-/u", "o0", "ou", "x"]
    wanted = (
        {"below": set(below), "all": set(everywhere)}.get(seen, seen)
        if isinstance(seen, str)
        else seen
    )
    sight = Sight(place=place)
    assert {name for name in everywhere if sight.sees(row(name, scope))} == wanted


def test_what_one_wrote_is_seen_and_what_another_node_s_namesake_wrote_is_not() -> None:
    sight = Sight(place="far/away", own=(f"user:bob@{NODES[1]}",))
    assert sight.sees(row("x", "private"))
    assert not Sight(place="far/away", own=(f"user:bob@{NODES[0]}",)).sees(row("x", "private"))
    assert not sight.narrowed("far").sees(row("x", "private")), "nor is it for somebody else's eyes"


@pytest.mark.parametrize(
    ("wanted", "without"),
    [
        (Filter(), False),
        (Filter(but_below=MESSAGES), True),
        (Filter(below="a"), True),
        (Filter(below=MESSAGES), False),
        (Filter(namespaces=("a", "b")), True),
        (Filter(namespaces=("a", f"{MESSAGES}/x")), False),
    ],
)
def test_a_filter_knows_whether_it_can_meet_a_message(wanted: Filter, without: bool) -> None:
    assert wanted.leaves_out_messages == without
