"""One member of a cluster, as a function of what happens to it.

`DataPlane.step(now_us, event)` returns what is to be done; the shell does it and reports back.
It holds no ops, only where logs end: reading and writing them is the store's affair. Every rule
is in a module of its own (quorum, links, intake, catchup, decree, stable, tokens); here they are
only brought together, so that there is one place which says what follows from what.
"""

from __future__ import annotations

from typing import Final

from aimem_sync.catchup import adverts_of
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot
from aimem_sync.effects import (
    Changed,
    Collect,
    Effect,
    Fence,
    Note,
    PeerState,
    Send,
    SendAppend,
    Stamp,
    Truncate,
)
from aimem_sync.events import (
    ChangeWanted,
    Digested,
    Disconnected,
    Event,
    Forced,
    Heard,
    Installed,
    Kept,
    NotKept,
    NotWritten,
    ReadWanted,
    SnapshotProgress,
    Tick,
    Truncated,
    WriteWanted,
    Wrote,
)
from aimem_sync.hearing import Hearing
from aimem_sync.janitor import is_janitor
from aimem_sync.knowledge import Standing
from aimem_sync.links import AWAY_US, BEAT_US, Link, beat_of
from aimem_sync.messages import Beat, Status
from aimem_sync.peers import peer_states
from aimem_sync.quorum import commit_seq
from aimem_sync.stable import collectable, stable, truncation
from aimem_sync.tokens import judge

__all__ = ["DataPlane", "Standing"]

TOO_EARLY: Final = "this node has just begun and waits to hear how far others hold its log"
FORGET_US: Final = 2_000_000
"""Between two looks at what may be forgotten."""


