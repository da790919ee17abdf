"""Names are made from records, so they come, go and are mended with these."""

import pytest

from aimem_node.store.listing import Filter
from aimem_sync.change import Change


def entity(pen, record_id: str, name: str, **more):
    return pen.memory(record_id, name, metadata={"kind": "entity"}, tags=["entity"], **more)


def aliases(record_id: str, *names: str, untag: tuple[str, ...] = ()) -> Change:
    return Change(f"entity:{record_id}", "entity", tag=names, untag=untag)


def called(bench, name: str) -> list[str]:
    rows = bench.see(lambda view: view.entities_called(name, Filter(), 9))
    return [row.record_id for row in rows]


@pytest.fixture
def full(bench, pen):
    bench.put(
        entity(pen, "e1", "Big Blue"), aliases("e1", "IBM", "ibm", "I"), pen.memory("m1", "IBM")
    )
    return bench


def test_an_alias_given_twice_in_two_spellings_stays_twice_and_names_one(full) -> None:
    assert called(full, "ibm") == ["e1"]
    assert full.see(lambda view: view.aliases_of(["e1", "m1"])) == {"e1": ("I", "IBM", "ibm")}


def test_aliases_that_two_nodes_gave_at_once_both_stay(full, other, pen) -> None:
    ops = full.see(lambda view: [placed.op for placed in view.ops_after(0, 99)])
    other.do(lambda session: session.take_run(ops))
    full.put(aliases("e1", "here", untag=("I",)))
    other.put(aliases("e1", "there"))
    for one, two in ((full, other), (other, full)):
        ops = one.see(lambda view: [placed.op for placed in view.ops_after(0, 99)])
        two.do(lambda session, ops=ops: session.take_run(ops))
    for bench in (full, other):
        told = bench.see(lambda view: view.aliases_of(["e1"]))
        assert told == {"e1": ("IBM", "here", "ibm", "there")}
        assert bench.store.verify(deep=True).problems == []


def test_what_is_no_entity_any_more_has_no_names(full, pen) -> None:
    full.put(Change("e1", "memory", untag=("entity",)))
    assert called(full, "big blue") == called(full, "ibm") == []
    full.put(Change("e1", "memory", tag=("entity",)))
    assert called(full, "ibm") == ["e1"]
    full.put(pen.delete("e1"))
    assert called(full, "ibm") == []
    full.put(pen.purge("entity:e1"))
    assert full.see(lambda view: view.name_rows("entity:e1")) == ()


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("DELETE FROM entity_name WHERE spelling = 'I'", "the names in entity:e1"),
        ("UPDATE entity_name SET folded = 'x' WHERE spelling = 'Big Blue'", "the names in e1"),
        ("UPDATE entity_name SET record_id = 'ghost' WHERE spelling = 'I'", "the names of ghost"),
        ("UPDATE link SET changed_us = 0", "row of link l1"),
        ("UPDATE link SET start_given = 1", "row of link l1"),
    ],
)
def test_what_was_damaged_is_found_and_made_again(full, pen, damage: str, problem: str) -> None:
    full.put(pen.link("l1", "e1", "m1"))
    full.do(lambda session: session._connection.execute(damage))
    assert any(problem in one for one in full.store.verify().problems)
    assert full.store.repair() != []
    assert full.store.verify(deep=True).problems == []
    assert called(full, "big blue") == called(full, "i") == ["e1"]


def test_entities_are_listed_by_their_names_and_no_alias_makes_one_twice(full, pen) -> None:
    full.put(entity(pen, "e2", "apple"), entity(pen, "e3", "Cisco"), aliases("e3", "zzz"))
    seen, after = [], None
    while True:
        rows, after = full.see(lambda view, at=after: view.list_entities(Filter(), at, 1))
        seen += [row.title for row in rows]
        if after is None:
            break
    assert seen == ["apple", "Big Blue", "Cisco"]
