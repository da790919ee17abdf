"""All connections of this node to the other members.

Both ends dial, since either may be the one that the other cannot reach. A frame goes over the
stream that this node has dialed; while there is none it goes back over one that the other node has
dialed, so a machine behind a router takes part by dialing out. What cannot be sent is forgotten:
the core asks again, and who is told that a connection broke asks sooner.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol

from aimem_node import logs
from aimem_node.clocks import Clock
from aimem_node.contract.errors import Failure
from aimem_node.replica.identity import Identity
from aimem_node.replica.signatures import ForgedError, Verifier
from aimem_node.replica.vectors import VectorAnswer, VectorAsk
from aimem_node.rpc import peer_frames
from aimem_node.rpc.peer_access import MALFORMED, Caller, reason_of
from aimem_node.rpc.peer_asks import (
    LEVEL_BUCKETS,
    LEVEL_HASHES,
    Books,
    ChainAsk,
    DigestAnswer,
    DigestAsk,
    Hello,
)
from aimem_node.rpc.peer_calls import PeerCalls
from aimem_node.rpc.peer_dialer import Dialer
from aimem_node.rpc.peer_pipe import BULK, LIVE, Pipe
from aimem_node.rpc.peer_server import PeerServer
from aimem_node.rpc.peer_snapshot import SnapshotFile
from aimem_sync.cursor import Cursor
from aimem_sync.digest import Digest
from aimem_sync.dot import Origin
from aimem_sync.events import Disconnected
from aimem_sync.faults import PeerFault
from aimem_sync.members import Config
from aimem_sync.messages import (
    Append,
    Beat,
    Message,
    Page,
    Pull,
    Snapshot,
    SnapshotRequired,
    SnapshotWanted,
)

BAD_SIG: Final = "bad_sig"
_IN_BULK: Final = (Pull, Page, SnapshotRequired, SnapshotWanted, Snapshot)


class Side(Protocol):
    """What is connected. replica/plane.py is it in a running node; all of it on the event loop."""

    @property
    def origin(self) -> Origin:
        """The log that this node writes."""
        ...

    def heard(self, fingerprint: str, message: Message, beside: Sequence[bytes] = ()) -> None:
        """A message came from the member whose key this is; the ops in it are signed."""
        ...

    def feed(self, event: Any) -> None:
        """A way to a member broke, or a download from it came to nothing: Disconnected."""
        ...

    def downloading(self, node_id: str, pull_id: int, done: int, total: int) -> None:
        """Bytes of a snapshot arrive; told at most twice a second. 0 in all: not known yet."""
        ...

    def downloaded(self, fingerprint: str, snapshot: Snapshot, file: Path) -> None:
        """A snapshot is here, whole and hashed. The file is the other's to remove."""
        ...

    def snapshot_file(self, node_id: str) -> Awaitable[SnapshotFile]:
        """The state as a file, for this member. Raises Failure if it may not have all of it."""
        ...


