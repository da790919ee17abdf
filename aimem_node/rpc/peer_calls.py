"""What this node asks of one other member outside of the streams, each on a channel of its own.

A snapshot may take minutes and every byte that the link has; on the same connection the beats would
stand in line behind it, and the member would seem to be gone. And a question of an operator must be
answered even while the dialer waits for its next attempt.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import grpc.aio

from aimem_node import logs
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.identity import Identity
from aimem_node.replica.vectors import VectorAnswer, VectorAsk
from aimem_node.rpc import peer_asks as asks
from aimem_node.rpc import peer_snapshot, peer_vectors
from aimem_node.rpc.peer_asks import ChainAsk, DigestAnswer, DigestAsk
from aimem_node.rpc.peer_dialer import carried, claims, open_channel, plain
from aimem_node.rpc.peer_kept import KeptChannels
from aimem_node.rpc.peer_server import SERVICE
from aimem_node.rpc.peer_snapshot import SnapshotFacts
from aimem_sync.events import Disconnected
from aimem_sync.faults import OpFault
from aimem_sync.members import Config, Member
from aimem_sync.messages import Snapshot

PROGRESS_S: Final = 0.5
"""Between two words that a snapshot is on its way."""
ASK_S: Final = 10.0

T = TypeVar("T")


class Receiver(Protocol):
    """Who is told what became of a download. The plane is it."""

    def feed(self, event: Any) -> None:
        """A download came to nothing: Disconnected."""
        ...

    def downloading(self, node_id: str, pull_id: int, done: int, total: int) -> None:
        """Bytes of a snapshot arrive. 0 in all: not known yet."""
        ...

    def downloaded(self, fingerprint: str, snapshot: Snapshot, file: Path) -> None:
        """A snapshot is here, whole and hashed. The file is the receiver's to remove."""
        ...


