"""What one member knows: where logs end, who belongs, how the others stand, and who is waiting.

It holds no ops. Beside the parts there are only the questions that several of them answer
together, and the handful of effects that follow from all kinds of events.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from aimem_sync.catchup import Catchup
from aimem_sync.cursor import Cursor
from aimem_sync.decree import Council, Proves, Sign, unchecked, unsigned
from aimem_sync.dot import Dot, Origin
from aimem_sync.effects import Applied, Effect, PeerState, Send, Vote
from aimem_sync.intake import Intake, Waiting
from aimem_sync.links import Link
from aimem_sync.log import Head
from aimem_sync.members import Config, Proof
from aimem_sync.messages import AppendAck, Learn, Status
from aimem_sync.peers import peer_states
from aimem_sync.quorum import Quorum, commit_seq
from aimem_sync.reads import Reads
from aimem_sync.startup import Startup

OWN_CHAINS_MAX: Final = 4_096
"""Hashes of the own log that are remembered. Who is further behind is checked by its next ack."""

BATCHES_MAX: Final = 8
"""Batches on their way to disk, and nothing more is fetched: 8 MiB. A network is faster than a
disk, and what it brings too early would only wait in memory."""


HAD_BEATS: Final = 3
"""Who confirms all that was held so many beats ago has caught up: it takes one to hear of what was
written, and one to say that it is there."""


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
    proofs: Mapping[int, Proof] = field(default_factory=dict)
    "That each epoch of the history was decided, by epoch."
    sign: Sign = unsigned
    "This node's signature; asked for under an epoch that it accepts."
    proves: Proves = unchecked
    "Whether signatures are good; see decree.Proves."
    snapshot_lag_ops: int = 20_000
    "Who lacks more than this over all logs asks for a snapshot instead; 0: only if it must."
    is_log_whole: bool = False
    "Nobody can hold more of the own log than this disk does: the log is new, say."


class Knowledge:
    """See the module."""

    def __init__(self, standing: Standing) -> None:
        self.origin = standing.origin
        self.me = standing.origin.node_id
        self.floor = standing.floor
        self.retained_ops = standing.retained_ops
        self.intake = Intake(dict(standing.heads), dict(standing.heads))
        self.quorum = Quorum(standings=self._standings)
        self.startup = Startup(is_over_for_good=standing.is_log_whole)
        self.reads = Reads()
        self.catchup = Catchup(snapshot_lag_ops=standing.snapshot_lag_ops)
        self.council = Council(
            self.me, list(standing.history), dict(standing.votes), self._new_ticket,
            proofs=dict(standing.proofs), sign=standing.sign, proves=standing.proves,
        )  # fmt: skip
        self.links: dict[str, Link] = {}
        own = standing.heads.get(self.origin)
        self.own_chains: dict[int, bytes] = {own.seq: own.chain} if own is not None else {}
        "Hashes of the own log, the last ones: others that hold less must agree with them."
        self.durable_upto: dict[Origin, int] = {}
        "Of other logs: how far their origins have called them committed."
        self.summed = Cursor()
        self.root = b""
        "Digest.root of this node's state as of `summed`; empty until it has been reported."
        self.divergences: dict[str, bytes] = {}
        "By member: the two roots that were told of last."
        self.fenced = ""
        self.snapshot_from = ""
        self.now_us = 0
        self.wall_less_now_us = 0
        "What the wall clock shows beyond the monotonic one, as of the last Tick."
        self.last_ticket = 0
        self._forgot_us = 0
        self._noted_us = 0
        self._had: deque[Cursor] = deque(maxlen=HAD_BEATS)
        "What was held at the last few beats, the oldest first."
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

    def committed(self) -> dict[Origin, int]:
        """Per log: up to where a majority of voters is known to hold it, by hearsay included."""
        config = self.config
        found: dict[Origin, int] = {}
        for origin, head in self.intake.durable.items():
            theirs = [(n, link.held.get(origin, 0)) for n, link in self.links.items()]
            counted = commit_seq(config, [*theirs, (self.me, head.seq)])
            found[origin] = max(counted, self.durable_upto.get(origin, 0))
        return found

    def clock_offset_us(self, node_id: str) -> int | None:
        """The clock of another member minus this one's; None if it is not known."""
        link = self.links.get(node_id)
        return link.offset_us if link is not None else None

    def in_sync(self, now_us: int) -> list[str]:
        """Members that can be expected to confirm a write in time, this one included."""
        near = [
            n for n, link in self.links.items() if link.in_sync(now_us, self.origin, self.own_seq)
        ]
        return [self.me, *near]

    def _standings(self, dot: Dot | None, eligible: frozenset[str] | None) -> tuple[PeerState, ...]:
        origin, seq = (self.origin, self.own_seq) if dot is None else (dot.origin, dot.seq)
        return peer_states(
            self.config, self.links, origin, seq, self.now_us, eligible, written=dot is not None
        )

    def _own_log_ends(self, head: Head) -> None:
        self.intake.own(self.origin, head)
        self.own_chains[head.seq] = head.chain
        if len(self.own_chains) > OWN_CHAINS_MAX:
            del self.own_chains[next(iter(self.own_chains))]

    # ---- for what follows ------------------------------------------------------------------------

    def _ask(self, now_us: int) -> list[Effect]:
        if len(self.intake.batches) >= BATCHES_MAX:
            return []
        staged = self.intake.staged_have()
        links = self.links.values()
        return self.catchup.decide(now_us, self.origin, staged, links, self.intake.forked)

    def _acks(self) -> list[Effect]:
        return [self._ack(waiting, Status.OK) for waiting in self.intake.answerable()]

    def _ack(self, waiting: Waiting, status: Status, epoch: int | None = None) -> Effect:
        news = self.council.since(epoch) if epoch is not None else Learn(())
        durable = self.intake.durable_seq(waiting.origin)
        me, origin, answered = self.origin.incarnation, waiting.origin, waiting.answered
        ack = AppendAck(me, origin, answered, durable, status, news.configs, news.proofs)
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
            link.meet()

    def _new_ticket(self) -> int:
        self.last_ticket += 1
        return self.last_ticket
