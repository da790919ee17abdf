"""Give every live memory its vector, whatever way it came here.

The store itself knows what has none: every write marks its row as due in the same transaction, so
nothing is lost by a crash, a model that is away or a text that it cannot read. This follows the log
only to be told when to look. Nothing here holds up a write: a memory is stored when it is stored,
and found by meaning when its vector is there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aimem_node import logs
from aimem_node.contract.errors import Code, Failure
from aimem_node.embedding.embedder import Unavailable
from aimem_node.embedding.text import passage_text
from aimem_node.followers.adopting import Adopting, Item
from aimem_node.metrics import Metrics
from aimem_node.replica.vectors import Progress
from aimem_node.store.vectors import problem_with

if TYPE_CHECKING:
    from aimem_node.embedding.embedder import Space
    from aimem_node.embedding.worker import Embedding
    from aimem_node.replica.plane import Plane
    from aimem_node.store.session import WriteSession
    from aimem_node.store.vectors import DueRow, VectorSpace
    from aimem_node.store.view import View

T = TypeVar("T")

READ_MS: Final = 5_000
WINDOW: Final = 512
"""Due rows that are looked at together."""
BATCH: Final = 32
"""Texts that are embedded and written together, about 2 ms of the writer."""
GIVE_WAY_S: Final = 0.05
"""After a batch during which callers wrote: they wait for an answer, and a vector waits for nobody.
What they write meanwhile shares the next batch, and its sync of the disk."""
PASSAGES_S: Final = 30.0
"""For one batch. A model that takes longer is as good as gone."""
PROBE_S: Final = 10.0
PROBE: Final = "aimem"
"""A text that every model can embed: if this fails, it is not the text."""
AGAIN_S: Final = (1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Before each further attempt of a model that gives nothing; the last one for ever."""
TEXT_AGAIN_S: Final = (2.0, 10.0, 60.0, 600.0, 3_600.0)
"""Before each further attempt with a text that fails by itself."""
TRIES_UNTIL_DROP: Final = 3
"""A text that has failed so often does not keep the vectors of the model before."""
FAILING_MAX: Final = 1_000
COLD_LOOK_S: Final = 30.0
"""Between two looks at what a model is whose fingerprint is not known before it is loaded."""


@dataclass(frozen=True, slots=True)
class _Failing:
    """A text that cannot be embedded, though others can."""

    mark: int
    tries: int
    next_s: float
    why: str


@dataclass(frozen=True, slots=True)
class _Look:
    """What is due, and up to which position of the log."""

    pos: int
    rows: list[DueRow]
    "Those that came last first, at most so many."
    is_all: bool
    backlog: int
    live: int
    "Live memories, with a vector or without."
    spaces: tuple[VectorSpace, ...]

    @property
    def active(self) -> VectorSpace | None:
        return next((space for space in self.spaces if space.active), None)


