"""Ops become rows, in any order of arrival, once."""

import random

import pytest

from aimem_sync.faults import Fork, Gap
from aimem_sync.op import Op


def ops_of(bench):
    return [placed.op for placed in bench.see(lambda view: view.ops_after(0, 10_000))]


def take_all(bench, ops):
    bench.do(lambda session: [session.take(op) for op in ops])


def two_histories(bench, other, pen):
    """Two nodes that write the same memory without and with sight of each other."""
    bench.put(pen.memory("m1", "first", "from a", tags=["x"]), pen.memory("m2"))
    take_all(other, ops_of(bench))
    bench.put(pen.edit("m1", body={"title": "a", "content": "a", "metadata": {}}))
    other.put(
        pen.edit("m1", body={"title": "b", "content": "b", "metadata": {}}, priority=9),
        pen.delete("m2"),
        pen.link("l1", "m1", "m2"),
        pen.memory("m3", tags=["y", "x"]),
    )
    bench.put(pen.edit("m2", tier="long"), pen.archive("m2"))
    return ops_of(bench), [op for op in ops_of(other) if op.origin == other.pen.origin]


def interleaved(chance: random.Random, logs: list[list[Op]]) -> list[Op]:
    """One of the orders in which logs may arrive: each log in its own order."""
    left = [list(log) for log in logs]
    ops = []
    while any(left):
        ops.append(chance.choice([log for log in left if log]).pop(0))
    return ops


def everything(view):
    rows = [view.memory(f"m{at}") for at in (1, 2, 3)]
    # A row's number is the order of arrival here, and so its own business.
    facts = [
        {name: getattr(row, name) for name in row.__slots__ if name != "rid"} for row in rows if row
    ]
    return facts, view.link("l1"), view.digest(), view.have(), view.lamport()


def test_all_orders_of_arrival_end_in_the_same_rows(bench, other, pen, tmp_path) -> None:
    from aimem_node.store.store import Store

    mine, theirs = two_histories(bench, other, pen)
    take_all(bench, theirs)
    expected = bench.see(everything)
    assert expected[0][0]["conflicts"] == 1
    chance = random.Random(7)
    for at in range(6):
        store = Store.open(tmp_path / f"n{at}", lambda _: None, readers=1)
        ops = interleaved(chance, [mine, theirs])
        store.writer.submit(lambda s, ops=ops: [s.take(op) for op in ops]).result(30)
        assert store.readers.submit(everything).result(30) == expected
        assert store.verify(deep=True).problems == []
        store.close()


def test_a_replayed_op_changes_nothing(bench, other, pen) -> None:
    mine, theirs = two_histories(bench, other, pen)
    take_all(bench, theirs)
    before = bench.see(everything), bench.see(lambda view: view.last_pos())
    take_all(bench, [*mine, *theirs])
    assert (bench.see(everything), bench.see(lambda view: view.last_pos())) == before


def test_an_op_after_a_gap_is_refused_and_nothing_of_it_kept(bench, other, pen) -> None:
    other.put(pen.memory("m1"), pen.memory("m2"))
    first, second = ops_of(other)
    with pytest.raises(Gap) as raised:
        take_all(bench, [second])
    assert raised.value.have == 0
    assert bench.see(lambda view: view.last_pos()) == 0
    assert bench.see(lambda view: view.memory("m2")) is None
    take_all(bench, [first, second])
    assert bench.see(lambda view: view.memory("m2")) is not None


def test_another_history_of_an_origin_is_refused(bench, other, pen) -> None:
    other.put(pen.memory("m1"))
    bench.put(pen.memory("m9"), pen=other.pen)
    with pytest.raises(Fork):
        take_all(bench, ops_of(other))