class PeerNet:
    """See the module. Lives on one event loop."""

    def __init__(
        self,
        side: Side,
        identity: Identity,
        books: Books | None,
        clock: Clock,
        *,
        scratch: Path,
        dial: Callable[[str, str], str],
        have: Callable[[], Cursor] = Cursor,
        on_refused: Callable[[str, str], None] = lambda _peer, _reason: None,
        on_link: Callable[[str, bool], None] = lambda _node_id, _up: None,
    ) -> None:
        """Connects to nobody and lets nobody in before follow.

        scratch: a directory for snapshots on their way in. dial: where to dial a member (node id,
        its address). have: how far each log is on disk here. on_refused: (peer's name, reason) for
        whoever is not let in, not believed, or does not let us in. on_link: (node id, whether
        there is a way to it now).
        """
        self.books = books
        self.counts: Counter[str] = Counter()
        "Frames by what became of them: arrived, sent, no_way, later_kind; and refusals by reason."
        self._side = side
        self._identity = identity
        self._clock = clock
        self._dial = dial
        self._have = have
        self._on_refused, self._on_link = on_refused, on_link
        self._config: Config | None = None
        self._history: Sequence[Config] = ()
        self._verifier = Verifier(())
        self._server = PeerServer(self, self._now)
        self.calls = PeerCalls(side, self._now, scratch, dial)
        "What is asked of one member on a channel of its own."
        self._dialers: dict[str, Dialer] = {}
        self._pipes: dict[tuple[str, str], list[Pipe]] = {}
        "Open streams by node and name; those that this node dialed at the end, newest last."
        self._closing: set[asyncio.Task[Any]] = set()
        self._last_refusal: dict[str, str] = {}
        self._closed = False
        self._log = logs.get("rpc")

    # ---- for the plane ---------------------------------------------------------------------------

    def send(self, node_id: str, message: Message) -> None:
        """Send a message, or forget it if there is no way."""
        pipe = self._way(node_id, BULK if isinstance(message, _IN_BULK) else LIVE)
        if pipe is not None:
            pipe.send(peer_frames.frame_bytes(message), is_beat=isinstance(message, Beat))

    def send_append(
        self, node_id: str, epoch: int, durable_upto: int, ops: list[bytes], beside: list[bytes]
    ) -> None:
        """Send ops of this node's log, encoded, with the answers beside them."""
        pipe = self._way(node_id, LIVE)
        if pipe is not None:
            pipe.send(peer_frames.append_bytes(epoch, durable_upto, ops, beside))

    def send_page(self, node_id: str, pull_id: int, ops: list[bytes], beside: list[bytes]) -> None:
        """Send what a pull asked for."""
        pipe = self._way(node_id, BULK)
        if pipe is not None:
            pipe.send(peer_frames.page_bytes(pull_id, ops, beside))

    def download(self, node_id: str, pull_id: int) -> None:
        """Fetch a snapshot; ends in Side.downloaded or the event Disconnected."""
        self.calls.download(node_id, pull_id)

    def follow(self, config: Config, history: Sequence[Config]) -> None:
        """These are the members from now on. Whoever is none is cut off before this returns."""
        if self._closed:
            return
        self._config, self._history = config, history
        self._verifier = Verifier((*history, config))
        self._server.follow(config)
        self.calls.follow(config)
        me = self._identity.node_id
        wanted = {
            m.node_id: replace(m, address=self._dial(m.node_id, m.address))
            for m in config.members
            if m.address and m.node_id != me and me in config.everyone
        }
        for node_id in self._dialers.keys() - wanted.keys():
            self._close_soon(self._dialers.pop(node_id))
        for node_id, member in wanted.items():
            if node_id in self._dialers:
                self._dialers[node_id].follow(config, member)
            else:
                self._dialers[node_id] = Dialer(self, self._now, config, member, self._hello)
        for node_id, _ in list(self._pipes):
            if node_id not in config.everyone:
                self._forget(node_id)

    async def renew(self, identity: Identity) -> None:
        """Show this key from now on. What was dialed with another one is dialed anew."""
        self._identity = identity
        if self._config is not None:
            self.follow(self._config, self._history)

    async def listen(self, host: str, port: int) -> int:
        """Hear members there, and no longer where it may have been before; the port.

        Port 0 lets the system choose. Raises STORAGE if the address cannot be had.
        """
        return await self._server.listen(host, port)

    async def stop_listening(self) -> None:
        """Hear nobody any more; what this node dials goes on."""
        await self._server.close()

    async def close(self) -> None:
        """End everything. The side is told nothing any more."""
        self._closed = True
        for dialer in self._dialers.values():
            self._close_soon(dialer)
        self._dialers.clear()
        await self.calls.close()
        await self._server.close()
        if self._closing:
            await asyncio.wait(self._closing)

    # ---- for those who look at it ----------------------------------------------------------------

    @property
    def port(self) -> int:
        """Where it listens; 0 while it does not."""
        return self._server.port

    def is_linked(self, node_id: str) -> bool:
        """Whether there is a way to this member, of either kind."""
        return all(self._pipes.get((node_id, name)) for name in (LIVE, BULK))

    def why_not(self, node_id: str) -> str:
        """Why there is no way to this member, in words; empty if there is one."""
        if self.is_linked(node_id):
            return ""
        dialer = self._dialers.get(node_id)
        return dialer.why if dialer else "it has no address, and has not dialed this node"

    async def chain_at(
        self, node_id: str, origin: Origin, seqs: tuple[int, ...]
    ) -> tuple[bytes, ...]:
        """Hashes of a log that a member holds; empty where it does not reach. Raises UNAVAILABLE.

        It takes a connection of its own, as `digest` does.
        """
        return await self.calls.chain_at(node_id, ChainAsk(origin, seqs))

    async def digest(self, node_id: str, ask: DigestAsk) -> DigestAnswer:
        """How the state of a member sums up. Raises UNAVAILABLE."""
        return await self.calls.digest(node_id, ask)

    async def sums(self, node_id: str) -> tuple[Cursor, Digest]:
        """A member's cursor and the sums of its state, of one moment. Raises UNAVAILABLE."""
        answer = await self.calls.digest(node_id, DigestAsk(LEVEL_BUCKETS))
        return answer.have, Digest.decode(b"".join(total for _, total in answer.entries))

    async def record_hashes(self, node_id: str, buckets: Sequence[int]) -> dict[str, bytes]:
        """Hashes of a member's records in some buckets. Raises UNAVAILABLE."""
        return dict(
            (await self.calls.digest(node_id, DigestAsk(LEVEL_HASHES, tuple(buckets)))).entries
        )

    async def ops_at(
        self, node_id: str, origin: Origin, seqs: tuple[int, ...]
    ) -> tuple[bytes, ...]:
        """Ops that a member holds, encoded, as this node may hold them. Raises UNAVAILABLE."""
        return await self.calls.ops_at(node_id, ChainAsk(origin, seqs))

    async def vectors_at(self, node_id: str, ask: VectorAsk) -> VectorAnswer:
        """Vectors that a member has, as this node may hold their texts. Raises UNAVAILABLE."""
        return await self.calls.vectors_at(node_id, ask)

    # ---- for the listener and the dialers --------------------------------------------------------

    def greeted(self, caller: Caller, hello: Hello) -> Hello:
        """A member said who it is."""
        self._last_refusal.pop(caller.node_id, None)
        mine = self._hello()
        ahead = sum(r.last - r.first + 1 for r in hello.have.missing_from(mine.have))
        behind = sum(r.last - r.first + 1 for r in mine.have.missing_from(hello.have))
        self._log.info(
            "peer_greeted", peer=self._name(caller.node_id), epoch=hello.epoch, ahead_ops=ahead,
            behind_ops=behind, clock_offset_ms=(hello.wall_us - mine.wall_us) // 1_000,
        )  # fmt: skip
        return mine

    def opened(self, pipe: Pipe) -> None:
        """There is one more stream."""
        was_linked = self.is_linked(pipe.node_id)
        pipes = self._pipes.setdefault((pipe.node_id, pipe.name), [])
        pipes.append(pipe)
        pipes.sort(key=lambda one: one.is_dialed)
        self._tell_link(pipe.node_id, was_linked)

    def closed(self, pipe: Pipe) -> None:
        """There is one less."""
        pipes = self._pipes.get((pipe.node_id, pipe.name), [])
        if pipe not in pipes:
            return
        was_linked, was_used = self.is_linked(pipe.node_id), pipes[-1] is pipe
        pipes.remove(pipe)
        if not pipes:
            del self._pipes[pipe.node_id, pipe.name]
        self._tell_link(pipe.node_id, was_linked)
        if was_used and not self._closed:
            # Soon, not now: this may be called while the side carries out what it was told before.
            told = Disconnected(pipe.node_id)
            asyncio.get_running_loop().call_soon(self._side.feed, told)

    def arrived(self, pipe: Pipe, frame: bytes) -> None:
        """A frame came. Nothing in it can do more than be left out."""
        fingerprint = self._proved(pipe)
        if fingerprint is None or self._closed:
            return
        try:
            found = peer_frames.frame_from(frame)
            if found is None:
                self.counts["later_kind"] += 1
                self._log.info("frame_of_later_kind", peer=self._name(pipe.node_id))
                return
            message = self._signed(found.message)
        except PeerFault as fault:
            self._drop(
                pipe.node_id, BAD_SIG if isinstance(fault, ForgedError) else MALFORMED, fault
            )
            return
        self.counts["arrived"] += 1
        try:
            self._side.heard(fingerprint, message, found.answers)
        except PeerFault as fault:
            self._drop(pipe.node_id, MALFORMED, fault)
        except Exception as error:  # a mistake of ours must not cost the connection
            self._log.error("frame_not_taken", kind=type(message).__name__, exc_info=error)

    def refused(self, peer: str, failure: Failure) -> None:
        """Somebody was not let in, or does not let us in."""
        reason = reason_of(failure)
        self._count(peer, reason)
        if self._last_refusal.get(peer) != reason:
            self._last_refusal[peer] = reason
            if len(self._last_refusal) > 1_000:  # strangers with ever new keys
                self._last_refusal.clear()
            self._log.warning(
                "peer_refused", peer=self._name(peer), reason=reason, why=failure.message
            )

    def snapshot_file(self, node_id: str) -> Awaitable[SnapshotFile]:
        """The state as a file, for this member."""
        return self._side.snapshot_file(node_id)

    # ---- insides ---------------------------------------------------------------------------------

    def _now(self) -> Identity:
        return self._identity

    def _hello(self) -> Hello:
        assert self._config is not None, "follow comes first"
        config = self._config
        return Hello(
            config.cluster_id, self._side.origin, config.epoch, self._have(), self._clock.now_us()
        )

    def _way(self, node_id: str, name: str) -> Pipe | None:
        pipes = self._pipes.get((node_id, name))
        self.counts["sent" if pipes else "no_way"] += 1
        return pipes[-1] if pipes else None

    def _proved(self, pipe: Pipe) -> str | None:
        """A key of the stream's other end that is good now; None if there is none any more."""
        assert self._config is not None, "follow comes first"
        member = self._config.member(pipe.node_id)
        keys = member.fingerprints if member else ()
        return next((one for one in pipe.fingerprints if one in keys), None)

    def _signed(self, message: Message) -> Message:
        """The message, if the ops in it are signed by their origins. Raises ForgedError.

        Ops of nodes that are not known here yet are left out of a page: nobody can check them.
        """
        if isinstance(message, Page):
            known = tuple(op for op in message.ops if self._verifier.knows(op.origin.node_id))
            self._verifier.check(known)
            return Page(message.pull_id, known)
        if isinstance(message, Append):
            self._verifier.check(message.ops)
        return message

    def _drop(self, node_id: str, reason: str, fault: PeerFault) -> None:
        self._count(node_id, reason)
        self._log.warning(
            "frame_dropped", peer=self._name(node_id), reason=reason, why=str(fault),
            next=fault.next_step,
        )  # fmt: skip

    def _count(self, peer: str, reason: str) -> None:
        self.counts[reason] += 1
        self._on_refused(self._name(peer), reason)

    def _name(self, peer: str) -> str:
        """What people call a node, by its id or by a key that it has or had."""
        now = (self._config,) if self._config else ()
        epochs: tuple[Config, ...] = (*self._history, *now)
        for config in reversed(epochs):
            for member in config.members:
                if peer == member.node_id or peer in member.fingerprints:
                    return member.name or member.node_id[:16]
        return peer[:16] or "a stranger"

    def _tell_link(self, node_id: str, was_linked: bool) -> None:
        is_linked = self.is_linked(node_id)
        if is_linked is not was_linked:
            what = "peer_linked" if is_linked else "peer_unlinked"
            self._log.info(what, peer=self._name(node_id))
            if not self._closed:
                self._on_link(node_id, is_linked)

    def _forget(self, node_id: str) -> None:
        """Send nothing more to a node, at once; its streams end by themselves."""
        for name in (LIVE, BULK):
            for pipe in list(self._pipes.get((node_id, name), ())):
                self.closed(pipe)
        self.calls.forget(node_id)

    def _close_soon(self, dialer: Dialer) -> None:
        task = asyncio.get_running_loop().create_task(dialer.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)
