"""Ask for vectors where they have been made already, before making them again.

Whoever wrote a memory embeds it within milliseconds, mostly before it is asked. So a memory that
came from elsewhere waits a moment for its vector, but never long: what is not given soon is made
here. Who has nothing to give (another model, none at all, an earlier version) is left alone for a
while, and then nothing waits for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aimem_node import logs
from aimem_node.contract.errors import Failure
from aimem_node.metrics import Metrics
from aimem_node.replica.vectors import ASKED_MAX, VectorAnswer, VectorAsk, VectorText
from aimem_node.store.vectors import BYTES_PER_NUMBER, numbers, problem_with
from aimem_sync.dot import Dot

if TYPE_CHECKING:
    from aimem_node.embedding.embedder import Space
    from aimem_node.replica.plane import Plane
    from aimem_node.store.vectors import DueRow

WAIT_S: Final = 3.0
"""How long a memory from elsewhere waits for its vector."""
PAUSES_S: Final = (0.1, 0.4, 1.0, 1.5)
"""Before each time that it is asked for. The first lets the one that wrote it be done, and several
that come at once be asked for together."""
ANSWER_S: Final = 3.0
EMPTY_QUIET_S: Final = 10.0
"""How long a member is left alone that has none of the vectors, so that nothing waits for it."""
OTHER_MODEL_QUIET_S: Final = 60.0
NO_ANSWER_QUIET_S: Final = 10.0
REFUSED_QUIET_S: Final = 300.0

Item = tuple[int, int, Any]
"""(row, mark, vector), as WriteSession.put_vectors takes them."""


@dataclass(slots=True)
class _Hope:
    since_s: float
    next_s: float
    tries: int = 0


@dataclass(slots=True)
class Sorted:
    """What is to be done about texts without vectors."""

    ready: list[DueRow] = field(default_factory=list)
    "To be embedded here, those written here first."
    asks: dict[str, list[DueRow]] = field(default_factory=dict)
    "To be asked for now, by member."
    again_s: float = WAIT_S
    "When some of the others are to be asked for or given up."


class Adopting:
    """See the module. On the event loop."""

    def __init__(self, plane: Plane, metrics: Metrics) -> None:
        self._plane = plane
        self._metrics = metrics
        self._hopes: dict[tuple[int, int], _Hope] = {}
        "By row and mark of the text."
        self._quiet: dict[tuple[str, str], float] = {}
        "Until when a member is not asked for vectors of a model; of asyncio's clock."
        self._asking: set[str] = set()
        self._loop = asyncio.get_running_loop()
        self._log = logs.get("followers")

    def sort(self, fingerprint: str, rows: Sequence[DueRow]) -> Sorted:
        """What to ask of whom, and what to embed here without waiting any longer."""
        found = Sorted()
        foreign: list[DueRow] = []
        now_s, peers = self._loop.time(), self._peers(fingerprint)
        for row in rows:
            author = Dot.parse(row.write_id).origin.node_id
            if author == self._plane.core.me or not peers:
                found.ready.append(row)
                continue
            hope = self._hopes.get((row.rid, row.mark))
            if hope is None:
                # When many are due they are old, and there is nothing to wait for.
                pause_s = PAUSES_S[0] if len(rows) < ASKED_MAX else 0.0
                hope = self._hopes[row.rid, row.mark] = _Hope(now_s, now_s + pause_s)
            if now_s - hope.since_s >= WAIT_S:
                foreign.append(row)
            elif now_s < hope.next_s:
                found.again_s = min(found.again_s, hope.next_s - now_s)
            else:
                self._ask_soon(found, row, hope, author, peers)
            found.again_s = min(found.again_s, max(0.0, hope.since_s + WAIT_S - now_s))
        found.ready += foreign
        return found

    def _ask_soon(
        self, found: Sorted, row: DueRow, hope: _Hope, author: str, peers: list[str]
    ) -> None:
        order = sorted(peers, key=lambda one: one != author)
        whom = order[hope.tries % len(order)]
        if whom in self._asking or len(found.asks.get(whom, ())) >= ASKED_MAX:
            return  # its turn comes when that one has answered
        found.asks.setdefault(whom, []).append(row)
        hope.tries += 1
        hope.next_s = self._loop.time() + PAUSES_S[min(hope.tries, len(PAUSES_S) - 1)]

    def keep_only(self, rows: Iterable[DueRow]) -> None:
        """These are all that are due: forget what was hoped for others."""
        due = {(row.rid, row.mark) for row in rows}
        self._hopes = {key: hope for key, hope in self._hopes.items() if key in due}

    async def ask(self, node_id: str, space: Space, rows: Sequence[DueRow]) -> list[Item]:
        """What a member gives of these. Never fails: who gives nothing is left alone."""
        self._asking.add(node_id)
        try:
            return await self._ask(node_id, space, rows)
        finally:
            self._asking.discard(node_id)

    async def _ask(self, node_id: str, space: Space, rows: Sequence[DueRow]) -> list[Item]:
        texts = tuple(VectorText(row.record_id, row.mark) for row in rows)
        try:
            async with asyncio.timeout(ANSWER_S):
                ask = VectorAsk(space.fingerprint, texts)
                answer = await self._plane.net.vectors_at(node_id, ask)
        except (Failure, TimeoutError) as failure:
            self._log.info("vectors_not_given", peer=node_id[:8], why=str(failure) or "no answer")
            self._leave(node_id, space.fingerprint, NO_ANSWER_QUIET_S)
            return []
        if not answer.same_model:
            self._log.info("vectors_of_another_model", peer=node_id[:8])
            self._leave(node_id, space.fingerprint, OTHER_MODEL_QUIET_S)
            return []
        try:
            items = adoptable(answer, rows, space.dimension)
        except ValueError as error:
            self._metrics.vectors_refused.inc()
            self._log.warning("vectors_refused", peer=node_id[:8], why=str(error))
            self._leave(node_id, space.fingerprint, REFUSED_QUIET_S)
            return []
        if not items and len(rows) == ASKED_MAX:
            self._leave(node_id, space.fingerprint, EMPTY_QUIET_S)
        return items

    def _peers(self, fingerprint: str) -> list[str]:
        """Members in reach that may have vectors of this model."""
        plane, now_s = self._plane, self._loop.time()
        if plane.is_alone:
            return []
        now_us = plane.clock.monotonic_us()
        near = (node_id for node_id, link in plane.core.links.items() if link.in_reach(now_us))
        return [one for one in near if self._quiet.get((one, fingerprint), 0.0) <= now_s]

    def _leave(self, node_id: str, fingerprint: str, for_s: float) -> None:
        self._quiet[node_id, fingerprint] = self._loop.time() + for_s


def adoptable(answer: VectorAnswer, rows: Sequence[DueRow], dimension: int) -> list[Item]:
    """The vectors of an answer, checked. Raises ValueError if any could not have been made by the
    model: then none of them is believed."""
    np = numbers()
    wanted = {(row.record_id, row.mark): row.rid for row in rows}
    items: list[Item] = []
    for one in answer.vectors:
        rid = wanted.pop((one.record_id, one.mark), None)
        if rid is None:
            raise ValueError("a vector that was not asked for, or the same one twice")
        if len(one.body) != BYTES_PER_NUMBER * dimension:
            raise ValueError(f"a vector of {len(one.body)} bytes, of {dimension} numbers")
        vector = np.frombuffer(one.body, dtype="<f2")
        problem = problem_with(vector, dimension)
        if problem:
            raise ValueError(f"no vector: {problem}")
        items.append((rid, one.mark, vector))
    return items
