"""What the log can give is made again; what it cannot is left alone and said."""

from dataclasses import replace

import pytest

from aimem_node.store.listing import Filter
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot
from aimem_sync.faults import ChainFault
from tests.aimem_node.store.scribes import history, whole, words

MADE = ("record", "bucket", "memory", "memory_tag", "link", "origin")


@pytest.fixture
def full(bench, pen):
    bench.put(
        pen.memory("m1", "one", tags=["x"]), pen.memory("m2"), pen.link("l1", "m1", "m2"),
        pen.archive("m2"), pen.memory("m3", "three"), pen.purge("m3"),
    )  # fmt: skip
    bench.put(pen.edit("m1", priority=9), pen=pen("b", "user:bob"))
    return bench


def state_of(bench):
    return bench.see(lambda view: ({t: whole(view)[t] for t in MADE}, words(view)))


def damage(bench, sql):
    bench.do(lambda session: session._connection.execute(sql))
    bench.again()


def test_a_sound_store_is_left_as_it_is(full) -> None:
    before = state_of(full)
    assert full.store.repair() == []
    assert state_of(full) == before


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("UPDATE record SET hash = zeroblob(32) WHERE record_id = 'm1'", "their hash"),
        ("UPDATE record SET state = x'7b' WHERE record_id = 'm1'", "folded again"),
        (
            'UPDATE record SET state = CAST(\'{"type":"memory"}\' AS BLOB)'
            " WHERE record_id = 'm1'",
            "folded again",
        ),
        ("UPDATE record SET born_id = 'x', born_lamport = 9 WHERE record_id = 'm2'", "place"),
        ("UPDATE bucket SET sum = zeroblob(32)", "buckets"),
        ("DELETE FROM bucket", "buckets"),
        ("UPDATE memory SET title = 'other', written_id = '' WHERE record_id = 'm1'", "memories"),
        ("UPDATE memory SET metadata = '{', tags = 'no' WHERE record_id = 'm1'", "memories"),
        ("DELETE FROM memory_tag", "memories"),
        ("DELETE FROM memory_tag; DELETE FROM memory WHERE record_id = 'm1'", "memories"),
        ("UPDATE link SET target_id = 'm9'", "links"),
        ("UPDATE link SET record_id = 'l9'", "rows that no op stands for"),
        ("UPDATE origin SET head = zeroblob(32) WHERE oid = 1", "last hash"),
        (
            "INSERT INTO record(record_id, type, born_lamport, born_id, hash, state)"
            " VALUES('ghost', '', 1, '', zeroblob(32), CAST('{\"type\":\"\"}' AS BLOB))",
            "rows that no op stands for",
        ),
    ],
)
def test_what_was_damaged_is_as_it_was_before(full, sql, line) -> None:
    before = state_of(full)
    damage(full, sql)
    assert full.store.verify(deep=True).problems != []
    lines = full.store.repair()
    assert any(line in one for one in lines), lines
    assert full.store.verify(deep=True).problems == []
    assert state_of(full) == before
    assert full.store.repair() == []


def test_lost_words_are_made_again(full) -> None:
    damage(full, "INSERT INTO memory_fts(memory_fts) VALUES('delete-all')")
    assert full.store.repair() == ["the full-text index was made again"]
    hits = full.see(lambda view: view.search("one", "any", Filter(), 5)).hits
    assert [hit.record_id for hit in hits] == ["m1"]


@pytest.mark.parametrize("seed", range(5))
def test_all_that_is_made_from_a_log_can_be_made_again(bench, seed) -> None:
    ops = history(seed, 100, withheld=0.0)
    bench.do(lambda session: session.take_run(ops))
    before = bench.see(lambda view: (view.digest(), view.counts()))
    rows = bench.see(lambda view: [view.memory(f"m{at}") for at in range(12)])
    damage(bench, "DELETE FROM memory_tag; DELETE FROM memory; DELETE FROM link;"
                  "DELETE FROM record; DELETE FROM bucket")  # fmt: skip
    bench.store.repair()
    assert bench.store.verify(deep=True).problems == []
    assert bench.see(lambda view: (view.digest(), view.counts())) == before
    again = bench.see(lambda view: [view.memory(f"m{at}") for at in range(12)])
    assert [row and replace(row, rid=0) for row in again] == [
        row and replace(row, rid=0) for row in rows
    ]


