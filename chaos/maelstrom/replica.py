"""The core of a node with a store in memory behind it, and Maelstrom's names for its members.

It is the very core that a node runs: quorum, catch-up, pulls, cursors. What differs is around it.
All of Maelstrom's nodes are voters of the first epoch, which never ends. There is no TLS and
nothing is signed: who speaks is who Maelstrom says it is, and Maelstrom does not lie about that.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from aimem_sync.change import Change
from aimem_sync.dataplane import DataPlane, Standing
from aimem_sync.dot import Dot, Origin
from aimem_sync.effects import (
    Answer,
    Collect,
    Effect,
    Fence,
    Keep,
    Note,
    Send,
    SendAppend,
    SendPage,
    Stamp,
)
from aimem_sync.events import Event, Heard, Kept, NotWritten, Tick, WriteWanted, Wrote
from aimem_sync.faults import OpFault
from aimem_sync.limits import NUMBER_MAX
from aimem_sync.members import Config, Member
from aimem_sync.messages import Append, Message, Page
from chaos.maelstrom.store import Store


@dataclass(frozen=True, slots=True)
class ToPeer:
    """Send this to the member of this name."""

    name: str
    message: Message


@dataclass(frozen=True, slots=True)
class Done:
    """The fate of a write, and the op that it made, if it made one."""

    answer: Answer
    dot: Dot | None


Outcome: TypeAlias = ToPeer | Done


class Fenced(Exception):  # noqa: N818 - a state of the core, as it calls it
    """The core has found that it must not go on. Here nothing can bring that about but a bug."""


def node_id_of(name: str) -> str:
    """The id of the node that Maelstrom calls so: the same on every node, without asking."""
    return sha256(b"maelstrom\0" + name.encode()).hexdigest()[:32]


def _key_of(name: str) -> str:
    return f"the word of {name}"


def first_epoch(names: Sequence[str]) -> Config:
    """All of them, as voters."""
    members = [Member(node_id_of(name), (_key_of(name),), name=name) for name in set(names)]
    return Config(1, tuple(sorted(members, key=lambda member: member.node_id)))


class Replica:
    """One member. `wall_less_now_us` is what the wall clock shows beyond the monotonic one."""

    def __init__(
        self, me: str, names: Sequence[str], incarnation: str, wall_less_now_us: int,
        log: Callable[[str], None],
    ) -> None:  # fmt: skip
        config = first_epoch(names)
        origin = Origin(node_id_of(me), incarnation)
        self.store = Store(origin)
        # Nothing is truncated and nobody is offered a snapshot: see the store.
        standing = Standing(
            origin, (config,), retained_ops=NUMBER_MAX, snapshot_lag_ops=0, is_log_whole=True
        )
        self.core = DataPlane(standing)
        self.names = {member.node_id: member.name for member in config.members}
        self.wall_less_now_us = wall_less_now_us
        self.log = log
        self._wishes: dict[int, Change] = {}
        self._dots: dict[int, Dot] = {}
        self._last_request = 0

    def tick(self, now_us: int) -> list[Outcome]:
        """Time has passed."""
        return self._step(now_us, Tick(now_us + self.wall_less_now_us))

    def hear(self, now_us: int, name: str, message: Message) -> list[Outcome]:
        """A member has said something."""
        return self._step(now_us, Heard(_key_of(name), message))

    def write(
        self, now_us: int, change: Change, needed: int, deadline_us: int
    ) -> tuple[int, list[Outcome]]:
        """Begin a write; its number comes back in Done, now or later."""
        self._last_request += 1
        self._wishes[self._last_request] = change
        wanted = WriteWanted(self._last_request, deadline_us, needed)
        return self._last_request, self._step(now_us, wanted)

    def _step(self, now_us: int, event: Event) -> list[Outcome]:
        out: list[Outcome] = []
        events = deque([event])
        while events:
            for effect in self.core.step(now_us, events.popleft()):
                self._do(now_us, effect, events, out)
        return out

    def _do(self, now_us: int, effect: Effect, events: deque[Event], out: list[Outcome]) -> None:
        match effect:
            case Send(to, message):
                out.append(ToPeer(self.names[to], message))
            case SendAppend(to, ops, epoch, durable_upto):
                found = self.store.read([ops])
                out.append(ToPeer(self.names[to], Append(epoch, found, durable_upto)))
            case SendPage(to, pull_id, ranges):
                out.append(ToPeer(self.names[to], Page(pull_id, self.store.read(ranges))))
            case Stamp(request):
                events.append(self._stamp(now_us, request))
            case Keep(ticket, ops):
                self.store.keep(ops)
                events.append(Kept(ticket))
            case Answer(request):
                self._wishes.pop(request, None)
                out.append(Done(effect, self._dots.pop(request, None)))
            case Note(what, peer):
                self.log(f"{what} ({self.names.get(peer, peer)})" if peer else what)
            case Collect():
                pass  # the names of overwritten versions: a test is over before they weigh
            case Fence(reason):
                raise Fenced(reason)
            case _:
                # Votes, epochs, snapshots and tokens: nobody here ever asks for any of them.
                self.log(f"left undone: {type(effect).__name__}")

    def _stamp(self, now_us: int, request: int) -> Event:
        wall_us = now_us + self.wall_less_now_us
        try:
            op = self.store.write(self._wishes.pop(request), wall_us, self.core.config.epoch)
        except OpFault as fault:
            return NotWritten(request, str(fault))
        self._dots[request] = op.dot
        return Wrote(request, op.dot, self.store.head(op.origin))
