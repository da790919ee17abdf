"""What the core wants kept, carried out by the store; and the answer, as an event.

Jobs go to the writer in the order in which they are asked for, and are reported only once they are
synced: everything that the core tells others rests on that. Votes are kept beside the key instead,
outside whatever a restore puts back: a promise to other voters must not be forgotten with the file.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from aimem_node import logs
from aimem_node.replica.standing import encode_proof
from aimem_node.replica.votes import VoteFile
from aimem_node.store.answers import dot_of
from aimem_node.store.session import WriteSession
from aimem_node.store.snapshot import InstalledFile
from aimem_node.store.store import Store
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot, Origin
from aimem_sync.effects import KeepConfig, Vote
from aimem_sync.events import Event, Installed, Kept, NotKept, Truncated
from aimem_sync.members import encode_config
from aimem_sync.op import Op

BESIDE_MAX: Final = 10_000
"""Answers remembered for ops that are still to be kept; most of those forgotten were duplicates."""


class Disk:
    """See the module. Called on the event loop; reports from other threads."""

    def __init__(
        self, store: Store, votes: VoteFile, report: Callable[[Event], None],
        soon: Callable[[Callable[[], None]], None] = lambda do: do(),
    ) -> None:  # fmt: skip
        """`report` and `soon` may be called on any thread; `soon` calls back on the loop."""
        self._store = store
        self._votes = votes
        self._report = report
        self._soon = soon
        self._beside: dict[Dot, bytes] = {}
        self._voter = ThreadPoolExecutor(1, thread_name_prefix="aimem-votes")
        self._log = logs.get("replica")

    def close(self) -> None:
        """Finish the votes in hand."""
        self._voter.shutdown()

    def remember(self, beside: Sequence[bytes]) -> None:
        """Answers that came beside ops, until these are kept."""
        if len(self._beside) > BESIDE_MAX:
            self._beside.clear()
        for one in beside:
            self._beside[dot_of(one)] = one

    def keep(
        self, ticket: int, ops: tuple[Op, ...], settled: Cursor | None,
        kept: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        """Append and fold ops of other nodes. `kept` is told before the report that they are."""
        taken = (self._beside.pop(op.dot, None) for op in ops) if self._beside else ()
        beside = [one for one in taken if one is not None]

        def job(session: WriteSession) -> None:
            session.settled = settled
            session.take_run(ops, beside)

        self._write(ticket, job, kept)

    def keep_vote(self, ticket: int, vote: Vote) -> None:
        """Keep a vote beside the key."""
        done = self._voter.submit(self._votes.keep, vote)
        done.add_done_callback(lambda future: self._done(ticket, future))

    def forget_votes(self) -> "Future[None]":
        """Forget all of them, and those that are still to be kept; what comes later is kept."""
        return self._voter.submit(self._votes.clear)

    def keep_config(self, effect: KeepConfig) -> None:
        """Keep epochs."""
        rows = [
            (config.epoch, encode_config(config), encode_proof(proof))
            for config, proof in zip(effect.configs, effect.proofs, strict=True)
        ]

        def job(session: WriteSession) -> None:
            for row in rows:
                session.put_config(*row)

        self._write(effect.ticket, job)

    def truncate(self, upto: Cursor, before_us: int) -> None:
        """Give up bodies that every member has and that are old enough."""
        try:
            future = self._store.writer.submit(lambda session: session.truncate(upto, before_us))
        except Exception as error:  # too much waits: it is asked for again
            self._log.debug("not_truncated", error=str(error))
            return

        def done(future: "Future[Cursor]") -> None:
            if future.exception() is None:
                self._report(Truncated(future.result()))

        future.add_done_callback(done)

    def install(
        self, file: Path, own: Origin, check: Callable[[Op], bool], here: Installed,
        over: Callable[[], None],
    ) -> None:  # fmt: skip
        """Put a snapshot in place of the state. `here` is reported if the file is no good."""

        def done(future: "Future[InstalledFile]") -> None:
            file.unlink(missing_ok=True)
            self._soon(over)
            error = future.exception()
            if error is not None:
                self._log.error("snapshot_not_installed", error=str(error))
                self._report(here)
                return
            found = future.result()
            self._report(Installed(found.heads, found.floor, found.refused))

        self._store.writer.install(file, own, check).add_done_callback(done)

    def _write(
        self, ticket: int, job: Callable[[WriteSession], None],
        kept: Callable[[], None] | None = None,
    ) -> None:  # fmt: skip
        try:
            future = self._store.writer.submit(job)
        except Exception as error:  # too much waits, or the store is finished
            self._report(NotKept(ticket, str(error)))
            return
        if kept is not None:
            future.add_done_callback(lambda _done: self._soon(kept))
        future.add_done_callback(lambda done: self._done(ticket, done))

    def _done(self, ticket: int, future: "Future[Any]") -> None:
        error = future.exception()
        if error is not None:
            self._log.warning("not_kept", error=str(error))
        self._report(Kept(ticket) if error is None else NotKept(ticket, str(error)))
