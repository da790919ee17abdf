"""Which memories have changed since a moment, as every row says it and the log does."""

import random
from dataclasses import replace

import pytest

from aimem_node.store.listing import Filter, holds
from aimem_node.store.past import changes_of
from aimem_node.store.sight import Sight
from aimem_node.store.verify import verify
from aimem_sync.change import Change
from aimem_sync.op import Kind
from tests.aimem_node.store.scribes import NOW_US, RECORDS, history


def put(bench, change: Change, at_us: int) -> None:
    bench.do(lambda session: bench.pen.write(session, change, at_us=at_us))


def changed(bench, as_of_us: int, wanted: Filter | None = None, limit: int = 100) -> list[str]:
    found = bench.see(lambda v: v.changed_since(as_of_us, wanted or Filter(), limit))
    return [one.record_id for one in found.names]


def test_what_changed_since_is_told_and_a_recall_is_no_change(bench, pen) -> None:
    for at, record_id in enumerate(("m1", "m2", "m3", "m4")):
        put(bench, pen.memory(record_id), NOW_US + at)
    put(bench, pen.edit("m1", priority=9), NOW_US + 10)
    recall = Change(
        "m2", "memory", {"accessed_at": NOW_US, "expires_at": None}, count={"access": 1}
    )
    put(bench, recall, NOW_US + 11)
    put(bench, pen.delete("m3"), NOW_US + 12)
    put(bench, pen.memory("m5"), NOW_US + 13)
    put(bench, pen.edit("m5", priority=1), NOW_US + 14)
    assert changed(bench, NOW_US + 9) == ["m3", "m1"], "m5 was not known then"
    assert changed(bench, NOW_US + 10) == ["m3"]
    assert changed(bench, NOW_US - 1) == []
    assert changed(bench, NOW_US + 13) == ["m5"]
    assert bench.see(lambda v: v.told_since(["m1", "m2", "m4"], NOW_US + 10)) == {"m2"}
    standing = bench.see(lambda v: v.list_memories(Filter(told_us=NOW_US + 9, life=None))[0])
    assert {row.record_id for row in standing} == {"m2", "m4"}


def test_of_many_those_of_the_place_come_first_and_what_is_out_of_sight_not_at_all(
    bench, pen
) -> None:
    places = ("a", "a/b", "c", "a/b/c", "c")
    for at, namespace in enumerate(places):
        put(bench, pen.memory(f"m{at}", namespace=namespace), NOW_US)
        put(bench, pen.edit(f"m{at}", priority=1), NOW_US + 1 + at)
    assert changed(bench, NOW_US, Filter(namespaces=("a", "c")), 3) == ["m4", "m2", "m0"]
    assert changed(bench, NOW_US, Filter(below="a"), 4) == ["m3", "m1", "m0", "m4"]
    assert changed(bench, NOW_US, Filter(sight=Sight(place="c"))) == ["m4", "m2"]
    for limit, is_all in ((4, False), (5, True)):
        found = bench.see(lambda v, n=limit: v.changed_since(NOW_US, Filter(), n))
        assert (len(found.names), found.is_all) == (limit, is_all)


@pytest.mark.parametrize("seed", range(4))
def test_rows_say_what_the_log_says_in_whatever_order_it_came(bench, seed: int) -> None:
    ops = history(seed, 80)
    half = len(ops) // 2
    bench.do(lambda session: session.take_run(ops[:half]))
    for op in ops[half:]:
        bench.do(lambda session, op=op: session.take(op))

    def told(session):
        rows = session._connection.execute("SELECT record_id, observed_us, changed_us FROM memory")
        return {record_id: (first, last) for record_id, first, last in rows}

    rows = bench.do(told)
    assert rows
    assert rows == {
        record_id: at
        for record_id, at in bench.do(lambda s: changes_of(s._connection, RECORDS)).items()
        if record_id in rows
    }


