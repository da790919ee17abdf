"""The protocol, broken on purpose in one place at a time: each break must be caught.

A mutant replaces a function of the core, or of the store in memory, while it is active; nothing
in the core knows of it. `python -m tests.sim.mutants` prints how soon each is killed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from aimem_sync import catchup, dataplane, decree, hearing, intake, links, members, quorum
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot
from aimem_sync.effects import Answer, Outcome, SendPage, Vote
from aimem_sync.log import Head
from aimem_sync.merge import collect
from aimem_sync.messages import Page
from aimem_sync.snapshot import Plan
from aimem_sync.tokens import Verdict
from tests.sim import directed, world
from tests.sim import disk as disks
from tests.sim.campaign import one
from tests.sim.oracles import Violation

Patch = tuple[Any, str, Any]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break."""

    name: str
    patches: tuple[Patch, ...]
    seeds: int = 40
    "Within so many seeds it must be caught, unless a directed schedule does it."
    schedule: Callable[[], None] | None = None

    @contextmanager
    def active(self) -> Iterator[None]:
        with ExitStack() as stack:
            for target, name, broken in self.patches:
                stack.enter_context(patch.object(target, name, broken))
            disks.SAID.clear()
            yield
        disks.SAID.clear()


@dataclass(frozen=True, slots=True)
class Kill:
    """How a mutant fared."""

    runs: int
    kills: int
    first: str
    directed: str


def hunt(mutant: Mutant, *, first: int = 1, seeds: int | None = None, stop: bool = True) -> Kill:
    """Look for a mutant: its directed schedule first, then seeds until one catches it."""
    kills, runs, words, by_schedule = 0, 0, "", ""
    with mutant.active():
        if mutant.schedule is not None:
            by_schedule = caught(mutant.schedule)
            if by_schedule and stop:
                return Kill(0, 0, "", by_schedule)
        for seed in range(first, first + (mutant.seeds if seeds is None else seeds)):
            runs += 1
            run = one(seed)
            if run.violation:
                kills += 1
                words = words or f"seed {seed}: {run.violation}"
                if stop:
                    break
    return Kill(runs, kills, words, by_schedule)


def caught(schedule: Callable[[], None]) -> str:
    """What a directed schedule had to say against the code it ran on."""
    try:
        schedule()
    except Violation as found:
        return str(found) or "violation"
    except AssertionError as found:
        return str(found).splitlines()[0] if str(found) else "assertion"
    return ""


# ---- broken parts --------------------------------------------------------------------------------

_begin = intake.Intake.begin
_fate = quorum.Quorum.fate
_acked = dataplane.DataPlane._acked
_holders = dataplane.DataPlane.holders
_write = disks.Disk._write
_snapshot = disks.Disk.snapshot
_plan = disks.plan
_meet = dataplane.DataPlane._meet
_start = world.World.start


def ack_before_fsync(self: Any, ticket: int, ops: Any) -> None:
    taken = list(ops)
    _begin(self, ticket, taken)
    for op in taken:
        self.own(op.origin, Head(op.seq, op.chain))


def count_self_twice(config: Any, holders: Any) -> frozenset[str]:
    held = config.voters & frozenset(holders)
    return held | {"self"} if held else held


def acked_again(self: Any, now_us: int, link: Any, ack: Any) -> Any:
    tally = self.__dict__.setdefault("acks_heard", [])
    if ack.origin == self.origin:
        tally.append((ack.durable_seq, f"{link.node_id}#{len(tally)}"))
    return _acked(self, now_us, link, ack)


def holders_again(self: Any, dot: Dot) -> frozenset[str]:
    extra = {n for seq, n in self.__dict__.get("acks_heard", ()) if seq >= dot.seq}
    return _holders(self, dot) | (extra if dot.origin == self.origin else set())


def every_name_counts(config: Any, holders: Any) -> frozenset[str]:
    return frozenset(holders)


def late_is_committed(self: Any, write: Any, acked: Any, needed: int) -> Answer:
    return Answer(write.request, Outcome.COMMITTED, tuple(sorted(acked)), needed)


def late_is_failed(self: Any, write: Any, acked: Any, needed: int) -> Answer:
    return Answer(write.request, Outcome.NOT_WRITTEN, tuple(sorted(acked)), needed)


def gaps_welcome(self: Any, head: Head, op: Any) -> Head:
    if op.seq <= head.seq:
        raise intake.Duplicate(op.seq)
    return Head(op.seq, op.chain)


def duplicates_welcome(self: Any, head: Head, op: Any) -> Head:
    if op.seq > head.seq + 1:
        raise intake.Gap(head.seq)
    return Head(op.seq, op.chain)


