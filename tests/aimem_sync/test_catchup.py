"""Who is asked for what: one question to each member, one about each log."""

from __future__ import annotations

from aimem_sync.catchup import (
    GRACE_US,
    PULL_INSTEAD_US,
    PULL_PATIENCE_US,
    REFUSED_PAUSE_US,
    SNAPSHOT_PATIENCE_US,
    SNAPSHOT_TRIES,
    Catchup,
    adverts_of,
    serve,
)
from aimem_sync.cursor import Cursor, Range
from aimem_sync.dot import Origin
from aimem_sync.effects import Effect, Note, Send, SendPage
from aimem_sync.links import LAG_OPS_MAX, Link
from aimem_sync.messages import Pull, SnapshotRequired, SnapshotWanted
from tests.aimem_sync.cluster import AT_A, AT_B, AT_C, A, B, C


def link(node: str, **held: int) -> Link:
    named = {"b": AT_B, "c": AT_C}
    return Link(node, "9" * 16, {named[n]: seq for n, seq in held.items()}, heard_us=0)


def ask(catchup: Catchup, now_us: int, *links: Link, have: Cursor | None = None) -> list[Effect]:
    for one in links:
        one.heard_us = now_us
    found = catchup.decide(now_us, AT_A, have or Cursor(), links, set())
    return [effect for effect in found if not isinstance(effect, Note)]


def asked(effects: list[Effect]) -> list[tuple[str, tuple[Origin, ...]]]:
    return [
        (effect.to, effect.message.origins)
        for effect in effects
        if isinstance(effect, Send) and isinstance(effect.message, Pull)
    ]


def test_a_small_lag_is_left_to_the_push_for_a_moment() -> None:
    catchup = Catchup()
    assert ask(catchup, 0, link(B, b=3)) == []
    assert ask(catchup, GRACE_US - 1, link(B, b=3)) == []
    assert asked(ask(catchup, GRACE_US, link(B, b=3))) == [(B, (AT_B,))]


def test_a_log_that_moves_by_itself_is_not_pulled() -> None:
    catchup = Catchup()
    ask(catchup, 0, link(B, b=3))
    assert ask(catchup, GRACE_US, link(B, b=3), have=Cursor({AT_B: 1})) == []


def test_a_large_lag_is_pulled_at_once_and_a_hurried_one_too() -> None:
    assert asked(ask(Catchup(), 0, link(B, b=LAG_OPS_MAX + 1))) == [(B, (AT_B,))]
    catchup = Catchup()
    catchup.hurry([AT_B])
    assert asked(ask(catchup, 0, link(B, b=1))) == [(B, (AT_B,))]


def test_nothing_is_asked_twice_while_an_answer_may_come() -> None:
    catchup = Catchup()
    catchup.hurry([AT_B])
    ask(catchup, 0, link(B, b=1), link(C, b=1))
    catchup.hurry([AT_B])
    assert ask(catchup, 1, link(B, b=1), link(C, b=1)) == []


def test_a_silent_member_is_given_up_for_another_one() -> None:
    catchup = Catchup()
    catchup.hurry([AT_B])
    (first,) = asked(ask(catchup, 0, link(B, b=1), link(C, b=1)))
    (second,) = asked(ask(catchup, PULL_PATIENCE_US, link(B, b=1), link(C, b=1)))
    assert {first[0], second[0]} == {B, C}


def test_a_log_that_reaches_back_is_preferred_to_a_snapshot() -> None:
    catchup = Catchup()
    catchup.hurry([AT_B])
    short = link(B, b=9)
    short.floor = Cursor({AT_B: 5})
    assert asked(ask(catchup, 0, short, link(C, b=9))) == [(C, (AT_B,))]


def test_an_answer_nobody_waits_for_is_no_answer() -> None:
    catchup = Catchup()
    catchup.hurry([AT_B])
    ask(catchup, 0, link(B, b=1))
    assert catchup.answered(B, 99) is None
    assert catchup.answered(C, 1) is None
    assert catchup.answered(B, 1) == {AT_B}
    assert catchup.answered(B, 1) is None


def test_one_snapshot_at_a_time_and_none_again_from_whom_it_was_refused() -> None:
    catchup = Catchup()
    logs = frozenset({AT_B})
    assert catchup.want_snapshot(0, B, logs) == [Send(B, SnapshotWanted(1))]
    assert catchup.want_snapshot(0, C, logs) == []
    catchup.answered(B, 1)
    catchup.installing = True
    assert ask(catchup, 1, link(C, c=999)) == []
    catchup.installed(2, B, [AT_A])
    assert catchup.want_snapshot(3, B, logs) == []
    assert catchup.want_snapshot(2 + REFUSED_PAUSE_US, B, logs) == [Send(B, SnapshotWanted(2))]