class DataPlane(Hearing):
    """See the module. Not to be entered by two threads at once."""

    def step(self, now_us: int, *events: Event) -> list[Effect]:
        """What follows from these events. `now_us` is monotonic; a fenced node does nothing.

        Several at once are what became known in one moment: what they lead to is done once.
        """
        if self.fenced:
            return []
        away_us, self.now_us = now_us - self.now_us, now_us
        if away_us >= AWAY_US:
            self.startup.excuse(away_us)
            for link in self.links.values():
                link.excuse(away_us)
        out = [effect for event in events for effect in self._handle(now_us, event)]
        out += self._settle(now_us)
        fence = next((effect for effect in out if isinstance(effect, Fence)), None)
        if fence is not None:
            self.fenced = fence.reason
            return [fence]
        return out

    def wake_at_us(self) -> int | None:
        """When the next Tick must come at the latest, for a deadline; None if nobody waits."""
        times = (
            self.quorum.next_deadline_us(), self.reads.next_deadline_us(),
            self.startup.wake_at_us(),
        )  # fmt: skip
        return min((time for time in times if time is not None), default=None)

    # ---- what happens ----------------------------------------------------------------------------

    def _handle(self, now_us: int, event: Event) -> list[Effect]:
        match event:
            case Heard(fingerprint, message):
                return self._heard(now_us, fingerprint, message)
            case Tick(wall_us, can_hear):
                if can_hear:
                    self.startup.can_hear(now_us)
                return self._tick(now_us, wall_us)
            case Disconnected(node_id):
                self.catchup.disconnected(now_us, node_id)
                if node_id in self.links:
                    self.links[node_id].awaited = 0
                return []
            case WriteWanted():
                return self._write_wanted(now_us, event)
            case Wrote():
                self._own_log_ends(event.head)
                answer = self.quorum.wrote(event, self.me)
                return [] if answer is None else [answer]
            case NotWritten(request, reason):
                self.startup.held.pop(request, None)
                answer = self.quorum.refused(request, reason)
                return [] if answer is None else [answer]
            case Kept(ticket):
                return self._kept(now_us, ticket)
            case NotKept(ticket, reason):
                self.council.not_kept(ticket)
                self.catchup.rest(now_us)
                disappointed = self.intake.not_kept(ticket)
                acks = [self._ack(waiting, Status.STORAGE) for waiting in disappointed]
                return [Note(f"not kept: {reason}"), *acks]
            case Installed():
                return self._installed(now_us, event)
            case Truncated(floor):
                self.floor = self.floor.merge(floor)
                return []
            case SnapshotProgress(node_id):
                self.catchup.progressed(now_us, node_id)
                return []
            case Digested(have, root):
                self.summed, self.root = have, root
                return []
            case Forced(config):
                return self.council.force(config)
            case ReadWanted():
                self.reads.admit(event)
                return []
            case _:
                return self._change_wanted(now_us, event)

    def _write_wanted(self, now_us: int, wanted: WriteWanted) -> list[Effect]:
        # What its key has written before adds nothing to the log.
        if wanted.known is None and not self.startup.is_over(now_us, self.config, self.me):
            self.startup.held[wanted.request] = wanted
            return []
        return self._admit(now_us, wanted)

    def _begin(self, now_us: int) -> list[Effect]:
        """Let the writes go on that came too early, or tell whoever will not wait longer."""
        if self.startup.is_over(now_us, self.config, self.me):
            return [e for one in self.startup.release() for e in self._admit(now_us, one)]
        return [
            self.quorum.not_written(wanted.request, TOO_EARLY, wanted.eligible)
            for wanted in self.startup.too_late(now_us)
        ]

    def _admit(self, now_us: int, wanted: WriteWanted) -> list[Effect]:
        answer = self.quorum.admit(wanted, self.config, self.in_sync(now_us))
        if answer is not None:
            return [answer]
        return [Stamp(wanted.request)] if wanted.known is None else []

    def _change_wanted(self, now_us: int, wanted: ChangeWanted) -> list[Effect]:
        for node in sorted(wanted.config.voters - self.config.voters):
            lag = self.lag_of(node)
            if lag:
                return [_refused_change(wanted, f"{node} still lacks {lag} ops")]
        return self.council.propose(now_us, wanted.request, wanted.config)

    def lag_of(self, node: str) -> int:
        """Ops that this node had a moment ago and a member has not confirmed; 1 if it was never
        heard of.

        Not all that it has now: while clients write some op is always on its way, and who joins a
        busy cluster would never be seen to have caught up.
        """
        link = self.links.get(node)
        if link is None or link.heard_us is None:
            return 1
        then = self._had[0] if self._had else self.intake.have()
        return sum(g.last - g.first + 1 for g in then.missing_from(_held(link)))

    def _tick(self, now_us: int, wall_us: int) -> list[Effect]:
        self.wall_less_now_us = wall_us - now_us
        out = self.council.tick(now_us)
        beat: Beat | None = None
        for node, link in self.links.items():
            if link.beaten_us is None or now_us - link.beaten_us >= BEAT_US:
                beat = beat or self._beat_now(wall_us)
                out.append(Send(node, link.beat_to(now_us, beat)))
        if now_us - self._noted_us >= BEAT_US:
            self._noted_us = now_us
            self._had.append(self.intake.have())
        if now_us - self._forgot_us >= FORGET_US:
            self._forgot_us = now_us
            out += self._forget()
        out += self._ask(now_us)
        return out

    def _beat_now(self, wall_us: int) -> Beat:
        heads, me = self.intake.durable, self.origin.incarnation
        root = self.root if self.summed == self.intake.have() else b""
        return beat_of(me, self.config.epoch, heads, self.floor, wall_us, root)

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
        out: list[Effect] = self._begin(now_us) if self.startup.held else []
        out += self.quorum.settle(now_us, self.holders)
        if self.reads.waiting:
            have = self.intake.have()
            live = {n: link.incarnation for n, link in self.links.items() if link.incarnation}
            live[self.me] = self.origin.incarnation
            live |= dict.fromkeys(self.config.retired, "")  # what is not here of theirs is gone
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

    def peer_status(self, dot: Dot) -> tuple[PeerState, ...]:
        """How each other member stands to an op of this node, as far as is known now."""
        return peer_states(self.config, self.links, dot.origin, dot.seq, self.now_us)

    def is_janitor(self, now_us: int) -> bool:
        """Whether it is this node that expires what is past its time."""
        near = {n: link.offset_us for n, link in self.links.items() if link.in_reach(now_us)}
        return is_janitor(self.me, self.config, near)

    def _commit_seq(self) -> int:
        theirs = [(n, link.held.get(self.origin, 0)) for n, link in self.links.items()]
        return commit_seq(self.config, [*theirs, (self.me, self.own_seq)])


def _held(link: Link) -> Cursor:
    return Cursor(dict(link.held))


def _refused_change(wanted: ChangeWanted, reason: str) -> Effect:
    return Changed(wanted.request, won=False, reason=reason)
