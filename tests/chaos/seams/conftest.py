"""Nodes with seams, as processes of their own."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.client.sync import SyncClient
from aimem_node.contract.errors import Failure
from aimem_node.contract.values import ListRequest, StoreRequest
from chaos.cluster import Build, Machine
from chaos.seams.disk import lose_unsynced

END_S = 20.0


class Seamed(Machine):
    """One node alone, and a client for it."""

    def start(self, **env: str) -> None:
        self.env |= env
        self.spawn(name="a")
        self.await_answer()

    def ask(self, operation: str, request: Any) -> Any:
        with SyncClient.unix(self.socket("grpc")) as client:
            return client.call(operation, request)

    def store(self, title: str) -> Any:
        return self.ask("Store", StoreRequest(title=title, content=f"{title} it is"))

    def store_many(self, count: int, prefix: str = "m") -> set[str]:
        """Titles that were acknowledged; it stops at the first that was not."""
        done: set[str] = set()
        with SyncClient.unix(self.socket("grpc")) as client:
            for at in range(count):
                title = f"{prefix}{at}"
                try:
                    client.call("Store", StoreRequest(title=title, content=f"{title} it is"))
                except Failure:
                    break
                done.add(title)
        return done

    def titles(self) -> set[str]:
        return {one.title for one in self.ask("List", ListRequest(limit=1000)).memories}

    def ended(self) -> int:
        assert self._node is not None
        return self._node.wait(END_S)

    def cut_power(self, seed: int) -> int:
        self.kill()
        return lose_unsynced(self.data_dir, random.Random(seed))


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Callable[..., Seamed]]:
    """A machine of a build; it is gone afterwards."""
    made: list[Seamed] = []

    def make(**build: Any) -> Seamed:
        one = Seamed("a-", tmp_path, tmp_path / "evidence")
        one.build = Build(**build)
        made.append(one)
        return one

    yield make
    for one in made:
        one.remove()