def test_a_broken_connection_ends_the_wait_for_a_snapshot() -> None:
    catchup = Catchup()
    catchup.want_snapshot(0, B, frozenset({AT_B}))
    catchup.disconnected(1, B)
    assert catchup.want_snapshot(1, C, frozenset({AT_B})) == [Send(C, SnapshotWanted(2))]
    assert SNAPSHOT_PATIENCE_US > PULL_PATIENCE_US


def test_a_page_is_bounded_over_all_logs_together() -> None:
    have = Cursor({AT_B: 9, AT_C: 9})
    pull = Pull(1, (AT_B, AT_C), Cursor({AT_B: 4}), 7)
    page = serve(A, pull, have, Cursor())
    assert page == SendPage(A, 1, (Range(AT_B, 5, 9), Range(AT_C, 1, 2)))


def test_a_pull_below_the_floor_is_told_so_and_an_idle_one_gets_an_empty_page() -> None:
    have, floor = Cursor({AT_B: 9}), Cursor({AT_B: 5})
    below = serve(A, Pull(1, (AT_B,), Cursor({AT_B: 4}), 7), have, floor)
    assert below == Send(A, SnapshotRequired(1, floor))
    assert serve(A, Pull(1, (AT_B,), have, 7), have, floor) == SendPage(A, 1, ())


def test_a_member_not_heard_of_has_no_advert() -> None:
    links = {B: link(B, b=2), C: Link(C)}
    assert adverts_of(A, Cursor(), links) == {A: Cursor(), B: Cursor({AT_B: 2})}


def far() -> Catchup:
    return Catchup(snapshot_lag_ops=1_000)


def test_who_is_far_behind_asks_for_a_snapshot_from_whom_can_give_the_most() -> None:
    wanted = ask(far(), 0, link(B, b=900), link(C, b=900, c=200))
    assert wanted == [Send(C, SnapshotWanted(1))]
    assert asked(ask(far(), 0, link(B, b=900), link(C, b=900, c=100))) != []
    assert asked(ask(Catchup(), 0, link(B, b=99_999))) == [(B, (AT_B,))]


def test_own_ops_that_others_hold_are_no_lag() -> None:
    ahead = link(B)
    ahead.held[AT_A] = 5_000
    assert ask(far(), 0, ahead) == []


def test_bytes_that_arrive_are_worth_more_patience() -> None:
    catchup = far()
    ask(catchup, 0, link(B, b=2_000))
    catchup.progressed(SNAPSHOT_PATIENCE_US - 1, B)
    assert ask(catchup, SNAPSHOT_PATIENCE_US, link(B, b=2_000)) == []
    assert catchup.answered(B, 1) == {AT_B}


def test_a_pull_has_no_progress_to_speak_of() -> None:
    catchup = Catchup()
    ask(catchup, 0, link(B, b=900))
    catchup.progressed(PULL_PATIENCE_US - 1, B)
    catchup.progressed(PULL_PATIENCE_US - 1, C)
    assert catchup.asked[B].since_us == 0


def test_a_download_that_fails_again_and_again_is_given_up_for_pulls() -> None:
    catchup, now_us = far(), 0
    for attempt in range(1, SNAPSHOT_TRIES + 1):
        assert ask(catchup, now_us, link(B, b=2_000)) == [Send(B, SnapshotWanted(attempt))]
        catchup.disconnected(now_us, B)
        assert ask(catchup, now_us + 1, link(B, b=2_000)) == []
        now_us += GRACE_US
    assert asked(ask(catchup, now_us, link(B, b=2_000))) == [(B, (AT_B,))]
    catchup.answered(B, catchup.last_pull_id)
    later = ask(catchup, now_us + PULL_INSTEAD_US, link(B, b=2_000))
    assert later == [Send(B, SnapshotWanted(catchup.last_pull_id))]


def test_what_a_snapshot_leaves_open_is_pulled() -> None:
    catchup = far()
    ask(catchup, 0, link(B, b=2_000))
    catchup.answered(B, 1)
    catchup.installing = True
    catchup.installed(5, B, ())
    have = Cursor({AT_B: 1_700})
    assert asked(ask(catchup, 6, link(B, b=2_000), have=have)) == [(B, (AT_B,))]


def test_a_member_that_gives_nothing_waits_while_another_one_is_asked() -> None:
    catchup = Catchup()
    catchup.hurry([AT_B])
    ((first, _),) = asked(ask(catchup, 0, link(B, b=1), link(C, b=1)))
    catchup.answered(first, 1)
    catchup.fruitless(0, first, [AT_B])
    ((second, _),) = asked(ask(catchup, 1, link(B, b=1), link(C, b=1)))
    assert {first, second} == {B, C}