_do = world.World._do


def read_by_lamport(self: Any, node: Any, effects: Any) -> None:
    rest = []
    for effect in effects:
        if not isinstance(effect, SendPage):
            rest.append(effect)
            continue
        cursor = self.nodes[effect.to].disk.image.lamport
        logs = node.disk.image.logs.values()
        found = tuple(op for log in logs for op in log.ops if op.lamport > cursor)
        self.send(node, effect.to, Page(effect.pull_id, found))
    _do(self, node, rest)


def truncate_anything(stable_now: Cursor, have: Cursor, retained_ops: int) -> Cursor:
    return Cursor({o: seq - retained_ops for o, seq in have if seq > retained_ops})


def serve_from_floor(to: str, pull: Any, have: Cursor, floor: Cursor) -> Any:
    raised = {o: max(pull.have.get(o), floor.get(o)) for o in pull.origins}
    return _serve(to, replace(pull, have=Cursor(raised)), have, floor)


_serve = catchup.serve


def start_without_lamport(self: Any, name: str) -> None:
    self.nodes[name].disk.image.lamport = 0
    _start(self, name)


def witness_own_only(self: Any, op: Any) -> int:
    return self.lamport + 1


_fold = disks.Image.fold


def untag_by_value(self: Any, op: Any) -> None:
    _fold(self, op)
    gone = {name for name, _ in disks.said(op).untagged}
    state = self.states[op.record_id]
    if gone & set(state.tags):
        kept = {name: dots for name, dots in state.tags.items() if name not in gone}
        self.states[op.record_id] = replace(state, tags=kept)


def collect_at_once(self: Any, stable: Cursor) -> None:
    for name, state in self.image.states.items():
        named = {dot for _, dot in state.overwritten | state.untagged}
        if named:
            far = Cursor({dot.origin: 1 << 40 for dot in named})
            self.image.states[name] = collect(state, far)


def collect_always(everyone: Any, me: str, adverts: Any) -> Cursor:
    return adverts[me]


def bare_snapshot(self: Any, pull_id: int) -> Any:
    kept = dict(self.image.states)
    for name, state in kept.items():
        self.image.states[name] = replace(state, overwritten=frozenset(), untagged=frozenset())
    made = _snapshot(self, pull_id)
    self.image.states = kept
    return made


def plan_without_tail(have: Cursor, floor: Cursor, theirs: Cursor) -> Plan:
    return Plan((), _plan(have, floor, theirs).refused)


def plan_never_refused(have: Cursor, floor: Cursor, theirs: Cursor) -> Plan:
    found = _plan(have, floor, theirs)
    return Plan((), ()) if found.refused else found


def keep_the_origin(self: Any, node: Any) -> None:
    return None


def serve_any_read(*_: Any) -> Any:
    return Verdict.SERVE, ()


def no_key_known(self: Any, key: str) -> None:
    return None


def push_always(self: Any, now_us: int, own: Any, own_seq: int, floor_seq: int) -> Any:
    held = self.held.get(own, 0)
    if held >= own_seq or held < floor_seq or not self.in_reach(now_us):
        return None
    return links.Range(own, held + 1, own_seq)


def renew_but_remember(self: Any, incarnation: str) -> None:
    self.incarnation = incarnation


def listen_to_all(self: Any, fingerprint: str) -> str | None:
    for config in reversed(self.council.history):
        if found := next((m for m in config.members if fingerprint in m.fingerprints), None):
            return found.node_id
    return None


def drop_no_link(self: Any, config: Any) -> None:
    before = dict(self.links)
    _meet(self, config)
    for node, link in before.items():
        self.links.setdefault(node, link)


