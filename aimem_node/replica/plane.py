"""Drive the pure core with real time, a real disk and real connections.

The core decides; this carries out, in the order in which it is told, and reports back. Everything
here runs on the event loop; what takes time (the disk, the network) runs elsewhere and comes back
as an event. Nothing is decided here but what the core cannot know: what a disk said, and when.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from aimem_node import logs
from aimem_node.clocks import Clock
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.alarm import Alarm
from aimem_node.replica.desk import Asked, Download, Tallies, Together
from aimem_node.replica.disk import Disk
from aimem_node.replica.gauges import Watch
from aimem_node.replica.granting import (
    Bodies,
    Grants,
    MayHold,
    anybody,
    may_hold,
    speaks_of_grants,
)
from aimem_node.replica.identity import Identity
from aimem_node.replica.net import Net, Nobody
from aimem_node.replica.outbox import Outbox
from aimem_node.replica.recent import Recent
from aimem_node.replica.signatures import Verifier
from aimem_node.replica.standing import begin_settled
from aimem_node.replica.votes import VoteFile
from aimem_node.store.snapshot import SnapshotFile
from aimem_node.store.store import Store
from aimem_node.store.view import View
from aimem_sync.cursor import Cursor
from aimem_sync.dataplane import DataPlane, Standing
from aimem_sync.dot import Dot, Origin
from aimem_sync.effects import (
    Answer,
    Applied,
    Changed,
    Collect,
    Effect,
    Fence,
    Install,
    Keep,
    KeepConfig,
    KeepVote,
    Note,
    Outcome,
    RefuseRead,
    Send,
    SendAppend,
    SendPage,
    ServeRead,
    Stamp,
    Truncate,
)
from aimem_sync.events import (
    ChangeWanted,
    Digested,
    Event,
    Heard,
    Installed,
    NotKept,
    ReadWanted,
    SnapshotProgress,
    Tick,
    WriteWanted,
    Wrote,
)
from aimem_sync.members import Config
from aimem_sync.messages import Append, Message, Page, Snapshot, SnapshotWanted

TICK_S: Final = 0.1
TICK_ALONE_S: Final = 1.0
READ_MS: Final = 10_000
DAY_US: Final = 86_400_000_000
SUM_EVERY_US: Final = 5_000_000
"""Between two digests: a look at 256 sums, of use only once two members hold the same."""


class Plane:
    """See the module. Lives on one event loop."""

    def __init__(
        self, store: Store, identity: Identity, clock: Clock, votes: VoteFile, begin: Standing,
        *, retain_days: int = 0,
    ) -> None:  # fmt: skip
        self.store = store
        self.identity = identity
        self.clock = clock
        self.net: Net = Nobody()
        self.core = DataPlane(begin)
        self.tallies = Tallies()
        self.settled = begin_settled(self.core)
        "What every member has taken in: the store may forget what was overwritten before then."
        self.committed: Mapping[Origin, int] = {}
        self.in_sync: frozenset[str] = frozenset((self.core.me,))
        "Members that can confirm a write now. Read from the writer's thread too."
        self.on_fence: Callable[[str], None] = lambda _reason: None
        self.recent = Recent()
        self.outbox = Outbox(store, self.recent)
        self.bodies = Bodies(self)
        self.watch = Watch()
        self.download: Download | None = None
        self._retain_days = retain_days
        self._loop = asyncio.get_running_loop()
        self._log = logs.get("replica")
        self._asked: dict[int, Asked] = {}
        self._reads: dict[int, asyncio.Future[RefuseRead | None]] = {}
        self._changes: dict[int, asyncio.Future[Changed]] = {}
        self._written: Together[Wrote] = Together(self.feed)
        self._request = 0
        self._files: dict[int, Path] = {}
        self._disk = Disk(store, votes, self.feed_soon, self._soon)
        self._timer: asyncio.TimerHandle | None = None
        self._alarm = Alarm(clock, self._time)
        self._sum_after_us = 0
        self._closed = False

    # ---- what others ask of it ---------------------------------------------------------------

    @property
    def config(self) -> Config:
        """The members of now."""
        return self.core.config

    @property
    def history(self) -> Sequence[Config]:
        """Every epoch known, in order."""
        return tuple(self.core.council.history)

    @property
    def cluster_id(self) -> str:
        """Which cluster this is."""
        return self.core.config.cluster_id

    @property
    def origin(self) -> Origin:
        """The log that this node writes."""
        return self.core.origin

    @property
    def is_alone(self) -> bool:
        """Whether this is a cluster of one."""
        return len(self.core.config.members) == 1

    def start(self, net: Net | None = None) -> None:
        """Begin to keep time."""
        if net is not None:
            self.net = net
            net.follow(self.config, self.history)
        if self._timer is None:
            self._tick()

    async def close(self) -> None:
        """Stop keeping time; whoever still waits is told that nothing more is known."""
        self._closed = True
        self._alarm.stop()
        if self._timer is not None:
            self._timer.cancel()
        asking: list[asyncio.Future[Any]] = [*self._reads.values(), *self._changes.values()]
        for waiting in asking:
            waiting.cancel()
        for request, asked in list(self._asked.items()):
            stopping = Answer(request, Outcome.PENDING, (self.core.me,), 0, "the node is stopping")
            if not asked.answer.done():
                asked.answer.set_result(stopping)
        await asyncio.to_thread(self._disk.close)

    def in_reach(self) -> int:
        """How many voters were heard of lately, this node included if it is one."""
        now_us = self.clock.monotonic_us()
        links = self.core.links
        near = {n for n in self.config.voters if n in links and links[n].in_reach(now_us)}
        return len(near | ({self.core.me} & self.config.voters))

    def pending_writes(self) -> int:
        """How many own ops are not known to be committed, as of now and not of the last tick."""
        return self.core.own_seq - self.core.committed().get(self.origin, 0)

    def diverged_from(self) -> frozenset[str]:
        """Members that hold the same logs and, when last compared, another state."""
        return frozenset(self.core.divergences)

    def forget_divergences(self) -> None:
        """A repair was made: what was compared before says nothing any more."""
        self.core.divergences.clear()
        self.core.summed = Cursor()

    def may_hold(self, node_id: str) -> MayHold:
        """What says of an op whether this member may hold its body."""
        return anybody if self.grants is None else may_hold(self.grants, node_id)

    @property
    def grants(self) -> Grants | None:
        """Which members may hold what; None: all may hold everything."""
        return self.outbox.grants

    def own_dot(self) -> Dot:
        """The end of this node's own log. Of an empty one, the op that would be the first."""
        return Dot(self.origin, max(1, self.core.own_seq))

    def new_request(self) -> int:
        """A number for a write, a read or a change."""
        self._request += 1
        return self._request

    def ask_write(
        self, wanted: WriteWanted, stamp: Callable[[int], None]
    ) -> asyncio.Future[Answer]:
        """Let the core decide about a write. `stamp` is called if it may be done."""
        self.check_not_fenced()
        answer: asyncio.Future[Answer] = self._loop.create_future()
        self._asked[wanted.request] = Asked(wanted, stamp, answer)
        self.feed(wanted)
        return answer

    def wrote(self, wrote: Wrote) -> None:
        """A write is on disk. Those of one commit are told together, and so travel together."""
        asked = self._asked.get(wrote.request)
        if asked is not None:
            asked.wrote = wrote
        if not self.is_alone:
            self.watch.wrote(wrote.head.seq, self.clock.monotonic_us())
        self._written.add(wrote)

    def forget(self, request: int) -> None:
        """Nobody waits for this write any more."""
        self._asked.pop(request, None)

    def ask_read(self, after: Cursor, deadline_us: int) -> asyncio.Future[RefuseRead | None]:
        """None once the store holds all of `after`; RefuseRead if it does not in time."""
        self.check_not_fenced()
        request = self.new_request()
        waiting: asyncio.Future[RefuseRead | None] = self._loop.create_future()
        self._reads[request] = waiting
        self.feed(ReadWanted(request, after, deadline_us))
        return waiting

    def ask_change(self, config: Config) -> asyncio.Future[Changed]:
        """Let the voters decide on the next epoch."""
        self.check_not_fenced()
        request = self.new_request()
        waiting: asyncio.Future[Changed] = self._loop.create_future()
        self._changes[request] = waiting
        self.feed(ChangeWanted(request, config))
        return waiting

    def heard(self, fingerprint: str, message: Message, beside: Sequence[bytes] = ()) -> None:
        """A message came over a connection whose other end proved this key."""
        if beside and isinstance(message, Append | Page):
            self._disk.remember(beside)
        self.feed(Heard(fingerprint, message))

    def downloading(self, node_id: str, pull_id: int, done: int, total: int) -> None:
        """Bytes of a snapshot arrive."""
        if self.download is None or self.download.pull_id != pull_id:
            self.download = Download(pull_id)
        self.download.done, self.download.total = done, total
        self.feed(SnapshotProgress(node_id))

    def downloaded(self, fingerprint: str, snapshot: Snapshot, file: Path) -> None:
        """A snapshot is here, whole and hashed."""
        self._files[snapshot.pull_id] = file
        self.feed(Heard(fingerprint, snapshot))
        left = self._files.pop(snapshot.pull_id, None)
        if left is not None:  # it has come too late
            left.unlink(missing_ok=True)

    async def snapshot_file(self, node_id: str) -> SnapshotFile:
        """A snapshot for another member; see Outbox.snapshot_file."""
        return await self.outbox.snapshot_file(node_id)

    # ---- the core and its effects --------------------------------------------------------------

    def feed(self, *events: Event) -> None:
        """Something happened, or several things of one kind at once; do what follows from it."""
        if self._closed:
            return
        for effect in self.core.step(self.clock.monotonic_us(), *events):
            try:
                self._do(effect)
            except Exception as error:  # a fault of ours; the other effects are none of its
                self._undone(effect, error)
        # While it is set, only these may bring an earlier deadline.
        if not self._alarm.is_set or isinstance(events[0], Wrote | WriteWanted | ReadWanted):
            self._alarm.by(self.core.wake_at_us())

    def feed_soon(self, event: Event) -> None:
        """The same, from any thread."""
        self._soon(self.feed, event)

    def _soon(self, do: Callable[..., None], *given: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended
            self._loop.call_soon_threadsafe(do, *given)

    def forget_votes(self) -> Future[None]:
        """Forget every vote, also those in hand: `swap` at once, or more of them would come."""
        return self._disk.forget_votes()

    def swap(self, begin: Standing) -> None:
        """Go on under another list of members or another log. Writes in hand are not lost."""
        self._written.hand_on()
        reads, ticket = tuple(self.core.reads.waiting.values()), self.core.last_ticket
        self.core = DataPlane(begin)
        self.core.last_ticket = ticket  # what the disk still reports of older ones is not of these
        self.settled = begin_settled(self.core)
        self.net.follow(self.config, self.history)
        for request, asked in list(self._asked.items()):
            self._take_along(request, asked)
        for read in reads:
            if read.read in self._reads:
                self.feed(read)
        self._change_nothing("another list of members has taken the place of the one to be changed")
        self._look()

    def _change_nothing(self, why: str) -> None:
        """Nobody will decide on what was asked for. Unanswered, it would keep out all changes."""
        for request, waiting in list(self._changes.items()):
            del self._changes[request]
            if not waiting.done():
                waiting.set_result(Changed(request, won=False, reason=why))

    def _take_along(self, request: int, asked: Asked) -> None:
        """A write in hand meets another list. Once begun it may be in the log: then the core is
        not asked again whether it may be done, since nobody may call it unwritten any more."""
        needed, voters = asked.wanted.needed, len(self.config.voters)
        if not asked.begun:
            self.feed(asked.wanted)
        elif needed > voters:
            why = f"{needed} voters are needed and there are {voters} now"
            self._answered(request, Answer(request, Outcome.PENDING, (self.core.me,), needed, why))
        else:
            self.feed(replace(asked.wanted, allow_pending=True))
            if asked.wrote is not None:
                self.feed(asked.wrote)

    def _do(self, effect: Effect) -> None:
        match effect:
            case Answer(request):
                self._answered(request, effect)
            case Send(to, message):
                self._send(to, message)
            case SendAppend():
                self.outbox.append(self.net, effect)
            case SendPage():
                self.outbox.page(self.net, effect)
            case Stamp(request):
                asked = self._asked.get(request)
                if asked is not None and not asked.begun:
                    asked.begun = True
                    asked.stamp(request)
            case Keep(ticket, ops):
                kept = self.grants_changed if speaks_of_grants(ops) else None
                self._disk.keep(ticket, ops, self.settled, kept)
            case KeepVote(ticket, vote):
                self._disk.keep_vote(ticket, vote)
            case KeepConfig():
                self._disk.keep_config(effect)
            case Install(snapshot):
                self._install(snapshot)
            case Truncate(upto):
                if self._retain_days:
                    before_us = self.clock.now_us() - self._retain_days * DAY_US
                    self._disk.truncate(upto, before_us)
            case Collect(stable):
                self.settled = stable
            case ServeRead(read):
                self._read_done(read, None)
            case RefuseRead(read):
                self._read_done(read, effect)
            case Changed(request):
                changed = self._changes.pop(request, None)
                if changed is not None and not changed.done():
                    changed.set_result(effect)
            case Applied(config):
                self._applied(config)
            case Fence(reason):
                self._fenced(reason)
            case Note(what, peer):
                self.tallies.notes[what] += 1
                self._log.debug("noted", what=what, peer=peer)

    def _undone(self, effect: Effect, error: Exception) -> None:
        """Say so aloud, and to whoever would wait for it for ever."""
        self.tallies.notes["effect failed"] += 1
        self._log.error("effect_failed", effect=type(effect).__name__, exc_info=error)
        match effect:
            case Keep(ticket) | KeepVote(ticket) | KeepConfig(ticket):
                self.feed_soon(NotKept(ticket, str(error)))
            case Stamp(request):
                self._asked[request].answer.set_exception(error)

    def _fenced(self, reason: str) -> None:
        self._log.error("fenced", reason=reason, next="see docs/recovering.md")
        said = f"this node has stopped writing: {reason}"
        for request, asked in list(self._asked.items()):
            outcome = Outcome.PENDING if asked.begun else Outcome.NOT_WRITTEN
            self._answered(request, Answer(request, outcome, (self.core.me,), 0, said))
        for read in self.core.reads.waiting.values():
            self._read_done(read.read, RefuseRead(read.read, ()))
        self._change_nothing(said)
        self.on_fence(reason)

    def check_not_fenced(self) -> None:
        """Raise UNAVAILABLE if this node may not write: nobody would answer."""
        if self._closed:
            raise Failure(Code.UNAVAILABLE, "the node is stopping; nothing was written")
        if self.core.fenced:
            raise Failure(
                Code.UNAVAILABLE, f"this node has stopped writing: {self.core.fenced}",
                next="Use another node; what to do with this one is in docs/recovering.md.",
            )  # fmt: skip

    def _answered(self, request: int, answer: Answer) -> None:
        asked = self._asked.pop(request, None)
        if asked is not None and not asked.answer.done():
            self.tallies.outcomes[answer.outcome.value] += 1
            asked.answer.set_result(answer)

    def _read_done(self, read: int, refused: RefuseRead | None) -> None:
        waiting = self._reads.pop(read, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(refused)

    def _applied(self, config: Config) -> None:
        self._log.info("epoch_applied", epoch=config.epoch, members=len(config.members))
        self.net.follow(config, self.history)

    # ---- to other members and to the disk --------------------------------------------------------

    def _send(self, to: str, message: Message) -> None:
        if isinstance(message, SnapshotWanted):
            self.net.download(to, message.pull_id)
        else:
            self.net.send(to, message)

    def grants_changed(self) -> None:
        """Who may hold what has changed, here or elsewhere."""
        self.recent.clear()
        self.bodies.ask_soon()

    def _install(self, snapshot: Snapshot) -> None:
        verifier = Verifier(self.history)
        here = Installed(dict(self.core.intake.durable), self.core.floor, (self.origin,))
        file = self._files.pop(snapshot.pull_id)
        self._disk.install(file, self.origin, verifier.holds, here, self._download_over)

    def _download_over(self) -> None:
        self.recent.clear()
        if self.download is not None:
            self.download.installed = True

    # ---- time ----------------------------------------------------------------------------------

    def _tick(self) -> None:
        if self._closed:
            return
        self._time()
        self._look()
        self._sum_up()
        delay_s = TICK_ALONE_S if self.is_alone else TICK_S
        self._timer = self._loop.call_later(delay_s, self._tick)

    def _time(self) -> None:
        self.feed(Tick(self.clock.now_us(), can_hear=type(self.net) is not Nobody))

    def _sum_up(self) -> None:
        """Now and then: have the state's digest told to the others, who compare it with theirs."""
        now_us = self.clock.monotonic_us()
        if self.is_alone or now_us < self._sum_after_us:
            return
        if self.core.summed == self.core.intake.have():
            return
        self._sum_after_us = now_us + SUM_EVERY_US

        def read(view: View) -> Digested | None:
            withheld = view.withheld_after(0, 1)
            return None if withheld else Digested(view.have(), view.digest().root())

        def told(found: Digested | None) -> None:
            if found is not None:
                self.feed(found)

        self.outbox.read_then(read, told)

    def _look(self) -> None:
        """Renew what other threads read of the core."""
        self.in_sync = frozenset(self.core.in_sync(self.clock.monotonic_us()))
        self.committed = self.core.committed()
        self.watch.look(self, self.clock.monotonic_us())
