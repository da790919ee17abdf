"""Schedules that chance would need thousands of seeds to find, one function each.

Each asserts on its own, beside the oracles that always watch. They are run as tests on the sound
code, and against the mutant that each was written for.
"""

from __future__ import annotations

from collections.abc import Callable

from aimem_sync.change import Change
from aimem_sync.cursor import Cursor, Range
from aimem_sync.display import Life, display
from aimem_sync.dot import Origin
from aimem_sync.effects import Answer, Install, Keep, Note, Outcome, Send, Truncate
from aimem_sync.events import Heard, Installed
from aimem_sync.messages import Accept, Append, AppendAck, Pull, SnapshotWanted, Status
from aimem_sync.op import Op
from aimem_sync.startup import GRACE_US
from tests.sim.disk import Disk, Image
from tests.sim.world import MS, SECOND, Node, World, node_name

A, B, C, D = (node_name(i) for i in range(1, 5))


def cluster(nodes: int = 3) -> World:
    """A quiet cluster whose members have all heard of one another."""
    world = World(7, nodes)
    world.run(SECOND)
    return world


def cut(world: World, *pairs: tuple[str, str]) -> None:
    """Block both directions between each pair."""
    world.net.blocked.update(pairs)
    world.net.blocked.update((b, a) for a, b in pairs)


