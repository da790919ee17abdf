"""Directed schedules of the rules beside the log: proofs, keys, patience, slowness, who may hold.

Like those of `directed`, which says what a schedule is.
"""

from __future__ import annotations

from aimem_sync.catchup import SNAPSHOT_PATIENCE_US
from aimem_sync.cursor import Cursor
from aimem_sync.effects import Answer, Note, Outcome, RefuseRead
from aimem_sync.events import Heard
from aimem_sync.messages import Beat, Learn, Pull
from aimem_sync.startup import GRACE_US
from tests.sim.directed import A, B, C, cluster, cut, level, put, until
from tests.sim.keys import signature
from tests.sim.oracles import Violation
from tests.sim.world import MS, SECOND, Node, World


def answers_of(world: World) -> list[Answer]:
    """Every answer from now on, as it comes."""
    found: list[Answer] = []
    world.on_answer = lambda node, answer: found.append(answer)
    return found


def an_epoch_that_nobody_signed_is_not_believed() -> None:
    """C, gone mad, tells B that A was evicted."""
    world = cluster()
    b, c = world.nodes[B], world.nodes[C]
    world._deliver(c.fingerprint, B, b.boot, Learn((world.first.without(A),), ((),)))
    world.run(world.now_us + SECOND)
    assert b.disk.epoch() == 1


def a_key_that_was_replaced_opens_nothing() -> None:
    """B changes its key; what still comes under the old one is not listened to."""
    world = cluster()
    a, b = world.nodes[A], world.nodes[B]
    old, new = b.fingerprint, world.new_key(B)
    world.change(A, world.first.with_key(B, new))
    until(world, lambda: all(n.disk.epoch() == 2 for n in world.nodes.values()))
    b.fingerprint = new
    assert a.core is not None
    world.change(A, a.core.config.without_key(B, old))
    until(world, lambda: all(n.disk.epoch() == 3 for n in world.nodes.values()))
    effects = a.core.step(world.now_us, Heard(old, Pull(1, (a.disk.origin,), Cursor(), 9)))
    assert [type(effect) for effect in effects] == [Note]
    answers = answers_of(world)
    put(world, B, "r", "under the new key", needed=3)
    until(world, lambda: bool(answers))
    assert answers[0].outcome is Outcome.COMMITTED


def who_may_not_hold_a_write_does_not_confirm_it() -> None:
    """Only A and C may hold it, and C is away: that B has the op says nothing."""
    world = cluster()
    answers = answers_of(world)
    cut(world, (A, C))
    put(world, A, "r", "one", wait_us=600 * MS, eligible=frozenset({A, C}))
    world.run(world.now_us + SECOND)
    assert [answer.outcome for answer in answers] == [Outcome.PENDING]
    put(world, A, "s", "two", eligible=frozenset({A}))
    until(world, lambda: len(answers) == 2)
    assert (answers[1].outcome, answers[1].acked_by) == (Outcome.COMMITTED, (A,))


def pages_that_bring_nothing_are_not_asked_for_in_a_loop() -> None:
    """B is the only one in reach of C and cannot read A's log."""
    world = cluster()
    cut(world, (A, C))
    world.nodes[B].mute_until_us = world.now_us + 3 * SECOND
    put(world, A, "r", "one")
    before = world.oracles.pulls[C]
    world.run(world.now_us + 3 * SECOND)
    assert 1 <= world.oracles.pulls[C] - before <= 12
    level(world)


def a_snapshot_that_takes_long_is_waited_for_while_bytes_arrive() -> None:
    world = cluster()
    world.crash(C)
    for number in range(30):
        put(world, A, "r", str(number))
        world.run(world.now_us + 20 * MS)
    cut(world, (A, C))
    world.snapshot_lag_ops, world.snapshot_us = 20, SNAPSHOT_PATIENCE_US + 5 * SECOND
    world.start(C)
    before = world.notes["far behind"]
    until(world, lambda: world.notes["snapshot installed"] > 0, world.snapshot_us + 2 * SECOND)
    assert world.notes["far behind"] == before + 1
    world.net.heal()
    level(world)