class PeerCalls:
    """See the module. Lives on one event loop; asks nobody before follow."""

    def __init__(
        self,
        side: Receiver,
        identity: Callable[[], Identity],
        scratch: Path,
        dial: Callable[[str, str], str],
    ) -> None:
        """Removes from `scratch` what an earlier process has left there unfinished."""
        self._side = side
        self._identity = identity
        self._scratch = scratch
        self._dial = dial
        self._config: Config | None = None
        self._fetching: dict[str, asyncio.Task[None]] = {}
        self._ending: set[asyncio.Task[None]] = set()
        self._kept = KeptChannels()
        self._closed = False
        self._log = logs.get("rpc")
        for left in scratch.glob("snapshot-*.part"):
            left.unlink(missing_ok=True)

    def follow(self, config: Config) -> None:
        """These are the members from now on."""
        self._config = config
        for node_id in self._kept.members() - config.everyone:
            self._kept.drop(node_id)

    async def close(self) -> None:
        """Give up what is under way."""
        self._closed = True
        for node_id in list(self._fetching):
            self.forget(node_id)
        await self._kept.close()
        if self._ending:
            await asyncio.wait(self._ending)

    # ---- questions -------------------------------------------------------------------------------

    async def digest(self, node_id: str, ask: DigestAsk) -> DigestAnswer:
        """How the state of a member sums up. Raises UNAVAILABLE."""
        body = asks.digest_ask_bytes(ask)
        return await self._ask(node_id, "Digest", body, asks.digest_answer_from)

    async def chain_at(self, node_id: str, ask: ChainAsk) -> tuple[bytes, ...]:
        """Hashes of a log that a member holds, one for each place. Raises UNAVAILABLE."""
        body = asks.chain_ask_bytes(ask)

        def read(answer: bytes) -> tuple[bytes, ...]:
            chains = asks.chains_from(answer)
            if len(chains) != len(ask.seqs):
                raise OpFault(f"{len(chains)} hashes for {len(ask.seqs)} places")
            return chains

        return await self._ask(node_id, "ChainAt", body, read)

    async def ops_at(self, node_id: str, ask: ChainAsk) -> tuple[bytes, ...]:
        """Ops that a member holds, encoded, as this node may hold them. Raises UNAVAILABLE."""
        return await self._ask(node_id, "Ops", asks.chain_ask_bytes(ask), asks.ops_from)

    async def vectors_at(self, node_id: str, ask: VectorAsk) -> VectorAnswer:
        """Vectors that a member has, as this node may hold their texts. Raises UNAVAILABLE, also
        for a member of an earlier version that knows no such question."""
        body, (_, member) = peer_vectors.ask_bytes(ask), self._dialable(node_id)
        channel = self._kept.to(member, self._identity())
        try:
            return await self._ask_over(channel, member, "Vectors", body, peer_vectors.answer_from)
        except Failure:
            self._kept.drop(node_id)
            raise

    async def _ask(self, node_id: str, method: str, body: bytes, read: Callable[[bytes], T]) -> T:
        _, member = self._dialable(node_id)
        channel = open_channel(member.address, self._identity(), member)
        try:
            return await self._ask_over(channel, member, method, body, read)
        finally:
            await channel.close()

    async def _ask_over(
        self, channel: Any, member: Member, method: str, body: bytes, read: Callable[[bytes], T]
    ) -> T:
        assert self._config is not None, "follow comes first"
        said = claims(self._config, self._identity().node_id)
        try:
            call = channel.unary_unary(f"/{SERVICE}/{method}")
            return read(await call(body, timeout=ASK_S, metadata=said))
        except OpFault as fault:
            message = f"the answer of {_name(member)} cannot be read: {fault}"
            raise Failure(Code.UNAVAILABLE, message) from fault
        except grpc.aio.AioRpcError as error:
            message = f"{_name(member)} does not answer: {_why(error)}"
            raise Failure(Code.UNAVAILABLE, message) from error

    def _dialable(self, node_id: str) -> tuple[Config, Member]:
        assert self._config is not None, "follow comes first"
        member = self._config.member(node_id)
        if member is None or not member.address:
            raise Failure(Code.UNAVAILABLE, f"node {node_id[:8]} has no address to dial")
        return self._config, replace(member, address=self._dial(node_id, member.address))

    # ---- snapshots -------------------------------------------------------------------------------

    def download(self, node_id: str, pull_id: int) -> None:
        """Fetch a snapshot; ends in Receiver.downloaded or the event Disconnected.

        An earlier one from the same node is given up without a word.
        """
        self.forget(node_id)
        task = asyncio.get_running_loop().create_task(self._fetch(node_id, pull_id))
        self._fetching[node_id] = task
        task.add_done_callback(lambda done: self._fetched(node_id, done))

    def forget(self, node_id: str) -> None:
        """Give up the download from this node, if there is one. Nothing more is told of it."""
        task = self._fetching.pop(node_id, None)
        if task is not None:
            task.cancel()
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)

    async def _fetch(self, node_id: str, pull_id: int) -> None:
        to = self._scratch / f"snapshot-{node_id[:8]}-{pull_id}.part"
        try:
            config, member = self._dialable(node_id)
            me = self._identity()
            channel = open_channel(member.address, me, member)
            try:
                call = channel.unary_stream(f"/{SERVICE}/Snapshot")(
                    peer_snapshot.ask_bytes(pull_id), metadata=claims(config, me.node_id)
                )
                facts = await peer_snapshot.fetch(
                    call.read, to, self._progress_of(node_id, pull_id)
                )
            finally:
                await channel.close()
            self._hand_over(member, pull_id, facts, to)
        except BaseException:
            to.unlink(missing_ok=True)
            raise

    def _hand_over(self, member: Member, pull_id: int, facts: SnapshotFacts, file: Path) -> None:
        now = self._config.member(member.node_id) if self._config else None
        keys = now.fingerprints if now else ()
        good = next((one for one in member.fingerprints if one in keys), None)
        if good is None:
            raise Failure(Code.UNAVAILABLE, "it was evicted meanwhile, or has another key")
        snapshot = Snapshot(pull_id, facts.heads, facts.floor, facts.lamport, {}, {})
        self._log.info("snapshot_fetched", peer=_name(member), bytes=facts.bytes)
        self._side.downloaded(good, snapshot, file)

    def _progress_of(self, node_id: str, pull_id: int) -> Callable[[int, int], None]:
        loop = asyncio.get_running_loop()
        told_at = float("-inf")

        def told(done: int, total: int) -> None:
            nonlocal told_at
            if loop.time() - told_at >= PROGRESS_S or (total and done == total):
                told_at = loop.time()
                self._side.downloading(node_id, pull_id, done, total)

        return told

    def _fetched(self, node_id: str, done: "asyncio.Task[None]") -> None:
        if self._fetching.get(node_id) is not done:
            return  # given up: nothing more is told of it
        del self._fetching[node_id]
        if done.cancelled() or self._closed:
            return
        error = done.exception()
        if error is not None:
            self._log.warning("snapshot_not_fetched", node_id=node_id, why=_why(error))
            self._side.feed(Disconnected(node_id))


def _name(member: Member) -> str:
    return member.name or member.node_id[:8]


def _why(error: BaseException) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        refused = carried(error)
        return refused.message if refused else plain(error)
    return str(error) or type(error).__name__