def test_a_row_that_says_otherwise_is_found_and_mended(bench, pen) -> None:
    put(bench, pen.memory("m1"), NOW_US)
    put(bench, pen.edit("m1", priority=9), NOW_US + 5)
    bench.do(lambda s: s._connection.execute("UPDATE memory SET changed_us = 3"))
    problems = bench.see(lambda view: verify(view, deep=False)).problems
    assert problems == ["memory m1 was not told of when its row says"]
    bench.do(lambda session: session.repair())
    assert bench.see(lambda view: verify(view, deep=True)).problems == []
    assert changed(bench, NOW_US) == ["m1"]


def test_a_body_given_up_for_its_age_leaves_the_row_as_it_was(bench, pen) -> None:
    put(bench, pen.memory("m1"), NOW_US)
    put(bench, Change("m1", "memory", {"accessed_at": 1}, count={"access": 1}), NOW_US + 5)
    bench.do(lambda s: s.truncate(s.have(), NOW_US + 9))
    assert changed(bench, NOW_US) == []
    assert bench.see(lambda view: verify(view, deep=True)).problems == []
    then = bench.see(lambda view: view.known_then(["m1"], NOW_US + 9))
    assert (dict(then.states), then.lost) == ({}, {"m1"})


def test_a_body_that_comes_late_counts_from_when_it_was_written(bench, other, pen) -> None:
    put(bench, pen.memory("m1"), NOW_US)
    ops = bench.see(lambda view: [one.op for one in view.ops_after(0, 9)])
    other.do(lambda session: session.take_run(ops))
    put(bench, pen.edit("m1", priority=9), NOW_US + 5)
    (edit,) = bench.see(lambda view: [one.op for one in view.ops_after(1, 9)])
    assert edit.kind == Kind.EDIT
    other.do(lambda session: session.take(replace(edit, body=None)))
    assert changed(other, NOW_US) == []
    other.do(lambda session: session.mend(edit))
    assert changed(other, NOW_US) == ["m1"]


@pytest.mark.parametrize("seed", range(3))
def test_a_filter_holds_of_a_row_as_it_does_in_the_table(bench, pen, seed: int) -> None:
    chance = random.Random(seed)
    bench.put(
        *[
            pen.memory(
                f"m{at}", namespace=chance.choice(["a", "a/b", "ab", "_messages/x"]),
                tier=chance.choice(["short", "long"]), priority=chance.randrange(1, 4),
                scope=chance.choice(["private", "team", "collective"]),
                tags=chance.sample(["x", "y"], chance.randrange(3)), agent_id=chance.choice("pq"),
                session=chance.choice(["", "s"]), created_at=NOW_US + chance.randrange(4),
                expires_at=chance.choice([None, NOW_US, NOW_US + 9]),
            )
            for at in range(60)
        ]
    )  # fmt: skip
    bench.put(*[pen.archive(f"m{at}") for at in range(9)], pen.delete("m10"), pen.delete("m11"))
    choices = {
        "namespaces": [("a",), ("a", "ab")], "below": ["a", "_messages"],
        "but_below": ["_messages", "a/b"], "tier": ["long"], "tags": [("x",), ("x", "y")],
        "scopes": [("team",)], "agent_id": ["p"], "session": ["s"], "min_priority": [2],
        "since_us": [NOW_US + 2], "until_us": [NOW_US + 1], "now_us": [NOW_US + 1],
        "life": [None, "archived", "deleted"],
        "sight": [Sight(place="a/b"), Sight(narrowed_to="a"), Sight(own=("user:ann",), place="c")],
    }  # fmt: skip
    for _ in range(120):
        some = chance.sample(sorted(choices), chance.randrange(4))
        wanted = Filter(**{name: chance.choice(choices[name]) for name in some})
        rows = bench.see(lambda v, w=wanted: v.list_memories(w, limit=1_000)[0])
        every = [bench.see(lambda v, n=n: v.memory(f"m{n}")) for n in range(60)]
        assert {row.record_id for row in rows} == {r.record_id for r in every if holds(wanted, r)}