def what_seems_lost_is_called_so_only_when_the_time_is_up() -> None:
    """A has lost its disk, and with it an op that a session has seen."""
    world = cluster()
    a = world.nodes[A]
    cut(world, (A, B), (A, C))
    put(world, A, "r", "one", allow_pending=True)
    world.run(world.now_us + 100 * MS)
    seen = a.disk.image.have()
    assert seen.get(a.disk.origin) == 1
    world.restore(A, a.disk.image.bare())
    world.start(A)
    world.net.heal()
    world.run(world.now_us + 3 * SECOND)
    refused: list[tuple[int, RefuseRead | None]] = []
    world.on_read = lambda node, read, no: refused.append((world.now_us, no))
    deadline_us = world.now_us + 700 * MS
    world.read(B, seen, 700 * MS)
    world.run(world.now_us + SECOND)
    ((at_us, no),) = refused
    assert no is not None
    assert no.lost
    assert at_us >= deadline_us


def states_that_differ_are_told_of() -> None:
    """Something has changed a record on B's disk behind the log's back."""
    world = World(7, 3)
    world.sums_us = 200 * MS
    for name in (A, B, C):
        world.crash(name)
        world.start(name)
    world.run(SECOND)
    put(world, A, "r", "one")
    world.run(world.now_us + SECOND)
    level(world)
    del world.nodes[B].disk.image.states["r"]
    try:
        world.run(world.now_us + 3 * SECOND)
    except Violation as found:
        assert "different sums" in str(found)  # noqa: PT017
    else:
        raise AssertionError("nobody has noticed")


def a_forked_write_is_never_called_committed() -> None:
    """A goes on from an old image and writes more than the others have of its log."""
    world = cluster()
    a = world.nodes[A]
    image, origin = a.disk.image.copy(), a.disk.origin
    put(world, A, "r", "one")
    world.run(world.now_us + SECOND)
    level(world)
    world.oracles.forgive_forks = True
    cut(world, (A, B), (A, C))
    world.restore(A, image, renew=False, origin=origin)
    world.start(A)
    world.run(world.now_us + GRACE_US + SECOND)
    answers = answers_of(world)
    for number in range(3):
        put(world, A, "r", f"other {number}", allow_pending=True, wait_us=4 * SECOND)
        world.run(world.now_us + 50 * MS)
    world.net.heal()
    level(world)
    assert a.disk.origin != origin
    assert not any(answer.outcome is Outcome.COMMITTED for answer in answers)


def last_words_of_a_dead_incarnation_count_for_nothing() -> None:
    """A beat of B's lost disk arrives after B has come back and was heard of again."""
    world = cluster()
    a, b = world.nodes[A], world.nodes[B]
    put(world, A, "r", "one", needed=3)
    world.run(world.now_us + SECOND)
    level(world)
    origin, dead, heads = a.disk.origin, b.disk.origin.incarnation, dict(b.disk.image.heads)
    world.restore(B, b.disk.image.bare())
    cut(world, (A, C), (B, C))
    world.start(B)
    core = a.core
    assert core is not None
    until(world, lambda: core.links[B].incarnation == b.disk.origin.incarnation)
    late = Beat(dead, 1, heads, Cursor(), world.now_us)
    world.crash(B)
    core.links[B].held.pop(origin, None)
    world.step(a, Heard(b.fingerprint, late))
    assert core.links[B].held.get(origin, 0) == 0


def _used_to_quick_answers() -> tuple[World, Node, list[Answer]]:
    world = World(7, 2)
    world.run(SECOND)
    b, answers = world.nodes[B], answers_of(world)
    b.fsync_us = (MS, 2 * MS)
    for number in range(12):
        put(world, A, "r", str(number))
        world.run(world.now_us + 60 * MS)
    assert {answer.outcome for answer in answers} == {Outcome.COMMITTED}
    answers.clear()
    return world, b, answers


