"""Parts of the core, and of the store in memory, with one thing wrong in each: see mutants."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from aimem_sync import catchup, dataplane, decree, intake, links, members, quorum, reads, startup
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot
from aimem_sync.effects import Answer, Outcome, RefuseRead, SendPage, Vote
from aimem_sync.log import Head
from aimem_sync.merge import collect
from aimem_sync.messages import Page
from aimem_sync.snapshot import Plan
from aimem_sync.tokens import Verdict
from tests.sim import disk as disks
from tests.sim import world

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


def count_self_twice(config: Any, holders: Any, eligible: Any = None) -> frozenset[str]:
    held = _acks_in(config, holders, eligible)
    return held | {"self"} if held else held


_acks_in = quorum.acks_in


def acked_again(self: Any, now_us: int, link: Any, ack: Any) -> Any:
    tally = self.__dict__.setdefault("acks_heard", [])
    if ack.origin == self.origin:
        tally.append((ack.durable_seq, f"{link.node_id}#{len(tally)}"))
    return _acked(self, now_us, link, ack)


def holders_again(self: Any, dot: Dot) -> frozenset[str]:
    extra = {n for seq, n in self.__dict__.get("acks_heard", ()) if seq >= dot.seq}
    return _holders(self, dot) | (extra if dot.origin == self.origin else set())


def every_name_counts(config: Any, holders: Any, eligible: Any = None) -> frozenset[str]:
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


def void_nothing(self: Any) -> None:
    return None


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


def prove_nothing(self: Any, old: Any, new: Any, proof: Any) -> bool:
    return True


def anybody_counts(config: Any, eligible: Any) -> frozenset[str]:
    voters: frozenset[str] = config.voters
    return voters


def never_fruitless(self: Any, now_us: int, peer: str, origins: Any) -> None:
    self.hurry(origins)


def no_patience(self: Any, now_us: int, peer: str) -> None:
    return None


def lost_at_once(self: Any, now_us: int, judge: Any) -> Any:
    out = []
    for read in list(self.waiting.values()):
        verdict, ranges = judge(read.after)
        if verdict is Verdict.LOST:
            out.append(RefuseRead(read.read, ranges, lost=True))
            del self.waiting[read.read]
    done, wanted = _settle_reads(self, now_us, judge)
    return [*out, *done], wanted


_settle_reads = reads.Reads.settle


def compare_nothing(self: Any, node: str, beat: Any) -> list[Any]:
    return []


def forget_own_chains(self: Any, head: Head) -> None:
    self.intake.own(self.origin, head)
    self.own_chains.clear()


def any_incarnation(self: Any, beat: Any) -> bool:
    if beat.incarnation != self.incarnation:
        self._renew(beat.incarnation)
    return True


def old_keys_too(self: Any, fingerprint: str) -> str | None:
    for config in reversed(self.council.history):
        if found := next((m for m in config.members if fingerprint in m.fingerprints), None):
            return found.node_id if found.node_id in self.config.everyone else None
    return None


def never_slow(self: Any, now_us: int) -> bool:
    return False


def never_refusing(self: Any, own: Any) -> bool:
    return False


def whole_answers_only(self: Any, now_us: int, ack: Any) -> bool:
    before = self.awaited
    taken = _take_ack(self, now_us, ack)
    if ack.answered != before:
        self.awaited = before
    return taken


_take_ack = links.Link.take_ack


def over_at_once(self: Any, now_us: int, config: Any, me: str) -> bool:
    return True


def over_with_the_first(self: Any, now_us: int, config: Any, me: str) -> bool:
    return bool(self.heard) or _is_over(self, now_us, config, me)


def over_long_after_the_start(self: Any, now_us: int, config: Any, me: str) -> bool:
    self.can_hear(now_us)
    return _is_over(self, now_us, config, me)


_is_over = startup.Startup.is_over


def no_twins(heads: Any) -> frozenset[Any]:
    return frozenset()
