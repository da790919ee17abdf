"""Put a node together and run it. It assembles, and decides nothing.

The order matters once: the lock before the store, the store before the identity's origin, the
dispatcher before any way in, and the ways in closed before the last recalls are flushed.
"""

import asyncio
import contextlib
import gc
import os
import signal
import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from aimem_node import logs, places, vitals
from aimem_node.clocks import Chance, Clock, SystemChance, SystemClock
from aimem_node.config import Settings, load
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Operation
from aimem_node.contract.values import BackupResponse, GcRequest, PendingApproveRequest
from aimem_node.embedding import Embedding, embedding_of
from aimem_node.followers import expiry
from aimem_node.followers.tally import Tally
from aimem_node.followers.vectors import Vectors
from aimem_node.followers.webhooks import Post, Webhooks
from aimem_node.metrics import Metrics
from aimem_node.operations import (  # everything: registers every handler
    copies,
    everything,  # noqa: F401
    telling,
)
from aimem_node.operations.call import NodeFacts
from aimem_node.operations.gate import gate_of
from aimem_node.operations.pending import ripe
from aimem_node.operations.touching import flush_one
from aimem_node.outbound.reachable import Allowed
from aimem_node.replica import standing
from aimem_node.replica.cluster import Cluster
from aimem_node.replica.fence import Fence
from aimem_node.replica.identity import Identity, identity_dir
from aimem_node.replica.plane import Plane
from aimem_node.replica.replica import Replica
from aimem_node.replica.votes import VoteFile
from aimem_node.rpc.access import Access
from aimem_node.rpc.dispatch import Announcements, Dispatcher
from aimem_node.rpc.principals import Authenticator
from aimem_node.store.store import Store
from aimem_node.version import VERSION

BEGUN = ("address.json", "invites.json", "joining.json", "rotating.json")
"""What a node leaves beside its key once it has begun to have to do with others."""
EXIT_FAILED = 70
"""The node latched after a disk error and must be opened anew."""


