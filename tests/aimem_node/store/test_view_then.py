"""A view of an earlier moment, record by record."""

from aimem_node.store.sight import Sight
from aimem_sync.change import Change
from tests.aimem_node.store.scribes import NOW_US


def put(bench, change: Change, at_us: int) -> None:
    bench.do(lambda session: bench.pen.write(session, change, at_us=at_us))


def seen(bench, as_of_us: int, sight: Sight | None = None):
    def read(view):
        then = view.then(as_of_us, sight)
        return then.memory("m1"), then.display("m1"), then.lost

    return bench.see(read)


def test_records_stand_as_they_were_known(bench, pen) -> None:
    put(bench, pen.memory("m1", "old", scope="collective"), NOW_US)
    put(bench, pen.edit("m1", namespace="elsewhere", priority=9), NOW_US + 5)
    row, shown, lost = seen(bench, NOW_US + 4)
    assert (row.namespace, row.priority, shown.values["priority"]) == ("global", 5, 5)
    assert not lost
    assert seen(bench, NOW_US + 5)[0].namespace == "elsewhere"
    assert seen(bench, NOW_US - 1)[:2] == (None, None)
    put(bench, pen.edit("m1", scope="private"), NOW_US + 6)
    assert seen(bench, NOW_US + 4, Sight(place="far"))[0] is None, "it is out of sight now"
    put(bench, pen.purge("m1"), NOW_US + 7)
    assert seen(bench, NOW_US + 4)[0] is None


def test_what_the_log_has_given_up_is_unknown_and_counted(bench, pen) -> None:
    put(bench, pen.memory("m1", "old"), NOW_US)
    bench.do(lambda s: s.truncate(s.have(), NOW_US + 1))
    assert seen(bench, NOW_US)[0].title == "old", "nothing was said since"
    put(bench, pen.edit("m1", priority=9), NOW_US + 5)
    assert seen(bench, NOW_US) == (None, None, {"m1"})
