"""One member of a cluster, as a function of what happens to it.

`DataPlane.step(now_us, event)` returns what is to be done; the shell does it and reports back.
It holds no ops, only where logs end: reading and writing them is the store's affair. Every rule
is in a module of its own (quorum, links, intake, catchup, decree, stable, tokens); here they are
only brought together, so that there is one place which says what follows from what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aimem_sync.catchup import Catchup, adverts_of, serve
from aimem_sync.cursor import Cursor
from aimem_sync.decree import Council
from aimem_sync.dot import Dot, Origin
from aimem_sync.effects import (
    Applied,
    Changed,
    ChangeWanted,
    Collect,
    Disconnected,
    Effect,
    Event,
    Fence,
    Heard,
    Install,
    Installed,
    Keep,
    Kept,
    Note,
    NotKept,
    NotWritten,
    ReadWanted,
    Send,
    SendAppend,
    SendSnapshot,
    Stamp,
    Tick,
    Truncate,
    Truncated,
    Vote,
    WriteWanted,
    Wrote,
)
from aimem_sync.intake import Intake, Waiting
from aimem_sync.links import BEAT_US, Link, beat_of
from aimem_sync.log import Head
from aimem_sync.members import Config
from aimem_sync.messages import (
    Append,
    AppendAck,
    Beat,
    Learn,
    Message,
    Page,
    Pull,
    Snapshot,
    SnapshotRequired,
    SnapshotWanted,
    Status,
)
from aimem_sync.op import Op
from aimem_sync.quorum import Quorum, commit_seq
from aimem_sync.reads import Reads
from aimem_sync.snapshot import is_useful
from aimem_sync.stable import collectable, stable, truncation
from aimem_sync.tokens import judge

FORGET_US: Final = 2_000_000
"""Between two looks at what may be forgotten."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a node finds on its disk when it starts."""

    origin: Origin
    history: tuple[Config, ...]
    heads: Mapping[Origin, Head] = field(default_factory=dict)
    floor: Cursor = field(default_factory=Cursor)
    votes: Mapping[int, Vote] = field(default_factory=dict)
    retained_ops: int = 1_000
    "Bodies kept of every log, however stable. The shell's Truncate may keep more, never less."


