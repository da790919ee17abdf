"""Put a node together and run it: what it leaves behind, however it ends."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from aimem_node import main, places
from aimem_node.config import Settings
from aimem_node.contract.errors import Code, Failure
from aimem_node.operations import registry
from aimem_node.store.database import DirectoryLock
from tests.harness import HandClock, Harness, SeededChance

ROOT = Path(__file__).resolve().parents[2]
HANG_S = 20
"""Reached only when something hangs."""


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, HANG_S))


def node_at(tmp_path: Path, **settings: Any) -> main.Node:
    env = {places.RUNTIME_DIR_ENV: str(tmp_path / "r")}
    return main.Node(Settings(**{"data_dir": tmp_path / "d", "embedder": "off"} | settings), env)


def left_over(tmp_path: Path) -> list[str]:
    """Sockets and pid files."""
    return sorted(path.name for path in (tmp_path / "r").rglob("*") if not path.is_dir())


def is_free(data_dir: Path) -> bool:
    """Whether a node could open the directory now."""
    try:
        DirectoryLock(data_dir).release()
    except Failure:
        return False
    return True


def test_a_node_opens_its_ways_and_leaves_nothing_when_it_stops(tmp_path: Path) -> None:
    async def work() -> None:
        node = node_at(tmp_path)
        await node.start(HandClock(), SeededChance())
        assert left_over(tmp_path) == ["grpc.sock", "http.sock", "mcp.sock", "node.pid"]
        assert not is_free(tmp_path / "d")
        await node.stop()
        await node.stop()

    run(work())
    assert left_over(tmp_path) == []
    assert is_free(tmp_path / "d")


def broken_access(data_dir: Path, _patch: pytest.MonkeyPatch) -> None:
    (data_dir / "access").mkdir(parents=True)
    (data_dir / "access" / "pins.txt").write_text("this is no pin\n")


def broken_registry(_data_dir: Path, patch: pytest.MonkeyPatch) -> None:
    patch.delitem(registry.HANDLERS, "Store")


def broken_metrics(_data_dir: Path, patch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise ValueError("no such gauge")

    patch.setattr("aimem_node.metrics.Metrics.gauge", refuse)


def something_at_the_last_socket(data_dir: Path, _patch: pytest.MonkeyPatch) -> None:
    env = {places.RUNTIME_DIR_ENV: str(data_dir.parent / "r")}
    socket = Path(places.socket_path(str(data_dir), "mcp", env))
    socket.parent.mkdir(parents=True, mode=0o700)
    socket.write_text("in the way")


@pytest.mark.parametrize(
    "breakage", [broken_access, broken_registry, broken_metrics, something_at_the_last_socket]
)
def test_a_start_that_fails_closes_everything_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, breakage: Any
) -> None:
    breakage(tmp_path / "d", monkeypatch)

    async def work() -> None:
        node = node_at(tmp_path)
        with pytest.raises(Failure if breakage is not broken_registry else RuntimeError) as caught:
            await node.start(HandClock(), SeededChance())
        assert str(caught.value)

    if breakage is broken_metrics:
        with pytest.raises(ValueError, match="gauge"):
            run(node_at(tmp_path).start(HandClock(), SeededChance()))
    else:
        run(work())
    left = ["mcp.sock"] if breakage is something_at_the_last_socket else []
    assert left_over(tmp_path) == left
    assert is_free(tmp_path / "d")


def test_a_node_that_finds_the_directory_taken_takes_nothing_from_its_owner(tmp_path: Path) -> None:
    async def work() -> None:
        owner = node_at(tmp_path)
        await owner.start(HandClock(), SeededChance())
        there = left_over(tmp_path)
        with pytest.raises(Failure) as caught:
            await node_at(tmp_path).start(HandClock(), SeededChance())
        assert caught.value.code == Code.UNAVAILABLE
        assert left_over(tmp_path) == there
        await owner.stop()

    run(work())


def test_a_store_that_failed_ends_the_node_with_its_own_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = asyncio.Event()
    nodes: list[main.Node] = []
    real = main.Node.start

    async def start(node: main.Node, *given: Any) -> None:
        await real(node, *given)
        nodes.append(node)
        started.set()

    monkeypatch.setattr(main.Node, "start", start)
    env = {places.RUNTIME_DIR_ENV: str(tmp_path / "r")}

    async def work() -> int:
        serving = asyncio.ensure_future(
            main.serve(Settings(data_dir=tmp_path / "d", embedder="off"), env)
        )
        await started.wait()
        core = nodes[0].core
        assert core is not None
        assert not serving.done()
        core.store.writer._finish("the disk gave an error while syncing")
        return await serving

    assert run(work()) == main.EXIT_FAILED == 70
    assert left_over(tmp_path) == []
    assert is_free(tmp_path / "d")


def test_a_node_stops_and_frees_its_directory_even_when_its_recalls_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness = Harness(tmp_path / "d")
    harness.store("t", "apples")
    harness.call("Recall", context="apples")

    async def refuse() -> int:
        raise OSError("no space left")

    monkeypatch.setattr(harness.core.tally, "flush", refuse)
    harness.stop()
    assert is_free(tmp_path / "d")


def test_a_signal_ends_a_node_in_good_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = main.Node.start

    async def start(node: main.Node, *given: Any) -> None:
        await real(node, *given)
        os.kill(os.getpid(), 15)

    monkeypatch.setattr(main.Node, "start", start)
    env = {places.RUNTIME_DIR_ENV: str(tmp_path / "r")}
    assert run(main.serve(Settings(data_dir=tmp_path / "d", embedder="off"), env)) == 0
    assert left_over(tmp_path) == []


def test_the_directory_of_the_sockets_is_made_for_one_user_only(tmp_path: Path) -> None:
    main.close_directory(tmp_path / "r" / "abc")
    assert (tmp_path / "r" / "abc").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "r").stat().st_mode & 0o077 == 0
    main.close_directory(tmp_path / "r" / "abc")


@pytest.mark.parametrize("which", ["r/abc", "r"])
def test_a_directory_of_somebody_else_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, which: str
) -> None:
    directory = tmp_path / "r" / "abc"
    main.close_directory(directory)
    real = Path.stat

    def owned_by_another(path: Path, **more: Any) -> os.stat_result:
        found = real(path, **more)
        if path != tmp_path / which:
            return found
        return os.stat_result([*found[:4], found.st_uid + 1, *found[5:10]])

    monkeypatch.setattr(Path, "stat", owned_by_another)
    with pytest.raises(Failure) as caught:
        main.close_directory(directory)
    assert caught.value.code == Code.PERMISSION_DENIED
    assert str(tmp_path / which) in caught.value.message


def test_a_directory_open_to_others_or_a_file_in_its_place_is_refused(tmp_path: Path) -> None:
    main.close_directory(tmp_path / "r" / "abc")
    (tmp_path / "r" / "abc").chmod(0o750)
    with pytest.raises(Failure) as caught:
        main.close_directory(tmp_path / "r" / "abc")
    assert caught.value.code == Code.PERMISSION_DENIED
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        with pytest.raises(Failure) as caught:
            main.close_directory(tmp_path / place)
        assert (caught.value.code, places.RUNTIME_DIR_ENV in caught.value.next) == (
            Code.STORAGE,
            True,
        )


def test_a_setting_that_nobody_knows_is_refused_with_the_code_of_a_usage_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main._main(["run", "--data-dir", str(tmp_path), "--colour", "blue"]) == 2
    said = capsys.readouterr().err
    assert "colour" in said
    assert "next:" in said
    assert main._main(["run", "blue"]) == 2
    assert main._main(["dance"]) == 2
    assert "usage" in capsys.readouterr().err


KEPT_WITHOUT_ITS_ROOMS = """
import asyncio, importlib, json, pkgutil, sys
from pathlib import Path

