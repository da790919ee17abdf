"""Every way in that the settings ask for: opened in turn, and refused by name."""

import asyncio
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from aimem_node.config import Settings
from aimem_node.contract.errors import Code, Failure
from aimem_node.main import Core
from aimem_node.ways import open_ways
from tests.harness import HandClock, SeededChance

HANG_S = 20


def opened(tmp_path: Path, **given: Any) -> list[str]:
    """Open all ways over a fresh core, close them again, and say where they listened."""
    (tmp_path / "r").mkdir(mode=0o700, exist_ok=True)
    settings = Settings(data_dir=tmp_path / "d", embedder="off", **given)

    async def work() -> list[str]:
        core = await Core.start(settings.data_dir, HandClock(), SeededChance(), settings)
        ways: list[Any] = []
        found: list[str] = []
        try:
            async for way, addresses in open_ways(
                core, settings, lambda which: str(tmp_path / "r" / f"{which}.sock")
            ):
                ways.append(way)
                found.extend(addresses)
        finally:
            for way in reversed(ways):
                await way.stop()
            await core.stop()
        return found

    return asyncio.run(asyncio.wait_for(work(), HANG_S))


def test_without_settings_only_the_users_own_sockets_are_opened(tmp_path: Path) -> None:
    found = opened(tmp_path)
    runtime = tmp_path / "r"
    assert found == [
        f"unix:{runtime}/grpc.sock", f"unix:{runtime}/http.sock", f"mcp+unix:{runtime}/mcp.sock",
    ]  # fmt: skip
    assert list(runtime.iterdir()) == []


def test_tcp_is_opened_where_asked_and_the_port_that_was_found_is_told(tmp_path: Path) -> None:
    found = opened(tmp_path, http="127.0.0.1:0", grpc="127.0.0.1:0")
    ports = {one.split("://")[-1].partition(":")[2] for one in found if "127.0.0.1" in one}
    assert len(ports) == 2
    assert "0" not in ports


@pytest.mark.parametrize(("way", "code"), [("http", "UNAVAILABLE"), ("grpc", "STORAGE")])
def test_an_address_in_use_is_named_and_what_was_open_is_closed(
    tmp_path: Path, way: str, code: str
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(Failure) as caught:
            opened(tmp_path, **{way: address})
    assert caught.value.code == Code(code)
    assert address in caught.value.message
    assert not (tmp_path / "r" / "grpc.sock").exists()
    assert len(opened(tmp_path)) == 3, "what it left is in the way of the next"


@pytest.mark.parametrize("which", ["grpc", "http", "mcp"])
def test_something_in_the_place_of_a_socket_is_named_and_left_alone(
    tmp_path: Path, which: str
) -> None:
    (tmp_path / "r").mkdir(mode=0o700)
    place = tmp_path / "r" / f"{which}.sock"
    place.write_text("not a socket")
    with pytest.raises(Failure) as caught:
        opened(tmp_path)
    assert str(place) in caught.value.message
    assert place.read_text() == "not a socket"


def test_the_mcp_sdk_is_not_loaded_before_a_client_needs_it(tmp_path: Path) -> None:
    code = """
import asyncio, sys
from pathlib import Path
from tests.aimem_node.test_ways import opened
opened(Path(sys.argv[1]))
assert "grpc" in sys.modules and "uvicorn" in sys.modules
assert "mcp" not in sys.modules, "the SDK takes half a second of every start"
"""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=root, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
