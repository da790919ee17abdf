"""An answer goes beside its op, and a retry anywhere finds it; a damaged one goes nowhere."""

from dataclasses import replace

import pytest

from aimem_node.store.answers import Answer, dot_of
from aimem_sync.dot import Dot, Origin
from aimem_sync.faults import OpFault
from aimem_sync.op import decode_op

DOT = Dot(Origin("a" * 32, "a" * 16), 7)
ANSWER = Answer(DOT, "user:ann", "clé-1", b"h" * 32, b"\x00packed\xff", 1_700, ("m1", "m2"))


def test_an_answer_comes_back_as_it_was() -> None:
    assert Answer.decode(ANSWER.encode()) == ANSWER
    assert dot_of(ANSWER.encode()) == DOT
    bare = Answer(DOT, "", "k", b"", b"", 0, ())
    assert Answer.decode(bare.encode()) == bare


def test_bytes_that_are_no_answer_are_refused_at_any_cut() -> None:
    encoded = ANSWER.encode()
    for end in range(len(encoded)):
        with pytest.raises(OpFault):
            Answer.decode(encoded[:end])
    for other in (encoded + b"x", b"\x02" + encoded[1:], replace(ANSWER, request_key="").encode()):
        with pytest.raises(OpFault):
            Answer.decode(other)
    with pytest.raises(OpFault):
        dot_of(b"")
    with pytest.raises(OpFault):
        replace(ANSWER, request_key="k" * 2_000).encode()


def run_of(bench) -> tuple[list, list]:
    """A node's own log as it travels."""
    origin = bench.pen.origin

    def read(view):
        last = view.head(origin).seq
        return view.encoded_ops(origin, 1, last, 1 << 20), view.answers_of(origin, 1, last)

    ops, beside = bench.see(read)
    return [decode_op(op) for op in ops], beside


def store_with_key(bench, pen, record_id, key, response=b"first") -> None:
    def job(session):
        bench.pen.write(session, pen.memory(record_id), key)
        session.put_idem("user:ann", key, b"h" * 32, response, 5, [record_id, "also"])

    bench.do(job)


def test_an_answer_is_found_at_another_node_and_handed_on_from_there(
    bench, other, pen, tmp_path
) -> None:
    from aimem_node.store.store import Store

    store_with_key(bench, pen, "m1", "k1")
    bench.put(pen.memory("m2"))
    store_with_key(bench, pen, "m3", "k3", b"third")
    ops, beside = run_of(bench)
    assert [dot_of(one).seq for one in beside] == [1, 3]
    other.do(lambda session: session.take_run(ops, beside))
    found = other.see(lambda view: view.idem("user:ann", "k1"))
    assert (found.request_sha256, found.response, found.at_us) == (b"h" * 32, b"first", 5)
    assert other.see(lambda view: view.answers_of(bench.pen.origin, 1, 9)) == beside
    assert other.see(lambda view: view.answers_of(bench.pen.origin, 2, 3)) == beside[1:]
    third = Store.open(tmp_path / "third", lambda _: None, readers=1)
    relayed = other.see(lambda view: view.answers_of(bench.pen.origin, 1, 3))
    third.writer.submit(lambda session: session.take_run(ops, relayed)).result(30)
    assert third.readers.submit(lambda v: v.idem("user:ann", "k3")).result(30).response == b"third"
    third.close()


def test_what_was_answered_here_first_stays(bench, other, pen) -> None:
    store_with_key(bench, pen, "m1", "k1")
    other.do(lambda s: s.put_idem("user:ann", "k1", b"mine", b"mine", 1, []))
    ops, beside = run_of(bench)
    other.do(lambda session: session.take_run(ops, beside))
    assert other.see(lambda view: view.idem("user:ann", "k1")).response == b"mine"


def test_an_answer_about_a_banned_record_is_not_kept(bench, other, pen) -> None:
    store_with_key(bench, pen, "m1", "k1")
    ops, beside = run_of(bench)
    other.put(pen.memory("m1"), pen.purge("m1"))
    other.do(lambda session: session.take_run(ops, beside))
    assert other.see(lambda view: view.idem("user:ann", "k1")) is None


def test_a_purge_that_comes_later_finds_an_answer_that_travelled(bench, other, pen) -> None:
    store_with_key(bench, pen, "m1", "k1")
    ops, beside = run_of(bench)
    other.do(lambda session: session.take_run(ops, beside))
    other.put(pen.memory("also"), pen.purge("also"))
    assert other.see(lambda view: view.idem("user:ann", "k1")) is None


@pytest.mark.parametrize(
    "changed",
    [
        {"author": "user:eve"},
        {"request_key": "k9"},
        {"dot": Dot(Origin("b" * 32, "f" * 16), 1)},
        {"dot": Dot(Origin("a" * 32, "a" * 16), 2)},
    ],
)
def test_an_answer_that_no_op_here_speaks_for_is_not_kept(bench, other, pen, changed) -> None:
    store_with_key(bench, pen, "m1", "k1")
    ops, (beside,) = run_of(bench)
    forged = replace(Answer.decode(beside), **changed)
    other.do(lambda session: session.take_run(ops, [forged.encode(), b"nonsense"]))
    count = other.see(lambda v: v._connection.execute("SELECT count(*) FROM idem").get)
    assert count == 0
    assert other.see(lambda view: view.memory("m1")) is not None, "the ops are taken all the same"


def test_a_key_names_the_last_op_it_made_with_and_without_its_answer(bench, other, pen) -> None:
    def job(session):
        for record_id in ("m1", "m2", "m3"):
            bench.pen.write(session, pen.memory(record_id), "bulk")
        session.put_idem("user:ann", "bulk", b"", b"", 5, [])

    bench.do(job)
    last = Dot(bench.pen.origin, 3)
    assert bench.see(lambda view: view.op_of_key("user:ann", "bulk")) == last
    bench.do(lambda session: session.forget_idem(10, 10))
    assert bench.see(lambda view: view.op_of_key("user:ann", "bulk")) == last
    assert bench.see(lambda view: view.op_of_key("user:bob", "bulk")) is None
    assert bench.see(lambda view: view.op_of_key("user:ann", "")) is None


def test_an_answer_to_a_request_that_wrote_nothing_travels_nowhere(bench, pen) -> None:
    bench.put(pen.memory("m1"))
    bench.do(lambda session: session.put_idem("user:ann", "noop", b"", b"same", 5, ["m1"]))
    assert run_of(bench)[1] == []
    assert bench.see(lambda view: view.op_of_key("user:ann", "noop")) is None


def test_a_retry_after_a_failed_job_hangs_on_no_op_that_is_gone(bench, pen) -> None:
    def fails(session):
        bench.pen.write(session, pen.memory("m1"), "k1")
        raise LookupError

    first = bench.store.writer.submit(fails)
    bench.do(lambda session: session.put_idem("user:ann", "k1", b"", b"", 5, []))
    assert isinstance(first.exception(30), LookupError)
    assert bench.see(lambda view: view.op_of_key("user:ann", "k1")) is None
