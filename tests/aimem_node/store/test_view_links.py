"""What a view tells of links beside the walk: those of one memory, and how they were known."""

from tests.aimem_node.store.conftest import NOW_US


def test_a_link_knows_when_it_was_learned_and_when_it_was_last_spoken_of(bench, pen) -> None:
    bench.put(pen.memory("a"), pen.memory("b"))
    link = pen.link("l", "a", "b")
    bench.do(lambda s: bench.pen.write(s, link, at_us=NOW_US + 5))
    ended = pen.edit("l", "link", valid_until=NOW_US + 9)
    bench.do(lambda s: bench.pen.write(s, ended, at_us=NOW_US + 8))
    row = bench.see(lambda view: view.link("l"))
    assert (row.observed_us, row.changed_us) == (NOW_US + 5, NOW_US + 8)
    assert bench.see(lambda view: view.link("l")).valid_until_us == NOW_US + 9
    (then,) = bench.see(lambda view: view.links_of("a", as_of_us=NOW_US + 7))
    assert then.valid_until_us is None
    assert bench.see(lambda view: view.links_of("a", as_of_us=NOW_US + 4)) == []


def test_times_of_a_link_do_not_hang_on_the_order_in_which_its_ops_came(bench, other, pen) -> None:
    other.put(pen.memory("a"), pen.memory("b"))
    late = pen("c", "user:cid")
    for at_us, writer in ((NOW_US + 5, other.pen), (NOW_US + 2, late), (NOW_US + 7, late)):
        change = pen.link("l", "a", "b") if at_us == NOW_US + 5 else pen.edit("l", "link", x=at_us)
        other.do(lambda s, w=writer, c=change, at=at_us: w.write(s, c, at_us=at))
    ops = other.see(lambda view: [placed.op for placed in view.ops_after(0, 99)])
    by_log = sorted(ops, key=lambda op: (op.origin.node_id == other.pen.origin.node_id, op.seq))
    bench.do(lambda session: [session.take(op) for op in by_log])
    assert bench.see(lambda view: view.link("l")) == other.see(lambda view: view.link("l"))
    assert bench.see(lambda view: view.link("l")).observed_us == NOW_US + 2


def test_of_a_memory_with_many_links_the_last_ones_are_told(bench, pen) -> None:
    bench.put(pen.memory("a"), pen.memory("b"))
    for at in range(5):
        link = pen.link(f"l{at}", "a", "b")
        body = {**link.set["body"], "valid_from": NOW_US + at, "created_at": NOW_US + at}
        bench.put(type(link)(link.record_id, "link", {**link.set, "body": body}))
    told = bench.see(lambda view: view.links_of("a", 2))
    assert [row.record_id for row in told] == ["l3", "l4"]
    assert bench.see(lambda view: [view.has_more_links("a", n) for n in (4, 5)]) == [True, False]
    assert bench.see(lambda view: view.has_more_links("b", 4))


def test_a_start_that_nobody_named_holds_now_whatever_the_clocks_say(bench, pen) -> None:
    bench.put(pen.memory("a"), pen.memory("b"), pen.link("l", "a", "b"))
    row = bench.see(lambda view: view.link("l"))
    assert not row.start_given
    assert row.holds(NOW_US - 9, now=True)
    assert not row.holds(NOW_US - 9)
