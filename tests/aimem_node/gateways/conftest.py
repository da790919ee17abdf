"""A dispatch that remembers what it was asked and answers what it was told."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from aimem_node.contract.calls import Credentials
from aimem_node.contract.operations import OPERATIONS


class FakeDispatch:
    """Answers every operation with its empty response unless `answers` says otherwise."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, Credentials]] = []
        self.answers: dict[str, Any] = {}
        """By operation: a response, an exception, a function of the request, a list to stream."""
        self.cancelled: list[str] = []
        self.entered = asyncio.Event()
        self.cancelling = asyncio.Event()

    @property
    def request(self) -> Any:
        """What the last call asked."""
        return self.calls[-1][1]

    @property
    def credentials(self) -> Credentials:
        """Who made the last call."""
        return self.calls[-1][2]

    async def call(self, operation: str, request: Any, credentials: Credentials) -> Any:
        self.calls.append((operation, request, credentials))
        self.entered.set()
        answer = self.answers.get(operation)
        if isinstance(answer, Exception):
            raise answer
        if callable(answer) and not isinstance(answer, type):
            try:
                answer = await answer(request)
            except asyncio.CancelledError:
                self.cancelled.append(operation)
                self.cancelling.set()
                raise
        return OPERATIONS[operation].response() if answer is None else answer

    async def stream(
        self, operation: str, request: Any, credentials: Credentials
    ) -> AsyncIterator[Any]:
        self.calls.append((operation, request, credentials))
        self.entered.set()
        answer: Any = self.answers.get(operation, [])
        try:
            if callable(answer):
                async for item in answer(request):
                    yield item
                return
            for item in answer:
                if isinstance(item, Exception):
                    raise item
                yield item
        except (asyncio.CancelledError, GeneratorExit):
            self.cancelled.append(operation)
            self.cancelling.set()
            raise


@pytest.fixture
def dispatch() -> FakeDispatch:
    return FakeDispatch()


@pytest.fixture
def run() -> Callable[[Any], Any]:
    """Run a coroutine to its end, and fail instead of hanging."""

    def _run(coroutine: Any) -> Any:
        async def bounded() -> Any:
            async with asyncio.timeout(30):
                return await coroutine

        return asyncio.run(bounded())

    return _run
