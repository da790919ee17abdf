"""End calls in progress whose caller may no longer call, and all of them when the node stops.

gRPC has no such thing: a connection outlives the certificate it was opened with. Nor may the
call's own task be cancelled for it, because then the client never gets a status and hangs. So
the work runs beside the call and is raced against a word from here; the call itself stays
alive to say why it ends.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from aimem_node import logs
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.rpc.principals import Authenticator, Principal

CHECK_EVERY_S = 0.2
"""With access.LOOK_EVERY_US before it and LET_GO_S after it still below a second."""

LET_GO_S = 0.4
"""How long cut-off work may take to clean up before its caller is told regardless."""

T = TypeVar("T")

log = logs.get("rpc")


@dataclass(frozen=True, slots=True, eq=False)
class _Watched:
    credentials: Credentials
    principal: Principal
    endless: bool
    cut: asyncio.Future[Failure]


class Cutoff:
    """The calls in progress on one event loop, and the one task that looks after them."""

    def __init__(self, authenticator: Authenticator) -> None:
        """Nothing runs until the first call that could be revoked."""
        self._authenticator = authenticator
        self._watched: set[_Watched] = set()
        self._task: asyncio.Task[None] | None = None
        self._stopping = False

    @contextmanager
    def watching(
        self, credentials: Credentials, *, endless: bool = False
    ) -> Iterator[asyncio.Future[Failure]]:
        """Admit one call and watch over it; the future says why it must end before its time.

        endless: the call would not end by itself, so it has to end when the node stops.
        Raises the authenticator's Failure, or UNAVAILABLE when the node is stopping.
        """
        if self._stopping:
            raise _stopping()
        cut: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        principal = self._authenticator.authenticate(credentials)
        one = _Watched(credentials, principal, endless, cut)
        self._watched.add(one)
        if self._task is None and _revocable(credentials):
            self._task = asyncio.create_task(self._look_after())
        try:
            yield cut
        finally:
            self._watched.discard(one)

    def stop(self) -> None:
        """End every endless call and admit no more of any kind."""
        self._stopping = True
        for one in self._watched:
            if one.endless:
                _end(one, _stopping())

    async def _look_after(self) -> None:
        """Ask again about every caller that can be revoked, as long as there is one."""
        while any(_revocable(one.credentials) for one in self._watched):
            await asyncio.sleep(CHECK_EVERY_S)
            for one in tuple(self._watched):
                if _revocable(one.credentials):
                    self._ask(one)
        self._task = None

    def _ask(self, one: _Watched) -> None:
        try:
            if self._authenticator.authenticate(one.credentials) == one.principal:
                return
        except Failure as failure:
            why = failure
        else:
            message = f"the access of {one.principal.id} has changed"
            why = Failure(Code.PERMISSION_DENIED, message, next="Call again.")
        if not one.cut.done():
            log.info("call_cut", principal=one.principal.id, why=why.message)
        _end(one, why)


async def until_cut(work: Awaitable[T], cut: asyncio.Future[Failure]) -> T:
    """What work gives, or the Failure in cut if that comes first."""
    task = asyncio.ensure_future(work)
    first: set[asyncio.Future[Any]] = {task, cut}
    try:
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise cut.result()
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task}, timeout=LET_GO_S)


async def items_until_cut(
    items: AsyncIterator[T], cut: asyncio.Future[Failure]
) -> AsyncIterator[T]:
    """The items until they end or cut says why not; items is closed in every case."""
    try:
        while not cut.done():
            try:
                item = await until_cut(anext(items), cut)
            except StopAsyncIteration:
                return
            yield item
        raise cut.result()
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            try:
                await close()
            except RuntimeError:  # still running: it did not let go in time
                log.warning("stream_did_not_let_go")


def _revocable(credentials: Credentials) -> bool:
    """The uid behind a unix socket cannot be taken back; a key and a token can."""
    return credentials.channel is Channel.TLS or credentials.bearer is not None


def _stopping() -> Failure:
    step = "Call again when it is back."
    return Failure(Code.UNAVAILABLE, "the node is stopping", next=step)


def _end(one: _Watched, why: Failure) -> None:
    if not one.cut.done():
        one.cut.set_result(why)
