"""One client: does what was drawn for it, and does not rest before it knows what became of it.

What it was left in doubt about it asks again with the same request key: at the same node first, as
the documentation says, and now and then at another one.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from aimem_node.contract.errors import Code
from chaos.workload.asking import Session, Told, elsewhere, is_write
from chaos.workload.deeds import Answer, Deed, deed_of, got
from chaos.workload.draws import Draw, draws
from chaos.workload.knowing import Board, Own
from chaos.workload.speaking import Endpoint

TRIES_AT_ONCE: Final = 3
"""Of a deed whose end is not known, before the client goes on with something else."""
RETRY_ELSEWHERE: Final = 0.3
LOOK_BACK: Final = 0.15
"""How often a client returns to what it had to leave open."""
GO_HOME: Final = 0.2
WAIT_INSTEAD: Final = 0.3
"""How often a client asks how a write stands, if it was told its id, and does not send it again."""
SETTLE_PAUSE_S: Final = 0.2
REFUSED_MAX: Final = 3
"""So often may a deed be refused for good, when all is whole, before its end is left unknown: what
it was about may be gone, or decided otherwise."""
LEAVES_A_MEMORY: Final = frozenset({"put", "update", "tag", "untag", "promote"})
"""After these there is a memory to be seen, by who has done it."""
PASSING: Final = frozenset(
    {Code.UNAVAILABLE, Code.NOT_WRITTEN, Code.LIMITED, Code.STORAGE, Code.UNAUTHENTICATED}
)
"""Refusals that another moment or another node may not repeat."""
NOBODY_THERE_S: Final = 0.05
"""Before a client asks again a node that did not answer."""


@dataclass(frozen=True, slots=True)
class Open:
    """A deed that may have been done."""

    deed: Deed
    endpoint: Endpoint
    "Where it was asked for first."
    id: str = ""
    write_ids: tuple[str, ...] = ()
    refused: int = 0
    "How often it was refused in a way that waiting does not mend."


class Client:
    """One label, one seed, one session at a time."""

    def __init__(
        self, session: Session, own: Own, board: Board, seed: int, pause_s: float,
        endpoints: Callable[[], Sequence[Endpoint]], done: Callable[[Deed, Told], None],
    ) -> None:  # fmt: skip
        """`endpoints`: the nodes that there are now. `done`: called for each ok."""
        self.session = session
        self.own = own
        self.home = session.endpoint
        self.open: deque[Open] = deque()
        self.stopping = asyncio.Event()
        self._board = board
        self._draws = draws(seed, own.label)
        self._chance = random.Random(f"{seed} {own.label} again")
        self._pause_s = pause_s
        self._endpoints = endpoints
        self._done = done
        self._last_written = ""
        "Of the memories that it has written, the last one."

    async def run(self) -> None:
        """Until it is told to stop; a deed that is in hand is finished."""
        for draw in self._draws:
            await self._rest(self._pause_s * (0.5 + draw.pause))
            if self.stopping.is_set():
                return
            if await self._walk(draw) and self._last_written:
                await self._do(got(self._last_written))  # is it here, where I have come to?
            if self.open and self._chance.random() < LOOK_BACK:
                left = await self._once_more(self.open.popleft())
                self.open.extend([] if left is None else [left])
                continue  # the draw is used up, so that the next one is the same either way
            await self._do(deed_of(draw, self.own, self._board, self.session.endpoint.name))

    async def do_surely(self, deed: Deed) -> None:
        """Ask until it is done. For what has to be there before anything else begins."""
        in_doubt = False
        while True:
            told = await self.session.ask(deed, open_before=in_doubt)
            if self._settled(deed, told, None) and told.type == "ok":
                return
            in_doubt = in_doubt or told.type == "info"
            await asyncio.sleep(SETTLE_PAUSE_S)

    async def _rest(self, seconds: float) -> None:
        """Wait, or less if it is to stop."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.stopping.wait()

    async def _walk(self, draw: Draw) -> bool:
        """Take the session to another node, or back. Whether it has moved."""
        there, before = self._endpoints(), self.session.endpoint
        if draw.hops or before not in there:
            await self.session.move(self._chance.choice(elsewhere(there, before)))
        elif self.home in there and self._chance.random() < GO_HOME:
            await self.session.move(self.home)
        return self.session.endpoint != before

    async def _do(self, deed: Deed) -> None:
        one = Open(deed, self.session.endpoint)
        self.open.append(one)  # so that it is not forgotten if this is the last that we do
        told = await self.session.ask(deed)
        self.open.remove(one)
        if self._settled(deed, told, None):
            if told.code is Code.UNAVAILABLE:
                await self._rest(NOBODY_THERE_S)
            return
        one = _more(one, told)
        for _ in range(TRIES_AT_ONCE - 1):
            if self.stopping.is_set():
                break
            await self._rest(max(self._pause_s / 2, NOBODY_THERE_S))
            if self._chance.random() < RETRY_ELSEWHERE:
                await self.session.move(
                    self._chance.choice(elsewhere(self._endpoints(), self.session.endpoint))
                )
            left = await self._once_more(one)
            if left is None:
                return
            one = left
        self.open.append(one)

    async def _once_more(self, one: Open) -> Open | None:
        """Ask again. What is known of it now; None if it is settled."""
        wait_for = ""
        if one.write_ids and (_is_request(one) or self._chance.random() < WAIT_INSTEAD):
            wait_for = one.write_ids[-1]
        self.open.append(one)
        told = await self.session.ask(one.deed, open_before=True, wait_for=wait_for)
        self.open.remove(one)
        if self._settled(one.deed, told, one):
            return None
        mends_not = told.certain and told.code not in PASSING
        for_good = mends_not and (not wait_for or _is_request(one))
        return replace(_more(one, told), refused=one.refused + for_good)

    def _settled(self, deed: Deed, told: Told, before: Open | None) -> bool:
        """Draw the consequences of an answer. Whether nothing more is to be asked."""
        if told.type == "ok":
            record_id = told.id or (before.id if before is not None else "")
            if record_id and deed.f in LEAVES_A_MEMORY:
                self._last_written = record_id
            deed.learn(Answer(record_id, self.session.endpoint.name, self.session.token))
            self._done(deed, told)
        return told.type != "info" or told.says_no_more or not is_write(deed)

    # ---- when all is whole again ---------------------------------------------------------------

    async def settle(self, until_s: float) -> None:
        """Ask for everything that is open until it is settled, then read all that was put once
        more. `until_s`: by the clock of the loop, when to give up."""
        self.stopping.set()
        try:
            for _ in range(len(self.open)):
                await self._settle_one(self.open.popleft(), until_s)
            if self.session.endpoint not in self._endpoints():
                await self.session.move(self._endpoints()[0])
            for one in self.own.known:
                if not await self._read_once(got(one.id), until_s):
                    return
        finally:
            await self.session.close()

    async def _settle_one(self, one: Open, until_s: float) -> None:
        one, there = replace(one, refused=0), self._endpoints()
        await self.session.move(one.endpoint if one.endpoint in there else there[0])
        while (left := await self._once_more(one)) is not None and left.refused < REFUSED_MAX:
            one = left
            if asyncio.get_running_loop().time() >= until_s:
                self.open.append(one)
                return
            await asyncio.sleep(SETTLE_PAUSE_S)
            await self.session.move(self._chance.choice(self._endpoints()))

    async def _read_once(self, deed: Deed, until_s: float) -> bool:
        while (await self.session.ask(deed)).type != "ok":
            if asyncio.get_running_loop().time() >= until_s:
                return False
            await asyncio.sleep(SETTLE_PAUSE_S)
            await self.session.move(self._chance.choice(self._endpoints()))
        return True


def _more(one: Open, told: Told) -> Open:
    """What was open, with what an answer has told of it."""
    return replace(one, id=told.id or one.id, write_ids=told.write_ids or one.write_ids)


def _is_request(one: Open) -> bool:
    """A request that waits for approval tells only in its first answer how it stands."""
    return one.deed.f == "vote" and one.deed.operation == "Store"
