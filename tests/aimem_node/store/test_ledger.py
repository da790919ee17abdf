"""Numbers are held back until the end of a group, and are right for whoever asks before that."""

import pytest

from aimem_sync.digest import Digest


def test_a_session_knows_its_own_numbers_before_the_file_does(bench, pen) -> None:
    bench.put(pen.memory("m1"))

    def job(session):
        before = session.head(bench.pen.origin)
        op = bench.pen.op(session, pen.memory("m2"))
        session.take(op)
        in_file = session._connection.execute("SELECT have FROM origin").get
        assert (before.seq, in_file) == (1, 1), "the row is written at the end of the group"
        assert session.head(op.origin).chain == op.chain
        assert session.heads()[op.origin].seq == session.have().get(op.origin) == 2
        assert session.lamport() == op.lamport
        assert session.last_pos() == 2
        return session.digest()

    said = bench.do(job)
    assert bench.see(lambda view: view.digest()) == said != Digest()
    assert bench.see(lambda view: view.heads()) == bench.do(lambda session: session.heads())
    assert bench.see(lambda view: view.lamport()) == 2


def test_a_job_that_fails_takes_its_numbers_with_it(bench, other, pen) -> None:
    bench.put(pen.memory("m1"))
    other.put(pen.memory("m2"))
    (theirs,) = [placed.op for placed in other.see(lambda view: view.ops_after(0, 10))]

    def fails(session):
        session.take(theirs)
        bench.pen.write(session, pen.memory("m3"))
        raise LookupError("changed my mind")

    def numbers(session):
        return session.heads(), session.lamport(), session.last_pos(), session.digest()

    before = bench.do(numbers)
    first = bench.store.writer.submit(lambda session: bench.pen.write(session, pen.memory("m4")))
    failed = bench.store.writer.submit(fails)
    first.result(30)
    with pytest.raises(LookupError):
        failed.result(30)
    now = bench.do(numbers)
    assert (now[0][bench.pen.origin].seq, now[2]) == (2, before[2] + 1)
    bench.do(lambda session: session.take(theirs))
    bench.again()
    assert bench.do(numbers)[0].keys() == {bench.pen.origin, theirs.origin}
    assert bench.store.verify(deep=True).problems == []


def test_a_restart_goes_on_where_the_numbers_stood(bench, pen) -> None:
    bench.put(pen.memory("m1"), pen.memory("m2"))
    bench.again()
    bench.put(pen.memory("m3"))
    rows = bench.see(lambda view: view._connection.execute("SELECT rid FROM record").fetchall())
    assert rows == [(1,), (2,), (3,)]
    assert bench.store.verify(deep=True).problems == []