def test_an_op_of_unknown_kind_is_kept_and_relayed_but_not_applied(bench, pen) -> None:
    from aimem_sync.change import Change

    bench.put(pen.memory("m1"))
    shown = bench.see(lambda view: view.display("m1"))

    def strange(session):
        op = bench.pen.op(session, Change("m1", "memory", {"priority": 9}))
        from aimem_sync.log import append
        from aimem_sync.op import Stamp

        return session.take(
            append(
                session.head(op.origin),
                Stamp(op.lamport, op.wall_us, 0),
                "hologram",
                "m1",
                b"\x00\xff",
                "user:ann",
                "",
                op.origin,
                lambda chain: chain,
            )
        )

    bench.do(strange)
    assert bench.see(lambda view: view.display("m1")) == shown
    assert ops_of(bench)[-1].kind == "hologram"
    assert ops_of(bench)[-1].body == b"\x00\xff"


def test_a_memory_keeps_its_place_in_the_order_of_writes_when_every_part_is_rewritten(
    bench, pen
) -> None:
    bench.put(pen.memory("m1"))
    born = bench.see(lambda view: view.memory("m1"))
    bench.put(pen.memory("m1", "new", "new", created_at=1))
    now = bench.see(lambda view: view.memory("m1"))
    assert (now.lamport, now.write_id) == (born.lamport, born.write_id)
    assert now.write_id == f"{bench.pen.origin}:1"


def test_the_full_text_index_follows_every_change_of_life(bench, pen) -> None:
    from aimem_node.store.listing import Filter

    def found():
        hits = bench.see(lambda view: view.search("walrus", "any", Filter(), 10)).hits
        return [hit.record_id for hit in hits]

    bench.put(pen.memory("m1", "a walrus"))
    assert found() == ["m1"]
    bench.put(pen.archive("m1"))
    assert found() == []
    bench.put(pen.edit("m1", life={"is": "live"}))
    assert found() == ["m1"]
    bench.put(pen.edit("m1", body={"title": "a seal", "content": "", "metadata": {}}))
    assert found() == []
    bench.put(pen.edit("m1", body={"title": "walrus", "content": "", "metadata": {}}))
    bench.put(pen.delete("m1"))
    assert found() == []
    assert bench.store.verify(deep=True).problems == []


def test_a_session_finds_what_it_has_just_written(bench, pen) -> None:
    from aimem_node.store.listing import Filter

    def job(session):
        bench.pen.write(session, pen.memory("m1", "a walrus"))
        return session.search("walrus", "any", Filter(), 10).hits

    assert [hit.record_id for hit in bench.do(job)] == ["m1"]


def test_a_failed_job_takes_back_its_words_even_if_they_were_searched_for(bench, pen) -> None:
    from aimem_node.store.listing import Filter

    def job(session):
        bench.pen.write(session, pen.memory("m1", "a walrus"))
        session.search("walrus", "any", Filter(), 10)
        raise LookupError("changed my mind")

    with pytest.raises(LookupError):
        bench.do(job)
    bench.put(pen.memory("m2", "a walrus"))
    hits = bench.see(lambda view: view.search("walrus", "any", Filter(), 10)).hits
    assert [hit.record_id for hit in hits] == ["m2"]
    assert bench.store.verify(deep=True).problems == []


def test_tags_follow_the_record(bench, pen) -> None:
    from aimem_node.store.listing import Filter
    from aimem_sync.change import Change

    bench.put(pen.memory("m1", tags=["b", "a"]))
    bench.put(Change("m1", "memory", tag=("c",), untag=("a",)))
    assert bench.see(lambda view: view.memory("m1")).tags == ("b", "c")
    listed = bench.see(lambda view: view.list_memories(Filter(tags=("c", "b")))[0])
    assert [row.record_id for row in listed] == ["m1"]
    assert bench.see(lambda view: view.list_memories(Filter(tags=("a",)))[0]) == []


