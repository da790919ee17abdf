"""What one member knows: where logs end, who belongs, how the others stand, and who is waiting.

It holds no ops. Beside the parts there are only the questions that several of them answer
together, and the handful of effects that follow from all kinds of events.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aimem_sync.catchup import Catchup
from aimem_sync.cursor import Cursor
from aimem_sync.decree import Council
from aimem_sync.dot import Dot, Origin
from aimem_sync.effects import Applied, Effect, Send, Vote
from aimem_sync.intake import Intake, Waiting
from aimem_sync.links import Link
from aimem_sync.log import Head
from aimem_sync.members import Config
from aimem_sync.messages import AppendAck, Status
from aimem_sync.quorum import Quorum
from aimem_sync.reads import Reads


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


class Knowledge:
    """See the module."""

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

    # ---- for what follows ------------------------------------------------------------------------

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
