"""Every kind of damage that pages may hide is found."""

import pytest


@pytest.fixture
def full(bench, pen):
    bench.put(
        pen.memory("m1", "one", tags=["x"]), pen.memory("m2"), pen.link("l1", "m1", "m2"),
        pen.archive("m2"),
    )  # fmt: skip
    bench.put(pen.edit("m1", priority=9), pen=pen("b", "user:bob"))
    return bench


def test_a_sound_store_has_no_problems(full) -> None:
    found = full.store.verify(deep=True)
    assert found.problems == []
    assert (found.ops, found.records) == (5, 3)
    assert found.digest == full.see(lambda view: view.digest().root().hex())


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("UPDATE op SET body = x'00' WHERE pos = 2", "is broken at 2"),
        ("UPDATE op SET author = 'user:eve' WHERE pos = 1", "is broken at 1"),
        ("UPDATE op SET prev_chain = zeroblob(32) WHERE pos = 3", "is broken at 3"),
        ("DELETE FROM op WHERE pos = 4", "ends at 3 and should reach 4"),
        ("UPDATE origin SET head = zeroblob(32)", "ends in another op"),
        ("UPDATE record SET hash = zeroblob(32) WHERE record_id = 'm1'", "does not match its hash"),
        ("UPDATE bucket SET sum = zeroblob(32)", "of the digest"),
        ("UPDATE memory SET title = 'other' WHERE record_id = 'm2'", "row of memory m2"),
        ("UPDATE memory SET title = 'other' WHERE record_id = 'm1'", "full-text index"),
        ("DELETE FROM memory_tag", "tags of memory m1"),
        ("UPDATE memory SET written_id = '' WHERE record_id = 'm1'", "row of memory m1"),
        ("UPDATE memory SET tags = '[' WHERE record_id = 'm1'", "row of memory m1"),
        ("UPDATE record SET state = x'7b' WHERE record_id = 'm1'", "record m1 cannot be read"),
        ("UPDATE op SET body = NULL WHERE pos = 1", "is missing, and nobody has erased it"),
        ("DELETE FROM op WHERE pos = 2", "lacks 2 to 2"),
        ("UPDATE link SET target_id = 'm9'", "row of link l1 is not"),
        ("UPDATE link SET record_id = 'l9'", "row of link l9 stands for no record"),
        ("DELETE FROM op WHERE pos = 5; DELETE FROM origin WHERE oid = 2", "the log folds to"),
        (
            "INSERT INTO record(record_id, type, born_lamport, born_id, hash, state)"
            " VALUES('ghost', '', 1, '', zeroblob(32), CAST('{\"type\":\"\"}' AS BLOB))",
            "in no op of the log",
        ),
    ],
)
def test_damage_is_found(full, damage, said) -> None:
    full.do(lambda session: session._connection.execute(damage))
    problems = full.store.verify(deep=True).problems
    assert any(said in problem for problem in problems), problems


def test_the_index_can_be_made_again(full) -> None:
    full.do(
        lambda s: s._connection.execute("INSERT INTO memory_fts(memory_fts) VALUES('delete-all')")
    )
    assert full.store.verify().problems != []
    full.do(lambda session: session.rebuild_index())
    assert full.store.verify(deep=True).problems == []


def test_the_list_of_problems_ends(bench, pen) -> None:
    bench.put(*(pen.memory(f"m{at}") for at in range(300)))
    bench.do(lambda s: s._connection.execute("UPDATE record SET hash = zeroblob(32)"))
    assert len(bench.store.verify().problems) == 101


def test_every_broken_op_is_named_and_no_sound_one(full) -> None:
    full.do(
        lambda s: s._connection.execute(
            "UPDATE op SET wall_us = 1 WHERE pos = 1; UPDATE op SET chain = zeroblob(32)"
            " WHERE pos = 3; DELETE FROM op WHERE pos = 4"
        )
    )
    found = full.store.verify()
    assert [dot.seq for dot in found.broken] == [1, 3, 4]
    assert {dot.origin for dot in found.broken} == {full.pen.origin}
