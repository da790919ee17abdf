"""Many ops at once make the same rows as one after the other, in any cut."""

import random
from itertools import zip_longest

import pytest

from aimem_node.store.store import Store
from aimem_sync.cursor import Cursor
from aimem_sync.faults import Gap
from tests.aimem_node.store.scribes import history, whole, words


@pytest.fixture
def fresh_store(tmp_path):
    opened = []

    def make(name: str) -> Store:
        opened.append(Store.open(tmp_path / name, lambda _: None, readers=1))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


def rows_of(store) -> dict:
    rows = store.readers.submit(lambda view: {**whole(view), "words": words(view)}).result(30)
    # How far the scrubbing after a purge has come is a matter of time.
    rows["meta"] = [row for row in rows["meta"] if row["k"] != "unscrubbed"]
    return rows


def differing(one, other) -> list:
    """Pairs of rows that are not the same."""
    a, b = rows_of(one), rows_of(other)
    return [
        (table, *pair) for table in a for pair in zip_longest(a[table], b[table])
        if pair[0] != pair[1]
    ]  # fmt: skip


@pytest.mark.parametrize("seed", range(25))
def test_a_run_makes_the_same_rows_as_its_ops_one_by_one(fresh_store, seed) -> None:
    chance = random.Random(seed)
    collecting = chance.random() < 0.5
    # Of a record with withheld bodies nothing is collected, and a run knows of them sooner.
    ops = history(seed, 120, withheld=0.0 if collecting else 0.03)
    one_by_one, in_runs = fresh_store("one"), fresh_store("runs")

    def each(session, some):
        session.settled = session.have() if collecting else None
        for op in some:
            session.take(op)

    def together(session, some):
        session.settled = session.have() if collecting else None
        session.take_run(some)

    at = 0
    while at < len(ops):
        some = ops[at : at + chance.choice([1, 2, 7, 40, 100])]
        at += len(some)
        one_by_one.writer.submit(lambda s, some=some: each(s, some)).result(30)
        in_runs.writer.submit(lambda s, some=some: together(s, some)).result(30)
    assert differing(one_by_one, in_runs) == []
    problems = [p for p in in_runs.verify(deep=True).problems if "is missing" not in p]
    assert problems == []


@pytest.mark.parametrize("seed", range(4))
def test_ops_that_are_held_already_are_passed_over_wherever_they_stand_in_a_run(
    fresh_store, seed
) -> None:
    ops = history(seed, 60)
    once, twice = fresh_store("once"), fresh_store("twice")
    once.writer.submit(lambda session: session.take_run(ops)).result(30)
    twice.writer.submit(lambda session: session.take_run(ops[:30])).result(30)
    twice.writer.submit(lambda session: session.take_run([*ops, *ops[:5]])).result(30)
    assert differing(once, twice) == []


def test_a_run_with_a_gap_leaves_nothing_of_itself_behind(fresh_store) -> None:
    ops = history(1, 60)
    store, same = fresh_store("gap"), fresh_store("same")
    missing = next(op for op in ops if op.seq == 5)
    cut = [op for op in ops if op is not missing]
    with pytest.raises(Gap):
        store.writer.submit(lambda session: session.take_run(cut)).result(30)
    for one in (store, same):
        one.writer.submit(lambda session: session.take_run(ops)).result(30)
    assert differing(store, same) == []


def test_a_failed_run_between_two_others_changes_no_number_of_theirs(fresh_store) -> None:
    ops = history(2, 90)
    store, same = fresh_store("broken"), fresh_store("same")
    held = []
    # One group: the failing job stands between two that succeed.
    store.writer.submit(lambda session: held.append(session.last_pos()))
    futures = [
        store.writer.submit(lambda session: session.take_run(ops[:40])),
        store.writer.submit(lambda session: session.take_run([*ops[40:60], ops[-1], ops[-1]])),
        store.writer.submit(lambda session: session.take_run(ops[40:])),
    ]
    assert [type(future.exception(30)) for future in futures][1:] == [Gap, type(None)]
    same.writer.submit(lambda session: session.take_run(ops)).result(30)
    assert differing(store, same) == []


def test_a_record_with_a_withheld_body_is_not_collected(bench, other, pen) -> None:
    from dataclasses import replace

    other.put(pen.memory("m1", "first"))
    other.put(pen.edit("m1", priority=9))
    other.put(pen.edit("m1", priority=8))
    first, second, third = (placed.op for placed in other.see(lambda view: view.ops_after(0, 10)))

    def take(session):
        session.settled = Cursor({other.pen.origin: 3})
        session.take_run([first, replace(second, body=None), third])

    bench.do(take)
    kept = bench.see(lambda view: view.state("m1"))
    assert ("priority", first.dot) not in kept.overwritten
    assert ("priority", second.dot) in kept.overwritten, "it would show again when its body comes"
    assert bench.do(lambda session: session.mend(second))
    assert bench.see(lambda view: view.memory("m1")).priority == 8
    assert bench.store.verify(deep=True).problems == []
