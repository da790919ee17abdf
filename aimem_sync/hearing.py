"""What follows from what other members say.

Whatever a message claims about its sender is ignored: who speaks is told by the key that the
connection proved. What it claims about ops has been checked against their origins' keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aimem_sync.catchup import serve
from aimem_sync.cursor import Cursor
from aimem_sync.divergence import Likeness, compare_roots
from aimem_sync.dot import Origin
from aimem_sync.effects import Effect, Fence, Install, Keep, Note, Send, SendSnapshot
from aimem_sync.intake import NO_HEAD, Waiting
from aimem_sync.knowledge import Knowledge
from aimem_sync.links import BEAT_US, Link
from aimem_sync.messages import (
    Append,
    AppendAck,
    Beat,
    Message,
    Page,
    Pull,
    Snapshot,
    SnapshotRequired,
    SnapshotWanted,
    Status,
)
from aimem_sync.op import Op
from aimem_sync.snapshot import is_useful

OLD_IMAGE: Final = "others hold more of this node's log than it does: an old disk image"
OTHER_HISTORY: Final = "another history of this node's log is held by others"


class Hearing(Knowledge):
    """See the module."""

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
        self.links[node].sent_own(origin, append.ops[-1].seq)
        self.intake.wait(waiting)
        return [*out, *self._acks()]

    def _take(self, ops: tuple[Op, ...]) -> tuple[list[Effect], Mapping[Origin, Status]]:
        known = tuple(op for op in ops if self.config.knows(op.origin.node_id))
        admitted = self.intake.admit(known)
        if any(o.node_id == self.me and s is Status.FORK for o, s in admitted.status.items()):
            return [Fence(OTHER_HISTORY)], admitted.status
        if not admitted.ops:
            return [], admitted.status
        ticket = self._new_ticket()
        self.intake.begin(ticket, admitted.ops)
        return [Keep(ticket, admitted.ops)], admitted.status

    def _acked(self, now_us: int, link: Link, ack: AppendAck) -> list[Effect]:
        was_slow = link.is_slow(now_us)
        if not link.take_ack(now_us, ack):
            return [Note("an ack of another incarnation", link.node_id)]
        if ack.origin == self.origin and ack.durable_seq > self.own_seq:
            return [Fence(OLD_IMAGE)]
        if ack.status is Status.FORK and ack.origin == self.origin:
            return [Fence(OTHER_HISTORY)]
        out: list[Effect] = []
        if link.is_slow(now_us) and not was_slow:
            out.append(Note("a slow member", link.node_id))
        if ack.configs:
            out += self._council(self.council.learn(ack.configs, ack.proofs))
        return out

    def _beat(self, now_us: int, link: Link, beat: Beat) -> list[Effect]:
        if not link.take_beat(now_us, beat):
            link.hear_clock(now_us, beat)
            return [Note("a beat of another incarnation", link.node_id)]
        link.measure(now_us, now_us + self.wall_less_now_us, beat)
        mine = beat.heads.get(self.origin)
        if mine is not None and mine.seq > self.own_seq:
            return [Fence(OLD_IMAGE)]
        if mine is not None and self.own_chains.get(mine.seq, mine.chain) != mine.chain:
            return [Fence(OTHER_HISTORY)]
        out: list[Effect] = []
        for origin in self.intake.disagrees(beat.heads):
            out.append(Note("fork", link.node_id))
            if origin.node_id == self.me:
                # Also of an earlier incarnation: what only this disk says of it, nobody shares.
                return [Fence(OTHER_HISTORY)]
        self.startup.heard.add(link.node_id)
        out += self._compare(link.node_id, beat)
        behind = beat.epoch < self.config.epoch
        if behind and (link.told_us is None or now_us - link.told_us >= BEAT_US):
            link.told_us = now_us
            out.append(Send(link.node_id, self.council.since(beat.epoch)))
        # A look at every log of every member: among a hundred, not for each word that is no news.
        staged = self.intake.staged
        if any(head.seq > staged.get(o, NO_HEAD).seq for o, head in beat.heads.items()):
            out += self._ask(now_us)
        return out

    def _compare(self, node: str, beat: Beat) -> list[Effect]:
        if not beat.root or beat.heads != self.intake.durable:
            return []  # also where two histories have one length: that is a fork, and worse
        likeness = compare_roots(self.summed, self.root, self.intake.have(), beat.root)
        if likeness is Likeness.EQUAL:
            self.divergences.pop(node, None)
        roots = self.root + beat.root
        if likeness is not Likeness.DIVERGED or self.divergences.get(node) == roots:
            return []
        self.divergences[node] = roots
        return [Note("divergence", node)]

    def _page(self, now_us: int, node: str, pull_id: int, ops: tuple[Op, ...]) -> list[Effect]:
        origins = self.catchup.answered(node, pull_id)
        if origins is None:
            return []
        out, status = self._take(tuple(op for op in ops if op.origin in origins))
        brought = bool(out)
        out += [Note(s.value, node) for s in status.values() if s is not Status.OK]
        if brought:
            self.catchup.hurry(origins)
        else:
            self.catchup.fruitless(now_us, node, origins)
            out.append(Note("a page that brought nothing", node))
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
