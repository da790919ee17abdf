"""Count who holds one write until its fate is known.

A write is committed here before anyone is asked to copy it, so it can never be taken back: when
too few voters confirm in time it is *pending*, not failed, and will still spread. Only a write
that was refused before it was stamped may be called not written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from aimem_sync.dot import Dot, Origin
from aimem_sync.effects import Answer, Outcome, PeerState
from aimem_sync.events import WriteWanted, Wrote
from aimem_sync.members import Config

Holders: TypeAlias = Callable[[Dot], frozenset[str]]
"""Which nodes are known to hold an op on disk, this one included; each of them once. Who holds an
op holds all that come before it in its log."""

Standings: TypeAlias = Callable[["Dot | None", "frozenset[str] | None"], tuple[PeerState, ...]]
"""How the other members stand to an op (None: to the next one), of those that may hold it."""


def _nobody(_dot: Dot | None, _eligible: frozenset[str] | None) -> tuple[PeerState, ...]:
    return ()


@dataclass(slots=True)
class OpenWrite:
    """One write that somebody waits for."""

    request: int
    deadline_us: int
    "Monotonic, fixed when the request came in; never derived anew."
    needed: int
    "As asked for; 0 is the majority of each epoch it meets."
    configs: list[Config]
    "Every epoch it has lived in: it must be held by enough voters of each."
    dot: Dot | None = None
    "Its last op, once stamped."
    eligible: frozenset[str] | None = None
    "The members that may hold it; None for all."


def counted_in(config: Config, eligible: frozenset[str] | None) -> frozenset[str]:
    """Whose word counts for a write: voters, if they may hold it.

    Where no voter may, as in what a learner keeps to itself, those members count that do.
    """
    if eligible is None:
        return config.voters
    return config.voters & eligible or config.everyone & eligible


def needed_in(config: Config, needed: int, eligible: frozenset[str] | None = None) -> int:
    """W of a write in this epoch: as asked for, or the majority of those that count.

    Never more than there are where not all may hold it: more than everybody nobody can want.
    """
    if eligible is None:
        return needed or config.majority
    counted = len(counted_in(config, eligible))
    return min(needed or counted // 2 + 1, max(1, counted))


def acks_in(
    config: Config, holders: Iterable[str], eligible: frozenset[str] | None = None
) -> frozenset[str]:
    """Those of the holders that count, by node id."""
    return counted_in(config, eligible) & frozenset(holders)


@dataclass(slots=True)
class Quorum:
    """All writes that wait for an answer, in the order in which they came."""

    open: dict[int, OpenWrite] = field(default_factory=dict)
    standings: Standings = _nobody

    def admit(self, wanted: WriteWanted, config: Config, in_sync: Iterable[str]) -> Answer | None:
        """Open a write, or refuse it before anything is logged. `in_sync` includes this node."""
        eligible = wanted.eligible
        needed = needed_in(config, wanted.needed, eligible)
        counted = counted_in(config, eligible)
        near = acks_in(config, in_sync, eligible)
        reason = ""
        if needed > len(counted):
            reason = f"{needed} voters are needed and there are {len(counted)}"
        elif len(near) < needed and not wanted.allow_pending and wanted.known is None:
            reason = f"{len(near)} of the {needed} voters that are needed are in sync"
        if reason:
            return self.not_written(wanted.request, reason, eligible, needed)
        self.open[wanted.request] = OpenWrite(
            wanted.request, wanted.deadline_us, wanted.needed, [config], wanted.known, eligible
        )
        return None

    def wrote(self, wrote: Wrote, me: str) -> Answer | None:
        """The write is in the log of this node. Answered at once if there was nothing to write."""
        write = self.open.get(wrote.request)
        if write is None:
            return None
        if wrote.dot is None:
            del self.open[wrote.request]
            return Answer(wrote.request, Outcome.COMMITTED, (me,), 1)
        write.dot = wrote.dot
        write.needed = wrote.needed or write.needed
        if wrote.eligible is not None:
            write.eligible = wrote.eligible
        return None

    def refused(self, request: int, reason: str) -> Answer | None:
        """The store has logged nothing of it."""
        write = self.open.pop(request, None)
        if write is None:
            return None
        return self.not_written(request, reason, write.eligible)

    def not_written(
        self, request: int, reason: str, eligible: frozenset[str] | None, needed: int = 0
    ) -> Answer:
        """For a write of which nothing was logged: why, and how the other members stand."""
        peers = self.standings(None, eligible)
        return Answer(request, Outcome.NOT_WRITTEN, (), needed, reason, peers)

    def meet(self, config: Config) -> None:
        """A new epoch rules: whoever still waits must be held by enough of its voters too."""
        for write in self.open.values():
            write.configs.append(config)

    def settle(self, now_us: int, holders: Holders) -> list[Answer]:
        """Answer every write whose fate is known now.

        One that is not stamped yet has none: its fate hangs on the disk, and calling it pending
        or not written would be a guess. Who holds an op holds all before it, so behind one that
        waits whoever wants the same waits too: this is asked after every event.
        """
        answers = []
        waiting: dict[tuple[Origin, int, frozenset[str] | None, int], int] = {}
        for write in list(self.open.values()):
            dot = write.dot
            if dot is None:
                continue
            alike = dot.origin, write.needed, write.eligible, write.configs[0].epoch
            if now_us < write.deadline_us and dot.seq >= waiting.get(alike, dot.seq + 1):
                continue
            answer = self.fate(write, now_us, holders(dot))
            if answer is None:
                waiting[alike] = dot.seq
            else:
                del self.open[write.request]
                answers.append(answer)
        return answers

    def fate(self, write: OpenWrite, now_us: int, holders: frozenset[str]) -> Answer | None:
        """The answer to one write; None while it may still become better."""
        # The deadline comes first: an ack that is read late must not depend on when the timer ran.
        now, may = write.configs[-1], write.eligible
        acked, needed = acks_in(now, holders, may), needed_in(now, write.needed, may)
        if now_us >= write.deadline_us:
            return self._late(write, acked, needed)
        if all(
            len(acks_in(c, holders, may)) >= needed_in(c, write.needed, may) for c in write.configs
        ):
            return Answer(write.request, Outcome.COMMITTED, tuple(sorted(acked)), needed)
        return None

    def _late(self, write: OpenWrite, acked: frozenset[str], needed: int) -> Answer:
        reason = f"{len(acked)} of {needed} voters hold it so far"
        if len(acked) >= needed:
            reason = f"{len(acked)} voters hold it, but not before its time was up"
        peers = self.standings(write.dot, write.eligible)
        return Answer(write.request, Outcome.PENDING, tuple(sorted(acked)), needed, reason, peers)

    def next_deadline_us(self) -> int | None:
        """When to look again at the latest. Of one that is not stamped yet, its stamp will tell."""
        stamped = (write for write in self.open.values() if write.dot is not None)
        return min((write.deadline_us for write in stamped), default=None)


def commit_seq(config: Config, seqs: Iterable[tuple[str, int]]) -> int:
    """How far a log is committed: the W-th largest of what each voter holds, W the majority."""
    counted = sorted((seq for node, seq in seqs if node in config.voters), reverse=True)
    return counted[config.majority - 1] if len(counted) >= config.majority else 0
