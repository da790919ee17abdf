"""What stands before and after a memory in its thread."""

import pytest

from aimem_node.store import view_company
from aimem_node.store.listing import Filter
from aimem_node.store.sight import Sight

HOUR_US = 3_600_000_000
EVERYWHERE = Filter()


def lights(bench):
    rids = [
        rid
        for (rid,) in bench.see(
            lambda view: view._connection.execute("SELECT rid FROM memory").fetchall()
        )
    ]
    return bench.see(lambda view: view.lights(rids, EVERYWHERE))


def around(bench, record_id, each_way=2):
    """Ids before and after, the nearest first, asked for alone and with all others."""
    by_rid = lights(bench)
    [rid] = [rid for rid, one in by_rid.items() if one.record_id == record_id]
    together = bench.see(lambda view: view.around(by_rid, each_way))[rid]
    alone = bench.see(lambda view: view.around({rid: by_rid[rid]}, each_way))[rid]
    assert together == alone
    return tuple([by_rid[one].record_id for one in side] for side in (alone.before, alone.after))


@pytest.fixture(params=["read at once", "looked up one by one"])
def _either_way(request, monkeypatch) -> None:
    if request.param == "looked up one by one":
        monkeypatch.setattr(view_company, "THREAD_READ_MAX", 1)


pytestmark = pytest.mark.usefixtures("_either_way")


def test_the_nearest_in_the_thread_stand_beside_a_memory(bench, pen) -> None:
    bench.put(*(pen.memory(f"m{at}", session="s") for at in range(6)))
    assert around(bench, "m3") == (["m2", "m1"], ["m4", "m5"])
    assert around(bench, "m0") == ([], ["m1", "m2"])
    assert around(bench, "m5", 1) == (["m4"], [])


def test_another_session_source_or_namespace_is_another_thread(bench, pen) -> None:
    bench.put(
        pen.memory("m1", session="s"), pen.memory("x1", session="t"),
        pen.memory("x2", session="s", source="chat"), pen.memory("x3", session="s", namespace="b"),
        pen.memory("m2", session="s"),
    )  # fmt: skip
    assert around(bench, "m1") == ([], ["m2"])
    assert around(bench, "x1") == ([], [])


def test_the_time_of_storing_orders_a_thread(bench, pen) -> None:
    bench.put(
        pen.memory("late", session="s", created_at=30),
        pen.memory("soon", session="s", created_at=20),
        pen.memory("first", session="s", created_at=10),
    )
    assert around(bench, "soon") == (["first"], ["late"])


def test_without_a_session_what_is_long_past_is_not_beside(bench, pen) -> None:
    bench.put(
        pen.memory("old", created_at=1), pen.memory("m1", created_at=HOUR_US + 2),
        pen.memory("m2", created_at=2 * HOUR_US), pen.memory("new", created_at=4 * HOUR_US),
    )  # fmt: skip
    assert around(bench, "m1") == ([], ["m2"])
    bench.put(
        pen.memory("s1", session="s", created_at=1),
        pen.memory("s2", session="s", created_at=9 * HOUR_US),
    )
    assert around(bench, "s2") == (["s1"], [])


def test_what_is_live_no_more_stands_beside_nothing(bench, pen) -> None:
    bench.put(*(pen.memory(f"m{at}", session="s") for at in range(3)))
    bench.put(pen.archive("m1"))
    assert around(bench, "m0") == ([], ["m2"])


def test_only_what_the_caller_sees_is_shown_and_the_filter_is_told(bench, pen) -> None:
    bench.put(pen.memory("m1", namespace="a"), pen.memory("m2", namespace="a/b"))
    rids = list(lights(bench))
    wanted = Filter(namespaces=("a",))
    shown = bench.see(lambda view: view.lights(rids, wanted))
    assert {one.record_id: one.is_wanted for one in shown.values()} == {"m1": True, "m2": False}
    bound = Filter(sight=Sight(place="far"))
    assert bench.see(lambda view: view.lights(rids, bound)) == {}
