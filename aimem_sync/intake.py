"""Take in other logs: admit, have kept, and only then believe.

Two heads per log are known here, and they must not be confused. The *staged* head is where the
next op must join; the *durable* head is what may be told to anyone. Between them lie ops that a
power cut would take back.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aimem_sync.cursor import Cursor
from aimem_sync.dot import Origin
from aimem_sync.faults import ChainFault, Duplicate, Fork, Gap, LamportFault
from aimem_sync.log import Head, admit
from aimem_sync.messages import Status
from aimem_sync.op import Op

NO_HEAD = Head()


@dataclass(frozen=True, slots=True)
class Waiting:
    """A sender to be answered once its ops are on disk."""

    peer: str
    origin: Origin
    answered: int


@dataclass(slots=True)
class Batch:
    """Ops on their way to disk."""

    heads: dict[Origin, Head]
    "Where each log ends once they are there."


@dataclass(frozen=True, slots=True)
class Admitted:
    """What became of a run of ops."""

    ops: tuple[Op, ...]
    "Those to be kept now."
    status: Mapping[Origin, Status]
    "Of every log in the run: OK, or why it stopped there."


@dataclass(slots=True)
class Intake:
    """Where every log ends, on disk and on the way to it."""

    durable: dict[Origin, Head] = field(default_factory=dict)
    staged: dict[Origin, Head] = field(default_factory=dict)
    lamport: int = 0
    batches: dict[int, Batch] = field(default_factory=dict)
    waiting: list[Waiting] = field(default_factory=list)
    forked: set[Origin] = field(default_factory=set)
    "Logs of which two histories exist: nothing more of them is taken in."

    def have(self) -> Cursor:
        """What is on disk."""
        return Cursor({origin: head.seq for origin, head in self.durable.items()})

    def staged_have(self) -> Cursor:
        """What is on disk or on its way: what need not be asked for again."""
        return Cursor({origin: head.seq for origin, head in self.staged.items()})

    def admit(self, ops: Iterable[Op]) -> Admitted:
        """Take ops as far as they continue what is staged. Stops a log at its first fault."""
        taken: list[Op] = []
        status: dict[Origin, Status] = {}
        for op in ops:
            origin = op.origin
            if status.setdefault(origin, Status.OK) is not Status.OK:
                continue
            if origin in self.forked:
                status[origin] = Status.FORK
                continue
            try:
                head = self._next(self.staged.get(origin, NO_HEAD), op)
            except Duplicate:
                continue
            except Gap:
                status[origin] = Status.GAP
            except Fork:
                status[origin] = Status.FORK
                self.forked.add(origin)
            except (ChainFault, LamportFault):
                status[origin] = Status.DAMAGED
            else:
                self.staged[origin] = head
                taken.append(op)
        return Admitted(tuple(taken), status)

    def _next(self, head: Head, op: Op) -> Head:
        return admit(head, op)

    def begin(self, ticket: int, ops: Iterable[Op]) -> None:
        """These admitted ops are being written."""
        self.batches[ticket] = Batch({op.origin: Head(op.seq, op.chain) for op in ops})

    def kept(self, ticket: int) -> bool:
        """They are on disk. False if this was no batch of ops."""
        batch = self.batches.pop(ticket, None)
        if batch is None:
            return False
        for origin, head in batch.heads.items():
            self.own(origin, head)
        return True

    def own(self, origin: Origin, head: Head) -> None:
        """A log is on disk up to this head."""
        if head.seq > self.durable.get(origin, NO_HEAD).seq:
            self.durable[origin] = head
        if head.seq > self.staged.get(origin, NO_HEAD).seq:
            self.staged[origin] = head

    def not_kept(self, ticket: int) -> list[Waiting]:
        """The disk refused a batch. All that was staged is taken back; its senders get an answer.

        Batches behind it continue what is not there. The store refuses those by itself; the ones
        that stand on their own arrive as kept all the same.
        """
        if self.batches.pop(ticket, None) is None:
            return []
        self.staged = dict(self.durable)
        disappointed = self.waiting
        self.waiting = []
        return disappointed

    def wait(self, waiting: Waiting) -> None:
        """Answer this sender once its ops are on disk; once per origin, the latest Append only."""
        self.waiting = [
            w for w in self.waiting if (w.peer, w.origin) != (waiting.peer, waiting.origin)
        ]
        self.waiting.append(waiting)

    def answerable(self) -> list[Waiting]:
        """Senders whose ops are on disk now. Each is returned once."""
        ready = [w for w in self.waiting if self.durable_seq(w.origin) >= w.answered]
        if ready:
            self.waiting = [w for w in self.waiting if w not in ready]
        return ready

    def durable_seq(self, origin: Origin) -> int:
        return self.durable.get(origin, NO_HEAD).seq

    def replace(self, heads: Mapping[Origin, Head]) -> None:
        """A snapshot has taken the place of all that was here."""
        self.durable = dict(heads)
        self.staged = dict(heads)

    def disagrees(self, heads: Mapping[Origin, Head]) -> list[Origin]:
        """Logs of which another member has another history of the same length."""
        found = [
            origin
            for origin, head in heads.items()
            if origin not in self.forked
            and (mine := self.durable.get(origin)) is not None
            and mine.seq == head.seq
            and mine.chain != head.chain
        ]
        self.forked.update(found)
        return found