def test_a_purge_erases_the_text_everywhere_and_for_good(bench, other, pen) -> None:
    canary = "xylophonecanary"
    bench.put(pen.memory("m1", canary, f"{canary} {canary}", tags=[canary]), key="k1")
    bench.put(pen.memory("m2", "another"), key="k2")
    for key in ("k1", "k2"):
        record_id = "m1" if key == "k1" else "m2"
        bench.do(
            lambda s, key=key, record_id=record_id: s.put_idem(
                "user:ann", key, b"h", canary.encode() if key == "k1" else b"", 1, [record_id]
            )
        )
    take_all(other, ops_of(bench))
    other.put(pen.edit("m1", body={"title": canary, "content": canary, "metadata": {}}))
    bench.put(pen.purge("m1"))
    # What another wrote without knowing of the purge arrives later, and is erased as well.
    take_all(bench, [op for op in ops_of(other) if op.origin == other.pen.origin])
    assert bench.see(lambda view: view.memory("m1")) is None
    assert bench.see(lambda view: view.display("m1")).purged
    assert bench.see(lambda view: view.idem("user:ann", "k1")) is None
    assert bench.see(lambda view: view.idem("user:ann", "k2")) is not None
    bodies = [op.body for op in ops_of(bench) if op.record_id == "m1" and op.kind != "purge"]
    assert bodies == [None, None]
    bench.store.checkpoint()
    for path in bench.data_dir.iterdir():
        content = path.read_bytes()
        assert canary.encode() not in content, path.name
        # Words stand in the index as the rest of a word that shares its beginning.
        assert b"ylophonecanari" not in content, path.name
    assert bench.store.verify(deep=True).problems == []


def test_a_deleted_memory_can_be_stored_again(bench, pen) -> None:
    bench.put(pen.memory("m1", "same"))
    bench.put(pen.delete("m1"))
    bench.put(pen.memory("m2", "same"))
    row = bench.see(lambda view: view.live_by_title("global", "same", 0))
    assert row.record_id == "m2"
    bench.put(pen.memory("m1", "same"))
    assert bench.see(lambda view: view.memory("m1")).life == "live"


def test_old_answers_are_forgotten_oldest_first(bench) -> None:
    bench.do(lambda s: [s.put_idem("u", f"k{at}", b"", b"", at, ["r"]) for at in range(5)])
    assert bench.do(lambda s: s.forget_idem(3, 2)) == 2
    assert bench.do(lambda s: s.forget_idem(3, 10)) == 1
    assert bench.see(lambda v: [v.idem("u", f"k{at}") is None for at in range(5)]) == [
        True, True, True, False, False,
    ]  # fmt: skip


def test_named_values_are_set_changed_and_removed(bench) -> None:
    bench.do(lambda s: (s.put_meta("x", b"1"), s.put_meta("x", b"2")))
    assert bench.see(lambda view: view.meta("x")) == b"2"
    bench.do(lambda s: s.delete_meta("x"))
    assert bench.see(lambda view: view.meta("x")) is None


def test_a_failed_job_takes_no_words_of_others_with_it(bench, pen) -> None:
    import threading

    from aimem_node.store.listing import Filter

    go = threading.Event()

    def searches_and_fails(session):
        assert session.search("walrus", "any", Filter(), 10).hits
        raise LookupError("changed my mind")

    submit = bench.store.writer.submit
    submit(lambda session: go.wait(30))
    written = submit(lambda session: bench.pen.write(session, pen.memory("m1", "a walrus")))
    failed = submit(searches_and_fails)
    go.set()
    written.result(30)
    assert isinstance(failed.exception(30), LookupError)
    hits = bench.see(lambda view: view.search("walrus", "any", Filter(), 10)).hits
    assert [hit.record_id for hit in hits] == ["m1"]


def test_a_failed_job_leaves_no_memory_of_what_it_wrote(bench, pen) -> None:
    bench.put(pen.memory("m1", "kept"))
    before = bench.do(lambda session: (session.state("m1"), session.head(bench.pen.origin)))

    def fails(session):
        bench.pen.write(session, pen.edit("m1", priority=9))
        bench.pen.write(session, pen.memory("m2"))
        raise LookupError("changed my mind")

    with pytest.raises(LookupError):
        bench.do(fails)
    after = bench.do(lambda session: (session.state("m1"), session.head(bench.pen.origin)))
    assert after == before
    assert bench.do(lambda session: session.state("m2")) is None
    bench.put(pen.edit("m1", priority=3))
    assert bench.store.verify(deep=True).problems == []
