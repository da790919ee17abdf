"""Rows of a record are written together, whatever became of it."""

from aimem_sync.change import Change
from tests.aimem_node.store.scribes import Scribe


def test_what_was_looked_for_in_vain_is_found_once_it_is_there(bench, pen) -> None:
    def job(session):
        assert session.state("m1") is None
        assert session.state("m1") is None
        bench.pen.write(session, pen.memory("m1"))
        return session.state("m1")

    assert bench.do(job).type == "memory"


def test_a_record_that_was_taken_back_is_absent_again(bench, pen) -> None:
    def fails(session):
        bench.pen.write(session, pen.memory("m1"))
        assert session.state("m1") is not None
        raise LookupError

    done = [
        bench.store.writer.submit(lambda session: session.state("m1")),
        bench.store.writer.submit(fails),
        bench.store.writer.submit(lambda session: session.state("m1")),
    ]
    assert done[0].result(30) is None
    assert isinstance(done[1].exception(30), LookupError)
    assert done[2].result(30) is None
    bench.put(pen.memory("m1"))
    assert bench.store.verify(deep=True).problems == []


def test_rows_go_when_a_record_becomes_another_type(bench, pen) -> None:
    bench.put(pen.memory("m1", tags=["x"]), pen.link("l1", "m1", "m2"))
    scribe = Scribe("c")
    scribe.lamport = 10
    for record_id in ("m1", "l1"):
        op = scribe.write(Change(record_id, "note", {"life": {"is": "live"}}), "")
        bench.do(lambda session, op=op: session.take(op))
    # "note" comes after "memory" and "link" in the alphabet, and the last type is the one.
    assert bench.see(lambda view: view.memory("m1")) is None
    assert bench.see(lambda view: view.link("l1")) is None
    assert bench.store.verify(deep=True).problems == []


def test_many_records_are_renewed_at_once(bench, pen) -> None:
    bench.put(*(pen.memory(f"m{at}", tags=["x"]) for at in range(9)))
    scribe = Scribe("c")
    scribe.states = {f"m{at}": bench.see(lambda v, at=at: v.state(f"m{at}")) for at in range(9)}
    scribe.lamport = 20
    changes = [Change(f"m{at}", "memory", {"priority": at}, tag=("y",)) for at in range(9)]
    ops = [scribe.write(change, "") for change in changes]
    bench.do(lambda session: session.take_run(ops))
    rows = bench.see(lambda view: view.memories([f"m{at}" for at in range(9)]))
    assert [row.priority for row in rows] == list(range(9))
    assert {row.tags for row in rows} == {("x", "y")}
    assert {row.written_id for row in rows} == {str(op.dot) for op in ops}
    assert bench.store.verify(deep=True).problems == []
