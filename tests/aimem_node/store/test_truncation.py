"""Bodies go up to the floor and not beyond; what they made stays, and the log still proves it."""

from aimem_sync.cursor import Cursor
from aimem_sync.log import append
from aimem_sync.op import Kind, Stamp

HOUR_US = 3_600_000_000


def bodies(bench) -> list[bool]:
    found = bench.see(lambda view: view.ops_of_origin(bench.pen.origin, 0, 100))
    return [placed.op.body is not None for placed in found]


def test_old_bodies_go_and_everything_they_made_stays(bench, pen, now_us) -> None:
    origin = bench.pen.origin

    def write(session):
        for at in range(6):
            bench.pen.write(session, pen.memory(f"m{at}", "walrus"), at_us=now_us + at * HOUR_US)

    bench.do(write)
    before = bench.see(lambda view: (view.digest(), view.memory("m0"), view.heads()))
    floor = bench.do(lambda s: s.truncate(Cursor({origin: 5}), now_us + 3 * HOUR_US))
    assert floor == bench.see(lambda view: view.floor()) == Cursor({origin: 3})
    assert bodies(bench) == [False] * 3 + [True] * 3
    assert bench.see(lambda view: (view.digest(), view.memory("m0"), view.heads())) == before
    head = bench.see(lambda view: view._connection.execute("SELECT floor_head FROM origin").get)
    assert head == bench.see(lambda view: view.ops_of_origin(origin, 2, 1))[0].op.chain
    # Again changes nothing; further moves it on, never past what was asked for.
    assert bench.do(lambda s: s.truncate(Cursor({origin: 2}), now_us + 99 * HOUR_US)) == floor
    far = bench.do(lambda s: s.truncate(Cursor({origin: 5}), now_us + 99 * HOUR_US))
    assert far == Cursor({origin: 5})
    assert bodies(bench) == [False] * 5 + [True]


def test_what_cannot_be_checked_any_more_is_said_and_is_no_problem(bench, pen, now_us) -> None:
    bench.put(pen.memory("m1"), pen.memory("m2"))
    bench.put(pen.edit("m2", priority=9), pen.memory("m3"))
    bench.do(lambda s: s.truncate(Cursor({bench.pen.origin: 1}), now_us + 1))
    found = bench.store.verify(deep=True)
    assert found.problems == []
    assert any("up to 1" in note for note in found.notes)
    assert any(note.startswith("1 records were not compared") for note in found.notes)


def test_ops_at_or_below_the_floor_are_not_handed_on(bench, pen, now_us) -> None:
    origin = bench.pen.origin
    bench.put(*(pen.memory(f"m{at}") for at in range(4)))
    bench.do(lambda s: s.truncate(Cursor({origin: 2}), now_us + 1))
    assert bench.see(lambda view: view.encoded_ops(origin, 1, 4, 1 << 20)) == []
    assert bench.see(lambda view: view.encoded_ops(origin, 2, 4, 1 << 20)) == []
    assert len(bench.see(lambda view: view.encoded_ops(origin, 3, 4, 1 << 20))) == 2


def test_the_floor_stops_before_an_op_that_only_a_later_version_can_read(
    bench, pen, now_us
) -> None:
    origin = bench.pen.origin

    def write(session):
        bench.pen.write(session, pen.memory("m1"))
        strange = append(
            session.head(origin), Stamp(session.lamport() + 1, now_us, 0), "hologram", "m1",
            b"later", "user:ann", "", origin, lambda chain: chain,
        )  # fmt: skip
        session.take(strange)
        bench.pen.write(session, pen.memory("m2"))

    bench.do(write)
    floor = bench.do(lambda s: s.truncate(Cursor({origin: 3}), now_us + 1))
    assert floor == Cursor({origin: 1})
    assert bodies(bench) == [False, True, True]


def test_a_purge_below_the_floor_stays_a_purge(bench, pen, now_us) -> None:
    bench.put(pen.memory("m1"), pen.purge("m1"), pen.memory("m2"))
    bench.do(lambda s: s.truncate(Cursor({bench.pen.origin: 3}), now_us + 1))
    ops = bench.see(lambda view: view.ops_of("m1", None, 10))
    assert [(placed.op.kind, placed.op.body) for placed in ops] == [
        (Kind.PURGE, b""),
        (Kind.EDIT, None),
    ]
    found = bench.store.verify(deep=True)
    assert found.problems == []


def test_a_log_that_is_not_here_is_passed_over(bench, pen, now_us) -> None:
    bench.put(pen.memory("m1"))
    stranger = pen("f").origin
    assert bench.do(lambda s: s.truncate(Cursor({stranger: 9}), now_us + 1)) == Cursor()
