"""Whoever has the data directory reaches its node."""

import subprocess
import sys
from pathlib import Path

import pytest

import aimem_node.client
from aimem_node import places
from aimem_node.client import Client, connect
from aimem_node.client.grpc_client import GrpcClient
from aimem_node.client.inprocess import InProcessClient
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.values import GetRequest
from aimem_node.rpc.grpc_server import UnixListener
from tests.aimem_node.rpc.stage import Stage, play


def test_connect_finds_the_node_of_a_data_directory(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        env = {"AIMEM_RUNTIME_DIR": str(tmp_path / "r")}
        await stage.serve(UnixListener(places.socket_path(stage.node_dir, "grpc", env)))
        async with connect(stage.node_dir, env) as client:
            assert (await client.call("Get", GetRequest(id="m1"))).memory.id == "m1"
        async with connect(env={**env, "AIMEM_DATA_DIR": stage.node_dir}) as client:
            assert (await client.call("Get", GetRequest(id="m1"))).memory.id == "m1"

    play(tmp_path, scene)


def test_every_client_can_do_what_a_client_can(tmp_path: Path) -> None:
    stage_free: list[Client] = [
        GrpcClient.unix(str(tmp_path / "s")),
        InProcessClient(None, Credentials(channel=Channel.INPROCESS)),  # type: ignore[arg-type]
    ]
    assert len(stage_free) == 2


def test_importing_the_package_imports_no_client() -> None:
    program = "import sys, aimem_node.client; print([m for m in sys.modules if 'grpc' in m])"
    root = Path(aimem_node.client.__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, check=True, cwd=root
    )
    assert found.stdout.decode().strip() == "[]"


def test_what_the_package_does_not_offer_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Nothing"):
        _ = aimem_node.client.Nothing  # type: ignore[attr-defined]