@dataclass(slots=True)
class Core:
    """A node without its ways in."""

    store: Store
    replica: Replica
    plane: Plane
    cluster: Cluster
    dispatcher: Dispatcher
    webhooks: Webhooks
    tally: Tally
    embedding: Embedding
    vectors: Vectors
    access: Access
    metrics: Metrics
    facts: NodeFacts
    failed: asyncio.Event
    tasks: list[asyncio.Task[None]]

    @classmethod
    async def start(
        cls,
        data_dir: Path,
        clock: Clock,
        chance: Chance,
        settings: Settings | None = None,
        listening: Any = tuple,
        *,
        embedding: Embedding | None = None,
    ) -> "Core":
        """Open the store, take up the identity, and be ready to answer.

        `embedding`: instead of what the settings say. If any part refuses, the store is closed
        again and the directory free.
        """
        loop = asyncio.get_running_loop()
        settings = settings or Settings(data_dir=data_dir)
        failed = asyncio.Event()

        def tell(_why: str) -> None:
            loop.call_soon_threadsafe(failed.set)

        store = Store.open(data_dir, tell, readers=settings.readers)
        try:
            embedding = embedding or embedding_of(settings, _say_of_model)
            return await cls._assemble(store, failed, clock, chance, settings, listening, embedding)
        except BaseException:
            store.close()
            raise

    @classmethod
    async def _assemble(
        cls,
        store: Store,
        failed: asyncio.Event,
        clock: Clock,
        chance: Chance,
        settings: Settings,
        listening: Any,
        embedding: Embedding,
    ) -> "Core":
        loop, data_dir = asyncio.get_running_loop(), store.data_dir
        cluster = await _one_of_many(store, clock, chance, settings)
        replica, plane = cluster.replica, cluster.plane
        access = Access(str(data_dir), clock)
        metrics = Metrics()
        node_id = plane.identity.node_id
        tally = Tally(replica, clock, metrics, f"node:{node_id}", flush_one)
        last = await store.readers.read(lambda view: view.last_pos())
        announcements = Announcements(loop, last)
        store.writer.on_commit(announcements.committed)
        vectors = Vectors(plane, embedding, announcements.beyond, lambda: replica.asked, metrics)
        facts = NodeFacts(
            node_id=node_id,
            fingerprint=lambda: plane.identity.fingerprint,
            version=VERSION,
            data_dir=str(data_dir),
            started_us=clock.now_us(),
            pid=os.getpid(),
            state=lambda: vitals.state(store, plane),
            listening=listening,
            files=lambda: vitals.files(data_dir),
            vectors=vectors.progress,
        )
        core = cls(
            store, replica, plane, cluster, None, None, tally, embedding, vectors, access,  # type: ignore[arg-type]
            metrics, facts, failed, [],
        )  # fmt: skip
        plane.on_fence = core._fenced
        plane.start()
        core.dispatcher = Dispatcher(
            replica,
            Authenticator(access, clock, http_open=settings.http_open, place=settings.place),
            tally, facts, metrics, clock, chance, announcements, core._office,
            cluster, embedding=embedding,
        )  # fmt: skip
        webhooks = Webhooks(
            replica, telling, _poster(settings.webhooks_allowed()), announcements.beyond, clock,
            chance, metrics, settings.webhooks_allowed(),
        )  # fmt: skip
        core.webhooks = core.dispatcher.desk = webhooks
        vitals.add_gauges(metrics, plane, tally, lambda: announcements.pos)
        vitals.add_vector_gauges(metrics, embedding, vectors)
        core.tasks = [
            loop.create_task(tally.run()),
            loop.create_task(expiry.run(core._collect)),
            loop.create_task(cluster.promote_learners()),
            loop.create_task(plane.bodies.run()),
            loop.create_task(webhooks.run()),
            loop.create_task(vectors.run()),
        ]
        for task in core.tasks:
            task.add_done_callback(_ended)
        return core

    def _fenced(self, reason: str) -> None:
        task = asyncio.get_running_loop().create_task(self.cluster.unfence(reason))
        task.add_done_callback(_ended)
        self.tasks.append(task)

    async def _collect(self) -> int:
        """Archive what has expired, if it is this member's turn: one of them is enough."""
        if not self.plane.core.is_janitor(self.plane.clock.monotonic_us()):
            return 0
        await self._complete()
        answer = await self.dispatcher.as_node("Gc", GcRequest())
        return int(answer.collected)

    async def _complete(self) -> None:
        """Do what was approved by votes that met only after both had been cast."""
        now_us = self.dispatcher.clock.now_us()
        for pending_id in await self.store.readers.read(lambda view: ripe(view, now_us)):
            try:
                request = PendingApproveRequest(id=pending_id)
                await self.dispatcher.as_node("PendingApprove", request)
            except Failure as failure:
                why = failure.message
                logs.get("main").warning("approved_not_done", pending_id=pending_id, why=why)

    def _office(self, declared: Operation, request: Any) -> Any:
        """The operator's operations on files. Runs on a thread of its own."""
        if declared.name == "Backup":
            if request.to and not Path(request.to).is_absolute():
                raise Failure(
                    Code.INVALID_ARGUMENT,
                    f"{request.to!r} is not an absolute path, and the node runs somewhere else",
                    path="$.to",
                    next="Name the directory from the root on.",
                )
            to = Path(request.to) if request.to else Path(self.facts.data_dir) / "backups"
            done = self.store.backup(to, request.keep, self.dispatcher.clock.now_us(), VERSION)
            return BackupResponse(
                path=str(done.path), sha256=done.sha256, bytes=done.bytes, removed=done.removed
            )
        raise AssertionError(f"{declared.name} is not answered here")

    async def stop(self) -> None:
        """Flush the recalls, close the store."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        try:
            await self.tally.flush()
        except Exception as error:  # whatever becomes of the recalls, the store must be closed
            logs.get("main").warning("touches_not_flushed", error=str(error))
        await asyncio.to_thread(self.embedding.close)
        await self.plane.close()
        await asyncio.to_thread(self.store.close)
        self.replica.fence.close()


def _say_of_model(what: str) -> None:
    logs.get("embedding").info("model", what=what)


async def _one_of_many(store: Store, clock: Clock, chance: Chance, settings: Settings) -> Cluster:
    """The node as a member, if only of itself: its key, its log, and what it knows of others."""
    identity = Identity.load_or_create(str(store.data_dir), chance)
    home = identity_dir(str(store.data_dir))
    votes = VoteFile(home)
    replica = await Replica.start(store, identity, clock, chance, Fence(home))
    name = settings.name or socket.gethostname().partition(".")[0]
    retain = settings.retain_days > 0
    begin = await standing.load(
        store, identity, replica.first_origin, votes, name=name, address="", retain=retain,
        snapshot_lag_ops=settings.snapshot_lag_ops,
    )  # fmt: skip
    begin = replace(begin, is_log_whole=replica.is_new_log)
    plane = Plane(store, identity, clock, votes, begin, retain_days=settings.retain_days)
    replica.plane = plane
    replica.gate = gate_of(lambda: plane.is_alone)
    replica.copies = copies.strictest(plane)
    plane.outbox.grants = copies.grants()
    return Cluster(
        replica, plane, votes, chance, name=name, retain=retain,
        ready_lag_ops=settings.ready_lag_ops, snapshot_lag_ops=settings.snapshot_lag_ops,
    )  # fmt: skip


def _poster(allowed: Allowed) -> Post:
    """How webhooks are sent: to addresses that were judged, and no others."""

    async def post(url: str, headers: Mapping[str, str], body: bytes) -> int:
        from aimem_node.outbound import posting, urls  # only where something is delivered

        target = urls.check_url(url, allowed)
        addresses = await urls.resolve(target, allowed=allowed)
        return (await posting.post(target, addresses, headers, body)).status

    return post


def _ended(task: "asyncio.Task[None]") -> None:
    """What runs for ever has ended: say so, or nobody would notice for days."""
    if not task.cancelled() and task.exception() is not None:
        logs.get("main").error("task_ended", task=task.get_name(), exc_info=task.exception())


class Node:
    """A core with its ways in: gRPC, HTTP and MCP on unix sockets, and on TCP where asked for."""

    def __init__(self, settings: Settings, env: Mapping[str, str]) -> None:
        self.settings = settings
        self.env = dict(env)
        self.core: Core | None = None
        self.dial: Any = None
        "How to reach other members; None: as they say. For tests that stand in between."
        self.embedding: Embedding | None = None
        "The model of texts; None: what the settings say. For tests that bring their own."
        self._ways: list[Any] = []
        self._listening: list[str] = []
        self._pid_file = Path(places.pid_path(str(settings.data_dir), self.env))
        self.log = logs.get("main")

    def _socket(self, which: str) -> str:
        return places.socket_path(str(self.settings.data_dir), which, self.env)

    async def start(self, clock: Clock, chance: Chance) -> None:
        """Open everything. If any part refuses, what was open is closed again."""
        close_directory(Path(self._socket("http")).parent)
        self.core = await Core.start(
            self.settings.data_dir,
            clock,
            chance,
            self.settings,
            lambda: tuple(self._listening),
            embedding=self.embedding,
        )
        try:
            await self._open_ways(self.core)
            await self._meet_others(self.core, clock, chance)
            self._pid_file.write_text(f"{os.getpid()}\n", encoding="ascii")
        except BaseException:
            await self.stop()
            raise
        self.log.info(
            "node_started", node_id=self.core.facts.node_id, data_dir=str(self.settings.data_dir),
            listening=self._listening, version=VERSION,
        )  # fmt: skip

    async def _open_ways(self, core: Core) -> None:
        from aimem_node.ways import open_ways

        async for way, addresses in open_ways(core, self.settings, self._socket):
            self._ways.append(way)
            self._listening.extend(addresses)

    async def _meet_others(self, core: Core, clock: Clock, chance: Chance) -> None:
        """Be ready for other members: at once if there are or may be any, else when first asked.

        A lone node is spared the code for it, which takes memory.
        """
        meeting = asyncio.Lock()

        async def meet() -> None:
            from aimem_node.peering import Peering, no_detour

            async with meeting:
                if core.cluster.invites is not None:
                    return
                dial = self.dial or no_detour
                peering = Peering(core.cluster, self.settings, clock, chance, dial)
                self._ways.append(peering)
                await peering.start()
                if peering.address:
                    self._listening.append(f"peers:{peering.address}")

        core.cluster.meet_others = meet
        home = identity_dir(str(self.settings.data_dir))
        begun = any((home / name).exists() for name in BEGUN)
        if self.settings.peer or not core.plane.is_alone or begun:
            await meet()

    async def stop(self) -> None:
        """Close the ways in, then the core. Safe to call twice."""
        for way in reversed(self._ways):
            with contextlib.suppress(Exception):
                await way.stop()
        self._ways.clear()
        if self.core is not None:
            core, self.core = self.core, None
            try:
                await core.stop()
            finally:
                self._forget_pid()
            self.log.info("node_stopped", node_id=core.facts.node_id)

    def _forget_pid(self) -> None:
        """Last of all, so that `aimem-node stop` sees whom to wait for as long as the directory is
        held; and only our own, since the next node may have started by now."""
        with contextlib.suppress(OSError):
            if self._pid_file.read_text(encoding="ascii").strip() == str(os.getpid()):
                self._pid_file.unlink()


def close_directory(directory: Path) -> None:
    """Make a directory that only this user can enter, or refuse one that others can."""
    for part in (directory.parent, directory):
        try:
            part.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise Failure(
                Code.STORAGE,
                f"{part} cannot be made: {error.strerror}",
                next=f"Set {places.RUNTIME_DIR_ENV} to a directory of your own.",
            ) from None
        found = part.stat()
        if found.st_uid != os.geteuid() or (part == directory and found.st_mode & 0o077):
            raise Failure(
                Code.PERMISSION_DENIED,
                f"{part} belongs to someone else or is open to others",
                next=f"Remove it, or set {places.RUNTIME_DIR_ENV} to a directory of your own.",
            )


async def serve(settings: Settings, env: Mapping[str, str], clock: Clock | None = None) -> int:
    """Run a node until it is told to stop or its disk fails. Returns the exit code.

    `clock`: another one than the machine's, for those who want to see what a wrong one does.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    node = Node(settings, env)
    await node.start(clock or SystemClock(), SystemChance())
    assert node.core is not None
    # What is here now stays: a full collection would look at all of it again, for 20 ms, in the
    # middle of somebody's recall.
    gc.collect()
    gc.freeze()
    ends = [
        asyncio.ensure_future(told.wait()),
        asyncio.ensure_future(node.core.failed.wait()),
    ]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    failed = node.core.store.failed
    for end in ends:
        end.cancel()
    if failed:
        node.log.error("node_failed", reason=failed, next="restart it; run aimem-node doctor")
    await node.stop()
    return EXIT_FAILED if failed else 0


