"""A node on the network: only pinned keys come in, under their own names, until revoked."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node import admin
from aimem_node.client.grpc_wire import Route, TlsFiles
from aimem_node.client.sync import SyncClient
from aimem_node.contract import codec
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from tests.surfaces.ways import Running


class Laptop:
    """Another machine: an identity of its own, and a client that shows it."""

    def __init__(self, home: Path, node_certificate: str, address: str) -> None:
        self.home = home
        admin.run("identity", {"data_dir": str(home)})
        files = TlsFiles(
            node_cert=node_certificate,
            cert=str(home / "identity" / "node.crt"),
            key=str(home / "identity" / "node.key"),
        )
        self._client = SyncClient(Route(address, tls=files))

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        request = codec.from_json(OPERATIONS[operation].request, fields)
        return codec.to_json(self._client.call(operation, request))

    def close(self) -> None:
        self._client.close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    place = tmp_path_factory.mktemp("tls")
    node = Running(place / "d", place / "r", {"grpc": "127.0.0.1:0"})
    yield node
    node.stop()


@pytest.fixture
def laptop(served: Running, tmp_path: Path) -> Iterator[Laptop]:
    [address] = [one for one in served.call("NodeStatus")["listening"] if one.startswith("127.")]
    certificate = str(served.data_dir / "identity" / "node.crt")
    made = Laptop(tmp_path / "laptop", certificate, address)
    yield made
    made.close()


def pin(served: Running, laptop: Laptop, role: str) -> None:
    certificate = laptop.home / "identity" / "node.crt"
    admin.run("pin-add", {"data_dir": str(served.data_dir), "certificate": str(certificate),
                          "name": "laptop", "role": role})  # fmt: skip

    until_in_force(served, 1)


def unpin(served: Running) -> None:
    admin.run("pin-remove", {"data_dir": str(served.data_dir), "name": "laptop"})
    until_in_force(served, 0)


def until_in_force(served: Running, pins: int) -> None:
    """The node looks at its lists a few times a second."""
    until = time.monotonic() + 10
    while len(served.node.core.access.current().pins) != pins:
        assert time.monotonic() < until
        os.sched_yield()


def test_a_pinned_key_writes_under_its_own_name_until_it_is_revoked(
    served: Running, laptop: Laptop, place: str
) -> None:
    pin(served, laptop, "writer")
    try:
        stored = laptop.call("Store", title="t", content="c", namespace=place)
        memory = laptop.call("Get", id=stored["id"])["memory"]
        assert (memory["author"], memory["agent_id"]) == ("cert:laptop", "cert:laptop")
        with pytest.raises(Failure) as caught:
            laptop.call("Store", title="u", content="c", agent_id="user:root")
        assert (caught.value.code, caught.value.path) == (Code.PERMISSION_DENIED, "$.agent_id")
        with pytest.raises(Failure) as caught:
            laptop.call("NodeStatus")
        assert caught.value.code == Code.PERMISSION_DENIED
    finally:
        unpin(served)
    with pytest.raises(Failure) as caught:
        laptop.call("Get", id=stored["id"])
    assert caught.value.code in (Code.UNAUTHENTICATED, Code.UNAVAILABLE)


def test_a_reader_reads_and_does_not_write(served: Running, laptop: Laptop) -> None:
    pin(served, laptop, "reader")
    try:
        assert laptop.call("Health")["status"] == "ok"
        with pytest.raises(Failure) as caught:
            laptop.call("Store", title="t", content="c")
        assert caught.value.code == Code.PERMISSION_DENIED
    finally:
        unpin(served)


def test_a_key_that_is_not_pinned_does_not_come_in(served: Running, laptop: Laptop) -> None:
    with pytest.raises(Failure) as caught:
        laptop.call("Health")
    assert caught.value.code in (Code.UNAUTHENTICATED, Code.UNAVAILABLE, Code.UNKNOWN_OUTCOME)