def until(world: World, happens: Callable[[], bool], within_us: int = 5 * SECOND) -> None:
    """Go on in small steps until something has happened."""
    end_us = world.now_us + within_us
    while not happens():
        assert world.now_us < end_us, "it never happened"
        world.run(world.now_us + MS // 4)


def put(world: World, name: str, record: str, value: str, **more: object) -> int:
    return world.write(
        name,
        Change(record, "memory", set={"title": value}),
        f"{name[-1]}{value}",
        **more,  # type: ignore[arg-type]
    )


def op_of(node: Node, seq: int, origin: Origin | None = None) -> Op:
    return node.disk.read(Range(origin or node.disk.origin, seq, seq))[0]


def level(world: World) -> None:
    until(world, lambda: not world.oracles.level(), 12 * SECOND)
    world.oracles.verdict()


def a_snapshot_carries_what_it_knows_to_be_overwritten() -> None:
    """C has the newer version and not the older one, which reaches the newcomer last."""
    world = cluster()
    a, b, c = (world.nodes[n] for n in (A, B, C))
    cut(world, (A, C))
    put(world, A, "r", "old")
    until(world, lambda: b.disk.image.have().get(a.disk.origin) == 1)
    put(world, B, "r", "new")
    until(world, lambda: c.disk.image.have().get(b.disk.origin) == 1)
    assert c.disk.image.have().get(a.disk.origin) == 0
    fresh = Disk(Origin(D, "0" * 16), Image(history=[world.first]))
    (done,) = fresh.do([Install(c.disk.snapshot(1))], 0)
    assert isinstance(done, Installed)
    fresh.do([Keep(1, (op_of(a, 1),))], 0)
    assert fresh.image.digest() == b.disk.image.digest()


def _diverged(world: World) -> tuple[Node, Node]:
    """A holds an op of its own that B lacks, and B one that A lacks."""
    a, b = world.nodes[A], world.nodes[B]
    put(world, A, "r", "one")
    until(world, lambda: b.disk.image.have().get(a.disk.origin) == 1)
    cut(world, (A, B), (A, C))
    put(world, A, "r", "two", allow_pending=True)
    put(world, B, "s", "other")
    until(world, lambda: a.disk.image.have().get(a.disk.origin) == 2)
    until(world, lambda: b.disk.image.have().get(b.disk.origin) == 1)
    return a, b


def a_snapshot_leaves_own_ops_in_place() -> None:
    world = cluster()
    a, b = _diverged(world)
    before = a.disk.image.have()
    a.disk.do([Install(b.disk.snapshot(1))], 0)
    world.oracles.fsynced(a, before)
    assert a.disk.image.have() == before.merge(b.disk.image.have())
    assert a.disk.image.digest() == world.oracles.reference(a.disk.image.have())


def a_snapshot_that_would_lose_ops_is_refused() -> None:
    world = cluster()
    a, b = _diverged(world)
    before = a.disk.image.have()
    a.disk.do([Truncate(Cursor({a.disk.origin: 2}))], 0)
    (done,) = a.disk.do([Install(b.disk.snapshot(1))], 0)
    world.oracles.fsynced(a, before)
    assert isinstance(done, Installed)
    assert done.refused == (a.disk.origin,)


def acks_die_with_the_incarnation_that_gave_them() -> None:
    """B confirms, loses its disk, and says so; then C confirms. That is two disks, not three."""
    world = cluster()
    a, b, c = (world.nodes[n] for n in (A, B, C))
    answers: list[Answer] = []
    world.on_answer = lambda node, answer: answers.append(answer)
    cut(world, (A, C), (B, C))
    put(world, A, "r", "one", needed=3, wait_us=4 * SECOND, allow_pending=True)
    origin = a.disk.origin
    core = a.core
    assert core is not None
    until(world, lambda: core.links[B].held.get(origin) == 1)
    world.net.blocked.add((A, B))
    world.restore(B, world.nodes[B].disk.image.bare())
    world.start(B)
    world.run(world.now_us + SECOND)  # B is heard of under its new incarnation
    world.net.blocked.discard((A, C))
    world.net.blocked.discard((C, A))
    until(world, lambda: c.disk.image.have().get(origin) == 1)
    assert b.disk.image.have().get(origin) == 0
    world.run(world.now_us + 3 * SECOND)
    assert [answer.outcome for answer in answers] == [Outcome.PENDING]


def two_halves_decide_nothing() -> None:
    world = cluster(4)
    cut(world, (A, C), (A, D), (B, C), (B, D))
    world.change(A, world.first.without(D))
    world.change(C, world.first.without(A))
    world.run(world.now_us + 5 * SECOND)
    assert world.latest().epoch == 1


def _half_decided(world: World) -> None:
    """A has had "without C" accepted by B and knows it; nobody else knows that it was decided."""
    cut(world, (A, C), (B, C))
    world.change(A, world.first.without(C))
    until(world, lambda: 2 in (votes := world.nodes[B].disk.votes) and bool(votes[2].accepted))
    world.net.blocked.add((A, B))
    until(world, lambda: world.nodes[A].disk.epoch() == 2)


def what_may_be_decided_stays_decided() -> None:
    """C, who was to be evicted, proposes something else to B: it must get what B has accepted."""
    world = cluster()
    _half_decided(world)
    cut(world, (A, B), (A, C))
    world.net.blocked -= {(B, C), (C, B)}
    world.run(world.now_us + SECOND)
    world.change(C, world.first.without(A))
    until(world, lambda: world.nodes[C].disk.epoch() == 2)
    assert world.latest() == world.first.without(C)
    assert world.nodes[C].disk.image.history[-1] == world.first.without(C)


def an_outbid_proposer_decides_nothing() -> None:
    """A's late Accept reaches B, which has promised and accepted something higher since."""
    world = cluster()
    a, b, c = (world.nodes[n] for n in (A, B, C))
    cut(world, (A, C), (B, C))
    world.change(A, world.first.without(B))
    until(world, lambda: 2 in b.disk.votes)
    world.net.blocked.add((A, B))
    core = a.core
    assert core is not None
    until(world, lambda: core.council.proposal is not None and bool(core.council.proposal.asked))
    assert core.council.proposal is not None
    late = Accept(2, core.council.proposal.ballot, world.first.without(B))
    world.net.blocked -= {(B, C), (C, B)}
    world.change(C, world.first.without(A))
    until(world, lambda: bool(b.disk.votes[2].accepted))
    world.net.blocked.add((C, B))
    until(world, lambda: c.disk.epoch() == 2)
    assert b.disk.epoch() == 1
    world._deliver(a.fingerprint, B, b.boot, late)
    world.run(world.now_us + 100 * MS)
    assert a.disk.epoch() == 1


def an_append_of_an_older_epoch_is_answered_with_the_newer() -> None:
    world = cluster(4)
    a, b = world.nodes[A], world.nodes[B]
    cut(world, (A, B), (A, C), (A, D))
    world.change(B, world.first.without(D))
    until(world, lambda: b.disk.epoch() == 2)
    world.run(world.now_us + SECOND)
    put(world, A, "r", "stale", allow_pending=True)
    until(world, lambda: a.disk.image.have().get(a.disk.origin) == 1)
    assert b.core is not None
    old = Append(1, (op_of(a, 1),), 0)
    effects = b.core.step(world.now_us, Heard(a.fingerprint, old))
    acks = [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, AppendAck)]
    assert [ack.status for ack in acks] == [Status.STALE_EPOCH]
    assert acks[0].configs == (world.first.without(D),)
    assert not any(isinstance(effect, Keep) for effect in effects)


