"""What leaves the node is what came in, to the byte, in order, and never more than it may."""

from dataclasses import replace

import pytest

from aimem_sync.op import decode_op, encode_op
from tests.aimem_node.store.scribes import history


@pytest.mark.parametrize("seed", range(5))
def test_ops_made_from_rows_are_the_bytes_that_an_op_encodes_to(bench, seed) -> None:
    ops = history(seed, 80, withheld=0.0)
    bench.do(lambda session: session.take_run(ops))
    for origin, have in bench.see(lambda view: view.have()):
        kept = [p.op for p in bench.see(lambda v, o=origin: v.ops_of_origin(o, 0, 1_000))]
        encoded = bench.see(lambda v, o=origin, n=have: v.encoded_ops(o, 1, n, 1 << 30))
        assert encoded == [encode_op(op) for op in kept]
        assert [decode_op(one) for one in encoded] == kept
        assert bench.see(lambda v, o=origin: v.encoded_ops(o, 3, 4, 1 << 30)) == encoded[2:4]


def test_a_batch_ends_before_it_is_too_large_and_holds_at_least_one(bench, pen) -> None:
    bench.put(*(pen.memory(f"m{at}", content="x" * 900) for at in range(5)))
    origin = bench.pen.origin
    whole = bench.see(lambda view: view.encoded_ops(origin, 1, 5, 1 << 20))
    room = len(whole[0]) + len(whole[1])
    assert bench.see(lambda view: view.encoded_ops(origin, 1, 5, room)) == whole[:2]
    assert bench.see(lambda view: view.encoded_ops(origin, 1, 5, room - 1)) == whole[:1]
    assert bench.see(lambda view: view.encoded_ops(origin, 2, 5, 1)) == whole[1:2]


def test_nothing_is_handed_on_from_a_withheld_body_on(bench, other, pen) -> None:
    other.put(*(pen.memory(f"m{at}") for at in range(4)))
    ops = [placed.op for placed in other.see(lambda view: view.ops_after(0, 10))]
    ops[2] = replace(ops[2], body=None)
    bench.do(lambda session: session.take_run(ops))
    origin = other.pen.origin
    assert len(bench.see(lambda view: view.encoded_ops(origin, 1, 4, 1 << 20))) == 2
    assert bench.see(lambda view: view.encoded_ops(origin, 3, 4, 1 << 20)) == []
    assert bench.see(lambda view: view.withheld_ops()) == 1
    found = bench.store.verify(deep=True)
    assert found.problems == []
    assert any("without their bodies" in note for note in found.notes)
    # A purge says that it was erased: then there is nothing that others may be entitled to.
    bench.put(pen.purge("m2"))
    assert len(bench.see(lambda view: view.encoded_ops(origin, 1, 4, 1 << 20))) == 4
    assert bench.see(lambda view: view.withheld_ops()) == 0


def test_a_log_that_is_not_here_has_no_ops(bench, pen) -> None:
    assert bench.see(lambda view: view.encoded_ops(pen("f").origin, 1, 9, 100)) == []
    assert bench.see(lambda view: view.answers_of(pen("f").origin, 1, 9)) == []
