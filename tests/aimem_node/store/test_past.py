"""The past is what had been written by a moment, in whatever order it came."""

import random

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_sync.merge import apply
from tests.aimem_node.store.scribes import NOW_US, RECORDS, history


@pytest.mark.parametrize("seed", range(4))
def test_a_state_then_is_the_fold_of_what_was_written_by_then(bench, seed: int) -> None:
    ops = history(seed, 80, purges=False, withheld=0.0)
    bench.do(lambda session: session.take_run(ops))
    for as_of_us in random.Random(seed).sample(range(NOW_US, NOW_US + 30), 6):
        then = bench.see(lambda view, at=as_of_us: view.states_then(RECORDS, at))
        for record_id in RECORDS:
            state = None
            for op in ops:
                if op.record_id == record_id and op.wall_us <= as_of_us:
                    state = apply(state, op)
            assert then.get(record_id) == state


def test_what_was_erased_later_was_never_known(bench, pen) -> None:
    bench.put(pen.memory("m1"))
    bench.do(lambda session: bench.pen.write(session, pen.purge("m1"), at_us=NOW_US + 9))
    state = bench.see(lambda view: view.states_then(["m1"], NOW_US + 1))["m1"]
    assert state.purged


def test_a_body_that_was_withheld_is_no_past_that_can_be_told(bench, other, pen) -> None:
    from dataclasses import replace

    other.put(pen.memory("m1"))
    (op,) = other.see(lambda view: [placed.op for placed in view.ops_after(0, 9)])
    bench.do(lambda session: session.take_run([replace(op, body=None)]))
    with pytest.raises(Failure) as caught:
        bench.see(lambda view: view.states_then(["m1"], NOW_US))
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.as_of")


def test_a_record_is_told_of_between_its_earliest_and_its_latest_op(bench, pen) -> None:
    for at_us in (7, 3, 5):
        bench.do(
            lambda s, at_us=at_us: bench.pen.write(s, pen.edit("m1", priority=at_us), at_us=at_us)
        )
    assert bench.see(lambda view: view.told_between("m1")) == (3, 7)
    assert bench.see(lambda view: view.told_between("nobody")) == (0, 0)