import aimem_node
from aimem_node.clocks import SystemChance, SystemClock
from aimem_node.replica import standing
from aimem_node.replica.fence import Fence
from aimem_node.replica.identity import Identity, identity_dir
from aimem_node.replica.plane import Plane
from aimem_node.replica.replica import Intent, Replica
from aimem_node.replica.votes import VoteFile
from aimem_node.store.store import Store
from aimem_sync.change import Change

for room in ("store", "replica", "followers"):
    for module in pkgutil.iter_modules([str(Path(aimem_node.__file__).parent / room)]):
        importlib.import_module(f"aimem_node.{room}.{module.name}")

async def run(data_dir):
    store = Store.open(data_dir, print)
    clock, chance = SystemClock(), SystemChance()
    identity = Identity.load_or_create(str(data_dir), chance)
    home = identity_dir(str(data_dir))
    fence, votes = Fence(home), VoteFile(home)
    replica = await Replica.start(store, identity, clock, chance, fence)
    begin = await standing.load(
        store, identity, replica.first_origin, votes, name="x", address="", retain=False,
        snapshot_lag_ops=1,
    )
    replica.plane = plane = Plane(store, identity, clock, votes, begin)
    plane.start()
    intent = Intent(author="node:x", now_us=clock.now_us(), encode=json.dumps, decode=json.loads)

    def work(tx):
        return tx.change(Change("r-1", "thing", set={"word": "kept"}, tag=("x",)))

    written = await replica.write(intent, work)
    ask = lambda view: (view.display("r-1").values["word"], view.have(), view.last_pos())
    read = store.readers.submit(ask).result()
    problems = store.verify(deep=True).problems
    await plane.close()
    store.close()
    fence.close()
    return {"ids": written.write_ids, "word": read[0], "ops": read[2], "problems": problems}