def an_append_that_leaves_a_gap_is_not_taken_in() -> None:
    world = cluster()
    a, c = world.nodes[A], world.nodes[C]
    cut(world, (C, A), (C, B))
    put(world, A, "r", "one")
    put(world, A, "r", "two")
    until(world, lambda: a.disk.image.have().get(a.disk.origin) == 2)
    assert c.core is not None
    second = Append(1, (op_of(a, 2),), 0)
    effects = c.core.step(world.now_us, Heard(a.fingerprint, second))
    assert not any(isinstance(effect, Keep) for effect in effects)
    acks = [e.message for e in effects if isinstance(e, Send) and isinstance(e.message, AppendAck)]
    assert [(ack.status, ack.durable_seq) for ack in acks] == [(Status.GAP, 0)]
    world.net.heal()
    level(world)


def an_evicted_node_is_neither_heard_nor_answered() -> None:
    """D writes on, not knowing that it was evicted, and asks for what it has missed."""
    world = cluster(4)
    b, d = world.nodes[B], world.nodes[D]
    cut(world, (D, A), (D, B), (D, C))
    world.change(A, world.first.without(D))
    until(world, lambda: all(world.nodes[n].disk.epoch() == 2 for n in (A, B, C)))
    world.run(world.now_us + 100 * MS)
    put(world, D, "r", "late", allow_pending=True)
    until(world, lambda: d.disk.image.have().get(d.disk.origin) == 1)
    assert b.core is not None
    late = Append(2, (op_of(d, 1),), 0)
    for message in (late, Pull(1, (b.disk.origin,), Cursor(), 256), SnapshotWanted(2)):
        effects = b.core.step(world.now_us, Heard(d.fingerprint, message))
        assert [type(effect) for effect in effects] == [Note]
    world.net.heal()
    world.run(world.now_us + 3 * SECOND)
    assert all(world.nodes[n].disk.image.have().get(d.disk.origin) == 0 for n in (A, B, C))


def ops_of_an_evicted_node_come_from_members() -> None:
    """B alone has taken in D's last op when D is evicted: A and C get it from B."""
    world = cluster(4)
    d = world.nodes[D]
    cut(world, (D, A), (D, C), (B, A), (B, C))
    put(world, D, "r", "last", allow_pending=True)
    until(world, lambda: world.nodes[B].disk.image.have().get(d.disk.origin) == 1)
    cut(world, (D, B))
    world.net.blocked -= {(A, B), (B, A), (B, C), (C, B)}
    world.change(A, world.first.without(D))
    level(world)
    assert world.latest().epoch == 2
    assert world.nodes[C].disk.image.have().get(d.disk.origin) == 1


def set_back(world: World) -> tuple[Node, Origin]:
    """A has told whom it reaches of an op, and has it no more: the node, and the log it was in."""
    a = world.nodes[A]
    image = a.disk.image.copy()
    put(world, A, "r", "one")
    world.run(world.now_us + SECOND)
    origin = a.disk.origin
    world.restore(A, image, renew=False)
    return a, origin


def an_old_image_under_its_old_name_is_found_out() -> None:
    """Somebody has put an old disk back without our tools. Nothing was written on it yet."""
    world = cluster()
    a, before = set_back(world)
    world.start(A)
    level(world)
    assert a.disk.origin != before
    assert world.notes["fenced"] == 1


def an_old_image_writes_nothing_before_others_have_told_what_they_hold() -> None:
    """The same, and a client writes at once, whether or not it can be confirmed."""
    world = cluster()
    a, before = set_back(world)
    world.start(A)
    put(world, A, "r", "two", allow_pending=True)
    level(world)
    assert a.disk.origin != before
    assert world.notes["fork"] == 0
    assert world.notes["fenced"] == 1


def an_old_image_waits_also_for_who_is_late_to_tell() -> None:
    """One of the two others answers at once and knows nothing; the other one holds the op."""
    world = cluster()
    cut(world, (A, C), (B, C))
    a, before = set_back(world)
    world.net.heal()
    cut(world, (A, B), (B, C))
    world.start(A)
    put(world, A, "r", "two", allow_pending=True)
    world.run(world.now_us + 700 * MS)
    assert a.disk.image.have().get(before) == 0
    world.net.heal()
    level(world)
    assert a.disk.origin != before
    assert world.notes["fork"] == 0