def a_member_that_has_become_slow_is_not_counted_on_until_it_is_well() -> None:
    world, b, answers = _used_to_quick_answers()
    b.fsync_us = (400 * MS, 400 * MS)
    put(world, A, "r", "slow")
    until(world, lambda: len(answers) == 1)
    put(world, A, "r", "not at all")
    until(world, lambda: len(answers) == 2)
    assert answers[1].outcome is Outcome.NOT_WRITTEN
    assert [(peer[0], peer[1]) for peer in answers[1].peers] == [(B, "behind")]
    b.fsync_us = (MS, 2 * MS)
    world.run(world.now_us + 1_100 * MS)
    put(world, A, "r", "well")
    until(world, lambda: len(answers) == 3)
    assert answers[2].outcome is Outcome.COMMITTED


def who_refuses_is_not_counted_on_until_it_takes_something_in() -> None:
    world, b, answers = _used_to_quick_answers()
    core = world.nodes[A].core
    assert core is not None
    b.disk.full = True
    put(world, A, "r", "nobody could know")
    until(world, lambda: len(answers) == 1)
    assert answers[0].outcome is Outcome.PENDING
    until(world, lambda: core.links[B].paused_until_us < world.now_us)
    put(world, A, "r", "now it is known")
    until(world, lambda: len(answers) == 2)
    assert answers[1].outcome is Outcome.NOT_WRITTEN
    assert [(peer[0], peer[1]) for peer in answers[1].peers] == [(B, "refused")]
    b.disk.full = False
    until(world, lambda: B in core.in_sync(world.now_us))
    put(world, A, "r", "well")
    until(world, lambda: len(answers) == 3)
    assert answers[2].outcome is Outcome.COMMITTED


def appends_shorter_than_asked_for_follow_one_another_at_once() -> None:
    """Two ops fill a message here, and twenty are to go."""
    world = cluster(2)
    for node in world.nodes.values():
        node.batch_ops = 2
        node.mute_until_us = world.now_us + 60 * SECOND
    cut(world, (A, B))
    for number in range(20):
        put(world, A, "r", str(number), allow_pending=True)
    world.run(world.now_us + 2 * SECOND)
    world.net.heal()
    core = world.nodes[A].core
    assert core is not None
    until(world, lambda: core.links[B].in_reach(world.now_us))
    until(world, lambda: core.links[B].held.get(core.origin) == 20, 700 * MS)
    level(world)


def a_forced_epoch_rules_where_an_operator_says_so_and_nowhere_else() -> None:
    from aimem_sync.events import Forced

    world = cluster()
    world.crash(B)
    world.crash(C)
    forced = world.first.forced((A,), "after the fire")
    world.oracles.configs[2] = forced
    world.oracles.forced.add(2)
    world.step(world.nodes[A], Forced(forced))
    until(world, lambda: world.nodes[A].disk.epoch() == 2)
    answers = answers_of(world)
    put(world, A, "r", "alone")
    until(world, lambda: bool(answers))
    assert (answers[0].outcome, answers[0].acked_by) == (Outcome.COMMITTED, (A,))
    world.start(B)
    world.start(C)
    world.run(world.now_us + 3 * SECOND)
    assert [world.nodes[n].disk.epoch() for n in (A, B, C)] == [2, 1, 1]
    assert all(
        world.nodes[n].disk.image.have().get(world.nodes[A].disk.origin) == 0 for n in (B, C)
    )


def a_signature_is_its_owner_s() -> None:
    assert signature("key-01", b"x") != signature("key-02", b"x")


MORE_SCHEDULES = (
    an_epoch_that_nobody_signed_is_not_believed,
    a_key_that_was_replaced_opens_nothing,
    who_may_not_hold_a_write_does_not_confirm_it,
    pages_that_bring_nothing_are_not_asked_for_in_a_loop,
    a_snapshot_that_takes_long_is_waited_for_while_bytes_arrive,
    what_seems_lost_is_called_so_only_when_the_time_is_up,
    states_that_differ_are_told_of,
    a_forked_write_is_never_called_committed,
    last_words_of_a_dead_incarnation_count_for_nothing,
    a_member_that_has_become_slow_is_not_counted_on_until_it_is_well,
    who_refuses_is_not_counted_on_until_it_takes_something_in,
    appends_shorter_than_asked_for_follow_one_another_at_once,
    a_forced_epoch_rules_where_an_operator_says_so_and_nowhere_else,
    a_signature_is_its_owner_s,
)
