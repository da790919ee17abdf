"""A file from before schema 4 is told when its memories changed, as if it had always known."""

import pytest

from aimem_node.store.schema_past import tell_the_past
from aimem_sync.change import Change
from tests.aimem_node.store.scribes import NOW_US, history

_TOLD = "SELECT record_id, observed_us, changed_us FROM memory ORDER BY record_id"


def again(session) -> tuple[list, list]:
    """What the rows say, and what the step makes of them once they say nothing."""
    connection = session._connection
    before = connection.execute(_TOLD).fetchall()
    connection.execute(
        "DROP INDEX memory_by_change; ALTER TABLE memory DROP COLUMN observed_us;"
        " ALTER TABLE memory DROP COLUMN changed_us"
    )
    tell_the_past(connection)
    return before, connection.execute(_TOLD).fetchall()


@pytest.mark.parametrize("seed", range(3))
def test_the_step_says_what_folding_would_have_said(bench, seed: int) -> None:
    bench.do(lambda session: session.take_run(history(seed, 80)))
    before, after = bench.do(again)
    assert before == after != []


def test_a_recall_of_long_ago_is_no_change(bench, pen) -> None:
    recall = Change("m1", "memory", {"accessed_at": 5}, count={"access": 1})
    for at, change in enumerate((pen.memory("m1"), pen.memory("m2"), recall)):
        bench.do(lambda s, c=change, at=at: bench.pen.write(s, c, at_us=NOW_US + at))
    _, after = bench.do(again)
    assert after == [("m1", NOW_US, NOW_US), ("m2", NOW_US + 1, NOW_US + 1)]