class Vectors:
    """See the module. Lives on one event loop; `progress` may be asked from any thread."""

    def __init__(
        self,
        plane: Plane,
        embedding: Embedding,
        moved: Callable[[int], Awaitable[None]],
        asked: Callable[[], int],
        metrics: Metrics,
    ) -> None:
        """`moved` returns once the log reaches further than a position. `asked` says how many
        writes callers have asked for."""
        self._store = plane.store
        self._embedding = embedding
        self._moved = moved
        self._asked = asked
        self._metrics = metrics
        self._adopting = Adopting(plane, metrics)
        self._loop = asyncio.get_running_loop()
        self._failing: dict[int, _Failing] = {}
        self._since: dict[int, float] = {}
        "When a due row was first seen, by asyncio's clock."
        self._oldest_s: float | None = None
        self._vectors = self._backlog = self._adopted = 0
        self._why = ""
        self._fingerprint = ""
        "Of the space in which memories get vectors; empty before it is known."
        self._tasks: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()
        self._log = logs.get("followers")

    def progress(self) -> Progress:
        """How far it is."""
        oldest_s = self._oldest_s
        return Progress(
            vectors=self._vectors,
            backlog=self._backlog,
            lag_s=0.0 if oldest_s is None else max(0.0, self._loop.time() - oldest_s),
            failing=len(self._failing),
            why=self._why,
            adopted=self._adopted,
            index=self._index_state(),
        )

    def _index_state(self) -> str:
        states = {one.fingerprint: one.state for one in self._store.vectors.status()}
        state = states.get(self._fingerprint, "")
        return "rebuilding" if state == "building" else state

    async def run(self) -> None:
        """For ever; cancelled when the node stops. Ends at once where no model is configured."""
        if self._embedding.status().state == "off":
            return
        tries = 0
        try:
            while True:
                try:
                    pos, again_s = await self._round()
                except Exception as error:
                    self._note_trouble(error, is_first=tries == 0)
                    await asyncio.sleep(AGAIN_S[min(tries, len(AGAIN_S) - 1)])
                    tries += 1
                    continue
                tries, self._why = 0, next((one.why for one in self._failing.values()), "")
                await self._wait(pos, again_s)
        finally:
            for task in tuple(self._tasks):
                task.cancel()

    def _note_trouble(self, error: Exception, *, is_first: bool) -> None:
        self._why = error.message if isinstance(error, Failure) else repr(error)
        self._metrics.vector_failures.inc()
        if not isinstance(error, Failure):
            self._log.error("vectors_not_made", exc_info=error)
        elif is_first:
            self._log.warning("vectors_not_made", why=error.message, next=error.next)

    # ---- one round -----------------------------------------------------------------------------

    async def _round(self) -> tuple[int, float | None]:
        """Do what can be done now. Returns the position of the log that was looked at, and in how
        many seconds to look again although nothing was written; None: not at all.

        Raises what keeps the model or the store from doing anything.
        """
        look = await self._look()
        self._note_due(look)
        self._keep_older(look)
        if look.active is not None:
            self._fingerprint = look.active.fingerprint
            self._store.vectors.start()  # so that the first question finds it loaded
        if not look.rows and not self._is_other_model(look):
            return look.pos, await self._nothing_due(look)
        space = await self._space()
        self._keep_older(look)
        active = look.active
        if active is None or active.fingerprint != space.fingerprint:
            await self._write(lambda session: session.set_space(space))
            self._log.info(
                "embedding_model", model=space.name, before=active.name if active else "",
                fingerprint=space.fingerprint,
            )  # fmt: skip
            return look.pos, 0.0
        now_s = self._loop.time()
        waits = {rid: one.next_s - now_s for rid, one in self._failing.items()}
        found = self._adopting.sort(
            space.fingerprint, [row for row in look.rows if waits.get(row.rid, 0.0) <= 0.0]
        )
        for node_id, rows in found.asks.items():
            self._begin(self._adopt(node_id, space, rows))
        if found.ready:
            await self._embed_some(space, found.ready)
            return look.pos, 0.0
        if len(self._failing) == len(look.rows):
            await self._drop_old(look, space)
        return look.pos, min([found.again_s, *(max(0.0, one) for one in waits.values())])

    async def _look(self) -> _Look:
        limit = WINDOW + len(self._failing)

        def read(view: View) -> _Look:
            rows = view.vectors_due(limit)
            is_all = len(rows) < limit
            backlog = len(rows) if is_all else view.vector_backlog()
            live = view.population()
            return _Look(view.last_pos(), rows, is_all, backlog, live, tuple(view.spaces()))

        return await self._store.readers.read(read, READ_MS)

    def _note_due(self, look: _Look) -> None:
        """Remember since when what is due."""
        now_s = self._loop.time()
        self._backlog = look.backlog
        self._vectors = max(0, look.live - look.backlog) if look.active else 0
        if look.is_all:
            due = {row.rid: row.mark for row in look.rows}
            self._since = {rid: at for rid, at in self._since.items() if rid in due}
            self._failing = {
                rid: one for rid, one in self._failing.items() if due.get(rid) == one.mark
            }
            self._adopting.keep_only(look.rows)
        if len(self._since) < 8 * WINDOW:
            for row in look.rows:
                self._since.setdefault(row.rid, now_s)
        self._oldest_s = min(self._since.values(), default=None)

    async def _nothing_due(self, look: _Look) -> float | None:
        """All have their vectors: those of earlier models are of no use any more."""
        spaces = self._embedding.spaces()
        if spaces and look.active is not None and look.active.fingerprint == spaces[0].fingerprint:
            await self._drop_old(look, spaces[0])
        return None if spaces else COLD_LOOK_S

    def _is_other_model(self, look: _Look) -> bool:
        """Whether the store's vectors are of another model than this node's, as far as is known
        without loading it."""
        spaces, active = self._embedding.spaces(), look.active
        if active is None:
            return False
        if not spaces:  # not loaded yet: its name may tell
            return self._embedding.name != active.name
        return spaces[0].fingerprint != active.fingerprint

    def _keep_older(self, look: _Look) -> None:
        """Have questions embedded for the models before this one, as long as their vectors are
        here."""
        spaces = self._embedding.spaces()
        if spaces:
            own = spaces[0].fingerprint
            self._embedding.keep(
                {one.fingerprint: one.name for one in look.spaces if one.fingerprint != own}
            )

    async def _space(self) -> Space:
        """What the model makes. Has it loaded if that is not known."""
        spaces = self._embedding.spaces()
        if not spaces:
            await self._passages([PROBE], "", PASSAGES_S)
            spaces = self._embedding.spaces()
        if not spaces:
            status = self._embedding.status()
            raise Failure(Code.UNAVAILABLE, status.why or "the model is away", next=status.next)
        return spaces[0]

    async def _drop_old(self, look: _Look, space: Space) -> None:
        """Forget the vectors of earlier models."""
        if any(one.tries < TRIES_UNTIL_DROP for one in self._failing.values()):
            return
        for old in look.spaces:
            if old.fingerprint != space.fingerprint:
                await self._drop(old)

    async def _drop(self, old: VectorSpace) -> None:
        while await self._write(lambda session: session.drop_space(old.fingerprint)):
            continue  # a bounded part of it at a time
        self._log.info("embedding_model_dropped", model=old.name, fingerprint=old.fingerprint)

    # ---- embedding -----------------------------------------------------------------------------

    async def _embed_some(self, space: Space, ready: Sequence[DueRow]) -> None:
        asked = self._asked()
        await self._embed(space, ready[:BATCH])
        if self._asked() != asked:
            await asyncio.sleep(GIVE_WAY_S)

    async def _embed(self, space: Space, rows: Sequence[DueRow]) -> None:
        """Give these their vectors. If some cannot have one, find out which.

        Raises Failure if the model gives none at all.
        """
        texts = [passage_text(row.title, row.content) for row in rows]
        try:
            matrix = await self._passages(texts, space.fingerprint, PASSAGES_S)
        except Failure as failure:
            await self._passages([PROBE], space.fingerprint, PROBE_S)  # it is not the model
            await self._embed_parts(space, rows, failure)
            return
        items = [(row.rid, row.mark, matrix[at]) for at, row in enumerate(rows)]
        broken = {rid: problem_with(one, space.dimension) for rid, _, one in items}
        for row in rows:
            if broken[row.rid]:
                self._set_aside(row, f"the model gave no vector for it: {broken[row.rid]}")
        put = await self._put(space, [item for item in items if not broken[item[0]]])
        self._metrics.vectors_embedded.inc(put)

    async def _embed_parts(self, space: Space, rows: Sequence[DueRow], failure: Failure) -> None:
        if len(rows) == 1:
            self._set_aside(rows[0], failure.message)
            return
        half = len(rows) // 2
        await self._embed(space, rows[:half])
        await self._embed(space, rows[half:])

    def _set_aside(self, row: DueRow, why: str) -> None:
        """A text that fails by itself waits for its next attempt and holds up no other."""
        before = self._failing.get(row.rid)
        tries = before.tries if before is not None and before.mark == row.mark else 0
        if tries == 0 and len(self._failing) >= FAILING_MAX:
            raise Failure(Code.UNAVAILABLE, f"{FAILING_MAX} texts cannot be embedded: {why}")
        pause_s = TEXT_AGAIN_S[min(tries, len(TEXT_AGAIN_S) - 1)]
        self._failing[row.rid] = _Failing(row.mark, tries + 1, self._loop.time() + pause_s, why)
        self._metrics.vector_failures.inc()
        self._log.warning("text_not_embedded", id=row.record_id, why=why, again_s=pause_s)

    async def _passages(self, texts: Sequence[str], fingerprint: str, budget_s: float) -> Any:
        """float32 (texts, dimension). Raises Failure."""
        try:
            asked = self._embedding.passages(texts, fingerprint, budget_s)
            async with asyncio.timeout(budget_s + 1.0):
                return await asyncio.wrap_future(asked)
        except TimeoutError:
            raise Failure(Code.UNAVAILABLE, f"the model took over {budget_s:g} s") from None
        except Unavailable as gone:
            raise Failure(Code.UNAVAILABLE, gone.why, next=gone.next) from gone
        except Failure:
            raise
        except Exception as error:  # of whatever program the model is
            raise Failure(Code.UNAVAILABLE, f"{type(error).__name__}: {error}") from error

    # ---- adopting ------------------------------------------------------------------------------

    async def _adopt(self, node_id: str, space: Space, rows: Sequence[DueRow]) -> None:
        """Take from another member what it has, and have the rest looked at again."""
        try:
            items = await self._adopting.ask(node_id, space, rows)
            if items:
                put = await self._put(space, items)
                self._adopted += put
                self._metrics.vectors_adopted.inc(put)
        except Failure as failure:
            self._log.warning("vectors_not_adopted", why=failure.message)
        self._woken.set()

    def _begin(self, work: Any) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # ---- the store -----------------------------------------------------------------------------

    async def _put(self, space: Space, items: Sequence[Item]) -> int:
        """Write vectors; how many were taken. The others have another text by now."""
        if not items:
            return 0
        put = await self._write(lambda session: session.put_vectors(space.fingerprint, items))
        self._done(put)
        return len(put)

    def _done(self, rids: Iterable[int]) -> None:
        for rid in rids:
            self._since.pop(rid, None)
            self._failing.pop(rid, None)
        self._oldest_s = min(self._since.values(), default=None)

    async def _write(self, job: Callable[[WriteSession], T]) -> T:
        return await self._store.writer.write(job)

    async def _wait(self, pos: int, again_s: float | None) -> None:
        """Until there is more in the log, a member has answered, or the time has come."""
        if again_s is not None and again_s <= 0.0:
            await asyncio.sleep(0)
            return
        waiting = [
            self._loop.create_task(self._beyond(pos)),
            self._loop.create_task(self._wake()),
        ]
        try:
            await asyncio.wait(waiting, timeout=again_s, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()
        self._woken.clear()

    async def _beyond(self, pos: int) -> None:
        await self._moved(pos)

    async def _wake(self) -> None:
        await self._woken.wait()