said = asyncio.run(run(Path(sys.argv[1])))
said["from"] = aimem_node.__file__
said["loaded"] = sorted(name for name in sys.modules if name.startswith("aimem_node."))
print(json.dumps(said))
"""


def test_without_its_operations_and_its_ways_in_a_replicated_store_remains(tmp_path: Path) -> None:
    """The design's own test of its seams: what memories mean lies outside of what keeps them."""
    lib = tmp_path / "lib"
    gone = shutil.ignore_patterns("operations", "gateways", "__pycache__")
    shutil.copytree(ROOT / "aimem_node", lib / "aimem_node", ignore=gone)
    shutil.copytree(ROOT / "aimem_sync", lib / "aimem_sync", ignore=gone)
    # contract/ declares the operations in a module of that name, which is not their room.
    shutil.copytree(ROOT / "aimem_node/contract", lib / "aimem_node/contract", dirs_exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", KEPT_WITHOUT_ITS_ROOMS, str(tmp_path / "d")],
        env={**os.environ, "PYTHONPATH": str(lib)}, cwd=tmp_path, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["from"].startswith(str(lib))
    assert (said["word"], said["ops"], said["problems"]) == ("kept", 1, [])
    assert len(said["ids"]) == 1
    rooms = {name.split(".")[1] for name in said["loaded"]}
    assert rooms.isdisjoint({"operations", "gateways", "rpc", "main"})


def test_the_pid_stands_for_as_long_as_the_directory_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    release = DirectoryLock.release

    def noticed(lock: DirectoryLock) -> None:
        seen.append(left_over(tmp_path))
        release(lock)

    async def work() -> None:
        node = node_at(tmp_path)
        await node.start(HandClock(), SeededChance())
        monkeypatch.setattr(DirectoryLock, "release", noticed)
        await node.stop()

    run(work())
    assert seen == [["node.pid"]]
    assert left_over(tmp_path) == []


def test_a_node_that_stops_leaves_the_pid_of_the_next_one_alone(tmp_path: Path) -> None:
    async def work() -> None:
        node = node_at(tmp_path)
        await node.start(HandClock(), SeededChance())
        [file] = (tmp_path / "r").rglob("node.pid")
        file.write_text("1\n")
        await node.stop()
        assert file.read_text() == "1\n"

    run(work())


def test_a_backup_goes_only_where_the_caller_can_know_it_goes(
    tmp_path: Path, node: Harness
) -> None:
    with pytest.raises(Failure) as caught:
        node.call("Backup", to="somewhere")
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.to")
    assert node.call("Backup", to=str(tmp_path / "b"))["path"].startswith(str(tmp_path / "b"))