def half_is_enough(self: Any) -> int:
    return max(1, len(self.config.voters) // 2)


def own_wish_always(self: Any, proposal: Any) -> Any:
    return proposal.wanted


def promise_nothing(self: Any, sender: str, epoch: int, ballot: Any, config: Any) -> Any:
    if members.why_not_next(self.config, config):
        return []
    new = Vote(epoch, ballot, ballot, config)
    return self._keep_vote(new, sender, decree.Accepted(epoch, ballot))


def stale_is_fine(self: Any, node: str, append: Any) -> Any:
    return _append(self, node, replace(append, epoch=self.config.epoch))


_append = dataplane.DataPlane._append

_UNCHECKED = (disks.Disk, "checks", False)

MUTANTS = (
    Mutant("ack before fsync", ((intake.Intake, "begin", ack_before_fsync),)),
    Mutant("count self twice", ((quorum, "acks_in", count_self_twice),)),
    Mutant(
        "duplicate acks counted",
        (
            (dataplane.DataPlane, "_acked", acked_again),
            (dataplane.DataPlane, "holders", holders_again),
            (quorum, "acks_in", every_name_counts),
        ),
    ),
    Mutant("commit on timeout", ((quorum.Quorum, "_late", late_is_committed),)),
    Mutant("fail on timeout", ((quorum.Quorum, "_late", late_is_failed),)),
    Mutant(
        "accept gaps",
        ((intake.Intake, "_next", gaps_welcome), _UNCHECKED),
        schedule=directed.an_append_that_leaves_a_gap_is_not_taken_in,
        seeds=400,
    ),
    Mutant("no duplicate check", ((intake.Intake, "_next", duplicates_welcome), _UNCHECKED)),
    Mutant(
        "Lamport as cursor",
        (
            (world.World, "_do", read_by_lamport),
            (intake.Intake, "_next", gaps_welcome),
            _UNCHECKED,
        ),
    ),
    Mutant("truncate unstable log", ((dataplane, "truncation", truncate_anything),)),
    Mutant("skip truncated range", ((hearing, "serve", serve_from_floor),), seeds=400),
    Mutant("restart forgets Lamport", ((world.World, "start", start_without_lamport),)),
    Mutant("Lamport not merged", ((disks.Image, "witness", witness_own_only),)),
    Mutant("untag by value", ((disks.Image, "fold", untag_by_value),)),
    Mutant(
        "GC tombstones at once",
        ((dataplane, "collectable", collect_always), (disks.Disk, "_collect", collect_at_once)),
        seeds=200,
    ),
    Mutant(
        "snapshot without tombstones",
        ((disks.Disk, "snapshot", bare_snapshot),),
        schedule=directed.a_snapshot_carries_what_it_knows_to_be_overwritten,
        seeds=400,
    ),
    Mutant(
        "snapshot drops own ops",
        ((disks, "plan", plan_without_tail),),
        schedule=directed.a_snapshot_leaves_own_ops_in_place,
        seeds=400,
    ),
    Mutant(
        "snapshot may regress",
        ((disks, "plan", plan_never_refused),),
        schedule=directed.a_snapshot_that_would_lose_ops_is_refused,
        seeds=400,
    ),
    Mutant(
        "restore reuses origin",
        ((world.World, "renew", keep_the_origin),),
        seeds=200,
    ),
    Mutant("token ignored", ((dataplane, "judge", serve_any_read),)),
    Mutant("idempotency ignored", ((disks.Disk, "known", no_key_known),)),
    Mutant("push storm", ((links.Link, "next_append", push_always),)),
    Mutant(
        "acks survive restore",
        ((links.Link, "_renew", renew_but_remember),),
        schedule=directed.acks_die_with_the_incarnation_that_gave_them,
        seeds=400,
    ),
    Mutant(
        "accept from evicted",
        (
            (dataplane.DataPlane, "_sender", listen_to_all),
            (dataplane.DataPlane, "_meet", drop_no_link),
        ),
        schedule=directed.an_evicted_node_is_neither_heard_nor_answered,
        seeds=200,
    ),
    Mutant(
        "half the voters decide",
        ((decree.Council, "_majority", half_is_enough),),
        schedule=directed.two_halves_decide_nothing,
        seeds=400,
    ),
    Mutant(
        "accepted config forgotten",
        ((decree.Council, "_choose", own_wish_always),),
        schedule=directed.what_may_be_decided_stays_decided,
        seeds=400,
    ),
    Mutant(
        "promise not kept",
        ((decree.Council, "_accept", promise_nothing),),
        schedule=directed.an_outbid_proposer_decides_nothing,
        seeds=400,
    ),
    Mutant(
        "stale epoch accepted",
        ((dataplane.DataPlane, "_append", stale_is_fine),),
        schedule=directed.an_append_of_an_older_epoch_is_answered_with_the_newer,
        seeds=0,
    ),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, default=1)
    parser.add_argument("--only", default="")
    parser.add_argument(
        "--all-seeds", type=int, default=0, help="run so many seeds of each, and count all kills"
    )
    asked = parser.parse_args()
    survived = 0
    print(f"{'mutant':30} {'kills/runs':>12}  what caught it")
    for mutant in MUTANTS:
        if asked.only not in mutant.name:
            continue
        counted = asked.all_seeds or None
        kill = hunt(mutant, first=asked.first, seeds=counted, stop=not counted)
        dead = bool(kill.kills or kill.directed)
        survived += not dead
        how = kill.first or (f"directed: {kill.directed}" if kill.directed else "SURVIVED")
        print(f"{mutant.name:30} {f'{kill.kills}/{kill.runs}':>12}  {how[:110]}", flush=True)
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main())
