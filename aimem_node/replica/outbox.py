"""Read what other members are to be sent, from memory or from the file, as they may have it."""

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Final, TypeVar

from aimem_node import logs
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.granting import Grants, stripped
from aimem_node.replica.net import Net
from aimem_node.replica.recent import Recent, run_of
from aimem_node.store.snapshot import SnapshotFile
from aimem_node.store.store import Store
from aimem_node.store.view import View
from aimem_sync.cursor import Range
from aimem_sync.effects import SendAppend, SendPage

T = TypeVar("T")
Run = tuple[list[bytes], list[bytes]]
"""Encoded ops, and the answers beside them."""

BATCH_BYTES_MAX: Final = 1 << 20
"""Of the ops in one Append or Page. A single op may be as large as that by itself."""
READ_MS: Final = 10_000
SNAPSHOT_FILE: Final = "snapshot.out"


class Outbox:
    """See the module. On the event loop; reads run elsewhere."""

    def __init__(self, store: Store, recent: Recent) -> None:
        self.grants: Grants | None = None
        self._store = store
        self._recent = recent
        self._loop = asyncio.get_running_loop()
        self._making: asyncio.Task[SnapshotFile] | None = None
        self._log = logs.get("replica")

    def append(self, net: Net, effect: SendAppend) -> None:
        """Send the next ops of the own log, as many as fit one message."""
        run = self._recent.run(effect.ops, BATCH_BYTES_MAX, effect.to)
        if run is not None:
            net.send_append(effect.to, effect.epoch, effect.durable_upto, *run)
            return

        def send(run: Run) -> None:
            if run[0]:
                net.send_append(effect.to, effect.epoch, effect.durable_upto, *run)

        self.read_then(lambda view: self._run_for(view, effect.to, (effect.ops,)), send)

    def page(self, net: Net, effect: SendPage) -> None:
        """Send what a pull asked for, as much as fits one message; it may be nothing."""
        self.read_then(
            lambda view: self._run_for(view, effect.to, effect.ranges),
            lambda run: net.send_page(effect.to, effect.pull_id, *run),
        )

    async def snapshot_file(self, node_id: str) -> SnapshotFile:
        """The whole state as a file. Who asks while one is being made gets the same.

        Raises UNAVAILABLE for a member from which anything is withheld: it pulls op by op.
        """
        await self._check_may_hold_all(node_id)
        if self._making is None or self._making.done():
            to = self._store.data_dir / SNAPSHOT_FILE
            making = asyncio.to_thread(self._store.export_snapshot, to)
            self._making = self._loop.create_task(making)
        made = await asyncio.shield(self._making)
        await self._check_may_hold_all(node_id)  # a grant may have changed while it was made
        return made

    async def _check_may_hold_all(self, node_id: str) -> None:
        grants = self.grants
        if grants is not None and await self._store.readers.read(
            lambda view: grants.excludes(view, node_id), READ_MS
        ):
            raise Failure(
                Code.UNAVAILABLE, "the node may not hold all that is here, so it gets no snapshot"
            )

    def read_then(self, read: Callable[[View], T], then: Callable[[T], None]) -> None:
        """Read off the loop and go on with it there. What cannot be read is logged and left."""

        def done(future: Future[T]) -> None:
            error = future.exception()
            if error is not None:
                self._log.warning("log_not_read", error=str(error))
            else:
                with contextlib.suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(then, future.result())

        with contextlib.suppress(Exception):  # the store is closing: nobody waits for this
            self._store.readers.submit(read, READ_MS).add_done_callback(done)

    def _run_for(self, view: View, to: str, ranges: Iterable[Range]) -> Run:
        run = run_of(view, ranges, BATCH_BYTES_MAX)
        if self.grants is None or not self.grants.is_any(view):
            return run
        return stripped(view, *run, self.grants, to)
