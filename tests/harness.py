"""A node without its ways in: store, replica and dispatcher over a directory, with a clock that
a test moves by hand. Requests and answers are JSON, as every surface has them."""

import asyncio
import itertools
import os
import threading
from pathlib import Path
from typing import Any

from aimem_node.config import Settings
from aimem_node.contract import codec
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.operations import OPERATIONS
from aimem_node.main import Core

START_US = 1_780_000_000_000_000
DAY_US = 86_400_000_000


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_us: int = START_US) -> None:
        self.us = now_us

    def now_us(self) -> int:
        return self.us

    def monotonic_us(self) -> int:
        return self.us

    def move(self, *, us: int = 0, seconds: float = 0, days: float = 0) -> None:
        self.us += us + int(seconds * 1_000_000) + int(days * DAY_US)


class SeededChance:
    """Chance that is the same in every run."""

    def __init__(self, seed: int = 0) -> None:
        self._numbers = itertools.count(seed * 1_000_000 + 1)

    def token_hex(self, size_bytes: int) -> str:
        return f"{next(self._numbers):0{2 * size_bytes}x}"

    def record_id(self) -> str:
        number = next(self._numbers)
        return f"{number * 2654435761 % 2**32:08x}-0000-4000-8000-{number:012x}"


class Harness:
    """A running core, driven from a test's own thread."""

    def __init__(self, data_dir: Path, seed: int = 0, *, embedding: Any = None) -> None:
        self.data_dir = data_dir
        self.clock = HandClock()
        self.chance = SeededChance(seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        settings = Settings(data_dir=data_dir, embedder="off")
        self.core: Core = self.run(
            Core.start(data_dir, self.clock, self.chance, settings, embedding=embedding)
        )
        self.me = Credentials(
            channel=Channel.INPROCESS, uid=os.getuid(), pid=1, surface="inprocess"
        )

    def run(self, coroutine: Any, timeout_s: float = 30) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)

    def call(self, operation: str, as_: Credentials | None = None, **fields: Any) -> dict[str, Any]:
        return self.run(self.acall(operation, as_, **fields))

    async def acall(
        self, operation: str, as_: Credentials | None = None, **fields: Any
    ) -> dict[str, Any]:
        request = codec.from_json(OPERATIONS[operation].request, fields)
        return codec.to_json(await self.core.dispatcher.call(operation, request, as_ or self.me))

    def stream(self, operation: str, **fields: Any) -> list[dict[str, Any]]:
        async def collect() -> list[dict[str, Any]]:
            request = codec.from_json(OPERATIONS[operation].request, fields)
            answers = self.core.dispatcher.stream(operation, request, self.me)
            return [codec.to_json(item) async for item in answers]

        return self.run(collect())

    def store(self, title: str, content: str = "something worth keeping", **fields: Any) -> str:
        return self.call("Store", title=title, content=content, **fields)["id"]

    def memory(self, record_id: str) -> dict[str, Any]:
        return self.call("Get", id=record_id)["memory"]

    def flush(self) -> int:
        return self.run(self.core.tally.flush())

    def stop(self) -> None:
        self.run(self.core.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