def run(given: Mapping[str, Any], clock: Clock | None = None) -> int:
    """Load the settings, set up the log, serve. Failures go to standard error with what to do."""
    from aimem_node.contract.errors import SIGNS

    try:
        settings = load(given)
        logs.set_up(settings.log_level, settings.log_json)
        return asyncio.run(serve(settings, os.environ, clock))
    except Failure as failure:
        sys.stderr.write(f"aimem-node: {failure.message}\n")
        if failure.next:
            sys.stderr.write(f"next: {failure.next}\n")
        return SIGNS[failure.code].exit


def admin(command: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The operator's commands that work on a node's files and need no running node."""
    from aimem_node import admin as commands

    return commands.run(command, given)


def _main(argv: list[str]) -> int:
    """`python -m aimem_node.main run [--setting value]...`, as clients start a node."""
    if argv[:1] != ["run"]:
        sys.stderr.write(
            "usage: python -m aimem_node.main run [--data-dir DIR] [--SETTING VALUE]\n"
        )
        return 2
    try:
        return run(given_by(argv[1:]))
    except ValueError as error:
        sys.stderr.write(f"aimem-node: {error}\n")
        return 2


def given_by(flags: list[str]) -> dict[str, Any]:
    """The settings that these words name. Raises ValueError for a word that names none."""
    given: dict[str, Any] = {}
    rest = iter(flags)
    for flag in rest:
        if not flag.startswith("--"):
            raise ValueError(f"{flag!r} is not a setting")
        name, equals, value = flag[2:].partition("=")
        if not equals:
            value = "true" if name in ("http-open", "log-json") else next(rest, "")
        given[name.replace("-", "_")] = value
    return given


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