class DataPlane:
    """See the module. Not to be entered by two threads at once."""

    def __init__(self, standing: Standing) -> None:
        self.origin = standing.origin
        self.me = standing.origin.node_id
        self.floor = standing.floor
        self.retained_ops = standing.retained_ops
        self.intake = Intake(dict(standing.heads), dict(standing.heads))
        self.quorum = Quorum()
        self.reads = Reads()
        self.catchup = Catchup()
        self.council = Council(
            self.me, list(standing.history), dict(standing.votes), self._new_ticket
        )
        self.links: dict[str, Link] = {}
        self.durable_upto: dict[Origin, int] = {}
        "Of other logs: how far their origins have called them committed."
        self.fenced = ""
        self.snapshot_from = ""
        self._ticket = 0
        self._forgot_us = 0
        self._meet(self.config)

    @property
    def config(self) -> Config:
        return self.council.config

    @property
    def own_seq(self) -> int:
        return self.intake.durable_seq(self.origin)

    def step(self, now_us: int, event: Event) -> list[Effect]:
        """What follows from this event. `now_us` is monotonic; a fenced node does nothing."""
        if self.fenced:
            return []
        out = self._handle(now_us, event)
        out += self._settle(now_us)
        fence = next((effect for effect in out if isinstance(effect, Fence)), None)
        if fence is not None:
            self.fenced = fence.reason
            return [fence]
        return out

    def wake_at_us(self) -> int | None:
        """When the next Tick must come at the latest, for a deadline; None if nobody waits."""
        times = (self.quorum.next_deadline_us(), self.reads.next_deadline_us())
        return min((time for time in times if time is not None), default=None)

    def holders(self, dot: Dot) -> frozenset[str]:
        """Which members are known to hold an op on disk: node ids, this one included."""
        found = {n for n, link in self.links.items() if link.held.get(dot.origin, 0) >= dot.seq}
        if self.intake.durable_seq(dot.origin) >= dot.seq:
            found.add(self.me)
        return frozenset(found)

    def is_durable(self, dot: Dot) -> bool:
        """Whether the op is known to be committed, here or at its origin."""
        if dot.seq <= self.durable_upto.get(dot.origin, 0):
            return True
        return len(self.config.voters & self.holders(dot)) >= self.config.majority

    def in_sync(self, now_us: int) -> list[str]:
        """Members that can be expected to confirm a write in time, this one included."""
        near = [
            n for n, link in self.links.items() if link.in_sync(now_us, self.origin, self.own_seq)
        ]
        return [self.me, *near]

    # ---- what happens ----------------------------------------------------------------------------

    def _handle(self, now_us: int, event: Event) -> list[Effect]:
        match event:
            case Heard(fingerprint, message):
                return self._heard(now_us, fingerprint, message)
            case Tick(wall_us):
                return self._tick(now_us, wall_us)
            case Disconnected(node_id):
                self.catchup.disconnected(now_us, node_id)
                if node_id in self.links:
                    self.links[node_id].awaited = 0
                return []
            case WriteWanted():
                return self._write_wanted(now_us, event)
            case Wrote(request, dot, head):
                self.intake.own(self.origin, head)
                self.quorum.wrote(request, dot)
                return []
            case NotWritten(request, reason):
                answer = self.quorum.refused(request, reason)
                return [] if answer is None else [answer]
            case Kept(ticket):
                return self._kept(now_us, ticket)
            case NotKept(ticket, reason):
                self.council.not_kept(ticket)
                disappointed = self.intake.not_kept(ticket)
                acks = [self._ack(waiting, Status.STORAGE) for waiting in disappointed]
                return [Note(f"not kept: {reason}"), *acks]
            case Installed():
                return self._installed(now_us, event)
            case Truncated(floor):
                self.floor = self.floor.merge(floor)
                return []
            case ReadWanted():
                self.reads.admit(event)
                return []
            case _:
                return self._change_wanted(now_us, event)

    def _write_wanted(self, now_us: int, wanted: WriteWanted) -> list[Effect]:
        answer = self.quorum.admit(wanted, self.config, self.in_sync(now_us))
        if answer is not None:
            return [answer]
        return [Stamp(wanted.request)] if wanted.known is None else []

    def _change_wanted(self, now_us: int, wanted: ChangeWanted) -> list[Effect]:
        for node in sorted(wanted.config.voters - self.config.voters):
            lag = self._lag_of(node)
            if lag:
                return [_refused_change(wanted, f"{node} still lacks {lag} ops")]
        return self.council.propose(now_us, wanted.request, wanted.config)

    def _lag_of(self, node: str) -> int:
        link = self.links.get(node)
        if link is None or link.heard_us is None:
            return 1
        return sum(g.last - g.first + 1 for g in self.intake.have().missing_from(_held(link)))

    def _tick(self, now_us: int, wall_us: int) -> list[Effect]:
        out = self.council.tick(now_us)
        beat: Beat | None = None
        for node, link in self.links.items():
            if link.beaten_us is None or now_us - link.beaten_us >= BEAT_US:
                link.beaten_us = now_us
                beat = beat or beat_of(
                    self.origin.incarnation,
                    self.config.epoch,
                    self.intake.durable,
                    self.floor,
                    wall_us,
                )
                out.append(Send(node, beat))
        if now_us - self._forgot_us >= FORGET_US:
            self._forgot_us = now_us
            out += self._forget()
        out += self._ask(now_us)
        return out

    def _forget(self) -> list[Effect]:
        have = self.intake.have()
        adverts = adverts_of(self.me, have, self.links)
        out: list[Effect] = []
        upto = truncation(stable(self.config.everyone, adverts), have, self.retained_ops)
        if not self.floor.dominates(upto):
            out.append(Truncate(upto))
        names = collectable(self.config.everyone, self.me, adverts)
        if names:
            out.append(Collect(names))
        return out

    # ---- what others say -------------------------------------------------------------------------

    def _heard(self, now_us: int, fingerprint: str, message: Message) -> list[Effect]:
        node = self._sender(fingerprint)
        link = self.links.get(node or "")
        if node is None or link is None:
            return [Note("a key that opens nothing", fingerprint)]
        match message:
            case Append():
                return self._append(node, message)
            case AppendAck():
                return self._acked(now_us, link, message)
            case Beat():
                return self._beat(now_us, link, message)
            case Pull():
                return [serve(node, message, self.intake.have(), self.floor)]
            case Page(pull_id, ops):
                return self._page(now_us, node, pull_id, ops)
            case SnapshotRequired(pull_id, _):
                origins = self.catchup.answered(node, pull_id)
                return self.catchup.want_snapshot(now_us, node, origins) if origins else []
            case SnapshotWanted(pull_id):
                return [SendSnapshot(node, pull_id)]
            case Snapshot():
                return self._snapshot(node, message)
            case _:
                return self._council(self.council.hear(node, message))

    def _sender(self, fingerprint: str) -> str | None:
        return self.config.node_of(fingerprint)

    def _append(self, node: str, append: Append) -> list[Effect]:
        origin = append.origin
        if origin.node_id != node or any(op.origin != origin for op in append.ops):
            return [Note("an Append of another node's log", node)]
        waiting = Waiting(node, origin, append.ops[-1].seq)
        if append.epoch < self.config.epoch:
            return [Note("stale epoch", node), self._ack(waiting, Status.STALE_EPOCH, append.epoch)]
        upto = max(self.durable_upto.get(origin, 0), append.durable_upto)
        self.durable_upto[origin] = upto
        out, status = self._take(append.ops)
        refusal = status.get(origin, Status.OK)
        if refusal is not Status.OK:
            return [*out, Note(refusal.value, node), self._ack(waiting, refusal)]
        self.intake.wait(waiting)
        return [*out, *self._acks()]

    def _take(self, ops: tuple[Op, ...]) -> tuple[list[Effect], Mapping[Origin, Status]]:
        known = tuple(op for op in ops if self.config.knows(op.origin.node_id))
        admitted = self.intake.admit(known)
        if not admitted.ops:
            return [], admitted.status
        ticket = self._new_ticket()
        self.intake.begin(ticket, admitted.ops)
        return [Keep(ticket, admitted.ops)], admitted.status

    def _acked(self, now_us: int, link: Link, ack: AppendAck) -> list[Effect]:
        if not link.take_ack(now_us, ack):
            return [Note("an ack of an earlier incarnation", link.node_id)]
        if ack.status is Status.FORK and ack.origin == self.origin:
            return [Fence("another history of this node's log is held by others")]
        return self._council(self.council.learn(ack.configs)) if ack.configs else []

    def _beat(self, now_us: int, link: Link, beat: Beat) -> list[Effect]:
        if not link.take_beat(now_us, beat):
            return [Note("a beat of an earlier incarnation", link.node_id)]
        mine = beat.heads.get(self.origin)
        if mine is not None and mine.seq > self.own_seq:
            return [Fence("others hold more of this node's log than it does: an old disk image")]
        out: list[Effect] = []
        for origin in self.intake.disagrees(beat.heads):
            out.append(Note("fork", link.node_id))
            if origin == self.origin:
                return [Fence("another history of this node's log is held by others")]
        behind = beat.epoch < self.config.epoch
        if behind and (link.told_us is None or now_us - link.told_us >= BEAT_US):
            link.told_us = now_us
            out.append(Send(link.node_id, Learn(self.council.since(beat.epoch))))
        return [*out, *self._ask(now_us)]

    def _page(self, now_us: int, node: str, pull_id: int, ops: tuple[Op, ...]) -> list[Effect]:
        origins = self.catchup.answered(node, pull_id)
        if origins is None:
            return []
        out, status = self._take(tuple(op for op in ops if op.origin in origins))
        out += [Note(s.value, node) for s in status.values() if s is not Status.OK]
        if ops:
            self.catchup.hurry(origins)
        return [*out, *self._acks(), *self._ask(now_us)]

    def _snapshot(self, node: str, snapshot: Snapshot) -> list[Effect]:
        if self.catchup.answered(node, snapshot.pull_id) is None:
            return []
        theirs = Cursor({origin: head.seq for origin, head in snapshot.heads.items()})
        if not is_useful(self.intake.have(), theirs):
            return [Note("snapshot overtaken", node)]
        self.catchup.installing = True
        self.snapshot_from = node
        return [Install(snapshot)]

    # ---- what the store says ---------------------------------------------------------------------

    def _kept(self, now_us: int, ticket: int) -> list[Effect]:
        if self.intake.kept(ticket):
            return [*self._acks(), *self._ask(now_us)]
        return self._council(self.council.kept(ticket))

    def _installed(self, now_us: int, installed: Installed) -> list[Effect]:
        self.catchup.installed(now_us, self.snapshot_from, installed.refused)
        if installed.refused:
            return [Note("snapshot refused", self.snapshot_from)]
        self.intake.replace(installed.heads)
        self.floor = self.floor.merge(installed.floor)
        return self._ask(now_us)

    # ---- what follows ----------------------------------------------------------------------------

    def _settle(self, now_us: int) -> list[Effect]:
        out: list[Effect] = []
        out += self.quorum.settle(now_us, self.holders)
        if self.reads.waiting:
            have = self.intake.have()
            live = {n: link.incarnation for n, link in self.links.items() if link.incarnation}
            live[self.me] = self.origin.incarnation
            others = [_held(li) if li.heard_us is not None else None for li in self.links.values()]
            done, wanted = self.reads.settle(now_us, lambda t: judge(t, have, live, others))
            out += done
            if wanted:
                self.catchup.hurry(wanted)
                out += self._ask(now_us)
        return [*out, *self._push(now_us)]

    def _push(self, now_us: int) -> list[Effect]:
        own, floor = self.own_seq, self.floor.get(self.origin)
        out: list[Effect] = []
        for node, link in self.links.items():
            ops = link.next_append(now_us, self.origin, own, floor)
            if ops is not None:
                out.append(SendAppend(node, ops, self.config.epoch, self._commit_seq()))
        return out

    def _commit_seq(self) -> int:
        theirs = [(n, link.held.get(self.origin, 0)) for n, link in self.links.items()]
        return commit_seq(self.config, [*theirs, (self.me, self.own_seq)])

    def _ask(self, now_us: int) -> list[Effect]:
        staged = self.intake.staged_have()
        links = self.links.values()
        return self.catchup.decide(now_us, self.origin, staged, links, self.intake.forked)

    def _acks(self) -> list[Effect]:
        return [self._ack(waiting, Status.OK) for waiting in self.intake.answerable()]

    def _ack(self, waiting: Waiting, status: Status, epoch: int | None = None) -> Effect:
        configs = self.council.since(epoch) if epoch is not None else ()
        durable = self.intake.durable_seq(waiting.origin)
        me = self.origin.incarnation
        ack = AppendAck(me, waiting.origin, waiting.answered, durable, status, configs)
        return Send(waiting.peer, ack)

    def _council(self, effects: Iterable[Effect]) -> list[Effect]:
        out: list[Effect] = []
        for effect in effects:
            out.append(effect)
            if isinstance(effect, Applied):
                self._meet(effect.config)
                self.quorum.meet(effect.config)
        return out

    def _meet(self, config: Config) -> None:
        """Make room for those who belong, and forget all that others have ever said."""
        for node in sorted(set(self.links) - config.everyone):
            del self.links[node]
            self.catchup.forget(node)
            self.intake.waiting = [w for w in self.intake.waiting if w.peer != node]
        for node in sorted(config.everyone - {self.me} - set(self.links)):
            self.links[node] = Link(node)
        for link in self.links.values():
            link.paused_until_us = 0  # whoever refused because of the epoch may take it now

    def _new_ticket(self) -> int:
        self._ticket += 1
        return self._ticket


def _held(link: Link) -> Cursor:
    return Cursor(dict(link.held))


def _refused_change(wanted: ChangeWanted, reason: str) -> Effect:
    return Changed(wanted.request, won=False, reason=reason)