def test_a_record_is_not_cut_down_to_what_a_broken_log_still_says(full) -> None:
    damage(full, "UPDATE op SET body = x'7b7d' WHERE record_id = 'm1' AND oid = 1")
    title = full.see(lambda view: view.memory("m1")).title
    lines = full.store.repair()
    assert lines == ["1 ops are broken and must come from another member"]
    assert full.see(lambda view: view.memory("m1")).title == title == "one"


def test_a_record_whose_bodies_were_given_up_is_left_as_it_is(full, now_us) -> None:
    full.do(lambda s: s.truncate(Cursor({full.pen.origin: 2}), now_us + 1))
    before = state_of(full)
    assert full.store.repair() == []
    assert state_of(full) == before
    damage(full, "UPDATE record SET state = x'7b' WHERE record_id = 'm1'")
    assert any("cannot be made again" in line for line in full.store.repair())


def test_broken_ops_are_named_and_can_be_put_back_from_elsewhere(full) -> None:
    ops = full.see(lambda view: [p.op for p in view.ops_of_origin(full.pen.origin, 0, 10)])
    before = state_of(full)
    damage(full, "UPDATE op SET body = x'7b7d' WHERE oid = 1 AND seq = 1;"
                 "UPDATE op SET chain = zeroblob(32) WHERE oid = 1 AND seq = 2;"
                 "DELETE FROM op WHERE oid = 1 AND seq = 4;"
                 "UPDATE op SET author = 'eve' WHERE oid = 1 AND seq = 6")  # fmt: skip
    found = full.store.verify()
    assert found.broken == [Dot(full.pen.origin, seq) for seq in (1, 2, 4, 6)]
    assert full.do(lambda s: [s.mend(ops[seq - 1]) for seq in (1, 2, 4, 6)]) == [True] * 4
    assert full.store.verify(deep=True).problems == []
    assert state_of(full) == before


def test_an_op_that_the_log_does_not_speak_of_is_not_put_into_it(full, pen, other) -> None:
    (op,) = full.see(lambda view: [p.op for p in view.ops_of_origin(full.pen.origin, 0, 1)])
    with pytest.raises(ChainFault):
        full.do(lambda s: s.mend(replace(op, author="user:eve")))
    other.put(pen.memory("forged"), pen=full.pen)
    (forged,) = other.see(lambda view: [p.op for p in view.ops_after(0, 1)])
    assert full.do(lambda s: s.mend(forged)) is False
    assert full.see(lambda view: view.memory("forged")) is None


def test_a_body_that_was_withheld_can_come_later(bench, other, pen) -> None:
    other.put(pen.memory("m1", "walrus"), pen.memory("m2"))
    ops = other.see(lambda view: [p.op for p in view.ops_after(0, 10)])
    bench.do(lambda s: s.take_run([replace(ops[0], body=None), ops[1]]))
    assert bench.see(lambda view: view.memory("m1")) is None
    assert bench.do(lambda s: s.mend(ops[0]))
    assert bench.see(lambda view: view.withheld_ops()) == 0
    assert bench.see(lambda view: view.memory("m1")).title == "walrus"
    assert bench.see(lambda view: view.digest()) == other.see(lambda view: view.digest())
    hits = bench.see(lambda view: view.search("walrus", "any", Filter(), 5)).hits
    assert [hit.record_id for hit in hits] == ["m1"]


def test_a_body_never_comes_back_into_a_banned_record(bench, other, pen) -> None:
    other.put(pen.memory("m1", "walrus"))
    (op,) = other.see(lambda view: [p.op for p in view.ops_after(0, 10)])
    bench.do(lambda s: s.take_run([replace(op, body=None)]))
    bench.put(pen.purge("m1"))
    bench.do(lambda s: s.mend(op))
    assert bench.see(lambda view: view.op(op.dot)).body is None
    assert bench.see(lambda view: view.memory("m1")) is None