def an_old_image_waits_for_others_only_from_when_it_can_hear_them() -> None:
    """A start that takes long: clients are let in well before anybody is dialed."""
    world = cluster()
    a, before = set_back(world)
    cut(world, (A, B), (A, C))
    a.deaf_until_us = world.now_us + GRACE_US + SECOND
    world.start(A)
    put(world, A, "r", "two", allow_pending=True, wait_us=2 * GRACE_US)
    world.run(a.deaf_until_us + SECOND)
    assert a.disk.image.have().get(before) == 0
    world.net.heal()
    level(world)
    assert a.disk.origin != before
    assert world.notes["fork"] == 0


def a_fork_is_found_out_and_taken_in_by_nobody() -> None:
    """The same while it reaches nobody, and it has written on: two ops have one name."""
    world = cluster()
    (a, _), b = set_back(world), world.nodes[B]
    world.oracles.forgive_forks = True
    cut(world, (A, B), (A, C))
    world.start(A)
    world.run(world.now_us + GRACE_US + SECOND)
    put(world, A, "r", "two", allow_pending=True)
    put(world, A, "r", "three", allow_pending=True)
    world.run(world.now_us + 100 * MS)
    forked = a.disk.origin
    world.net.heal()
    level(world)
    assert world.notes["fork"] >= 1
    assert world.notes["fenced"] == 1
    assert a.disk.origin != forked
    assert b.disk.image.have().get(forked) == 1
    assert all(op_of(node, 1, forked).chain == op_of(b, 1, forked).chain for node in (a, b))


def a_write_commits_with_a_member_down_and_reaches_it_later() -> None:
    world = cluster()
    world.crash(C)
    answers: list[Answer] = []
    world.on_answer = lambda node, answer: answers.append(answer)
    put(world, A, "r", "one")
    until(world, lambda: bool(answers))
    assert answers[0].outcome is Outcome.COMMITTED
    assert answers[0].acked_by == (A, B)
    world.start(C)
    level(world)


def relayed_ops_reach_whom_their_origin_cannot() -> None:
    world = cluster()
    cut(world, (A, C))
    put(world, A, "r", "one")
    until(world, lambda: world.nodes[C].disk.image.have().get(world.nodes[A].disk.origin) == 1)


def what_was_taken_away_stays_away_when_its_creation_was_sent_twice() -> None:
    """A takes it in and is cut off; the client sends it again to B, and deletes it there."""
    world = cluster()
    a, b, c = (world.nodes[n] for n in (A, B, C))
    cut(world, (A, B), (A, C))
    create = Change("r", "memory", set={"title": "one"})
    world.write(A, create, "create", allow_pending=True)
    until(world, lambda: a.disk.image.have().get(a.disk.origin) == 1)
    world.write(B, create, "create")
    until(world, lambda: c.disk.image.have().get(b.disk.origin) == 1)
    world.write(B, Change("r", "memory", set={"life": {"is": "deleted"}}), "delete")
    until(world, lambda: c.disk.image.have().get(b.disk.origin) == 2)
    world.net.blocked.clear()
    level(world)
    assert {display(node.disk.image.states["r"]).life for node in (a, b, c)} == {Life.DELETED}


SCHEDULES = (
    a_snapshot_carries_what_it_knows_to_be_overwritten,
    a_snapshot_leaves_own_ops_in_place,
    a_snapshot_that_would_lose_ops_is_refused,
    acks_die_with_the_incarnation_that_gave_them,
    two_halves_decide_nothing,
    what_may_be_decided_stays_decided,
    an_outbid_proposer_decides_nothing,
    an_append_of_an_older_epoch_is_answered_with_the_newer,
    an_append_that_leaves_a_gap_is_not_taken_in,
    an_evicted_node_is_neither_heard_nor_answered,
    ops_of_an_evicted_node_come_from_members,
    an_old_image_under_its_old_name_is_found_out,
    an_old_image_writes_nothing_before_others_have_told_what_they_hold,
    an_old_image_waits_also_for_who_is_late_to_tell,
    an_old_image_waits_for_others_only_from_when_it_can_hear_them,
    a_fork_is_found_out_and_taken_in_by_nobody,
    a_write_commits_with_a_member_down_and_reaches_it_later,
    relayed_ops_reach_whom_their_origin_cannot,
    what_was_taken_away_stays_away_when_its_creation_was_sent_twice,
)
