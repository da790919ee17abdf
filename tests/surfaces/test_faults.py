"""What a machine does to a node: full disks, damaged files, closed directories, two starts at once.

Each with a real node in a process of its own. The node must say what is wrong and what to do,
and must never make it worse.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node import places
from aimem_node.client.sync import SyncClient
from aimem_node.client.wire_http import request as http_request
from aimem_node.contract import codec
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS

START_S = 20


class Machine:
    """One data directory and the node processes that are started on it."""

    def __init__(self, data_dir: Path, runtime_dir: Path) -> None:
        self.data_dir = data_dir
        self.env = {**os.environ, "AIMEM_RUNTIME_DIR": str(runtime_dir)}
        self.started: list[subprocess.Popen[str]] = []

    def start(self, *more: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "aimem_node.main", "run", "--data-dir", str(self.data_dir)]
        node = subprocess.Popen(
            [*command, *more], env=self.env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
            text=True,
        )  # fmt: skip
        self.started.append(node)
        return node

    def up(self) -> subprocess.Popen[str]:
        node = self.start()
        until = time.monotonic() + START_S
        while time.monotonic() < until:
            assert node.poll() is None, node.stderr.read() if node.stderr else ""
            try:
                status, _, body = http_request(
                    self.socket("http"), "GET", "/api/v1/health", None, {}, 2
                )
            except OSError:
                os.sched_yield()
                continue
            if status == 200 and json.loads(body)["pid"] == node.pid:
                return node
        raise AssertionError("the node did not answer in time")

    def socket(self, which: str) -> str:
        return places.socket_path(str(self.data_dir), which, self.env)

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        with SyncClient.unix(self.socket("grpc")) as client:
            request = codec.from_json(OPERATIONS[operation].request, fields)
            return codec.to_json(client.call(operation, request))

    def refused(self, *more: str) -> tuple[int, str]:
        """A start that must not succeed: its exit code and what it said."""
        node = self.start(*more)
        _, said = node.communicate(timeout=START_S)
        return node.returncode, said

    def stop_all(self) -> None:
        for node in self.started:
            if node.poll() is None:
                node.kill()
            node.communicate()


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path / "d", tmp_path / "r")
    yield made
    made.stop_all()


def test_a_second_node_on_a_directory_is_told_who_has_it(machine: Machine) -> None:
    first = machine.up()
    code, said = machine.refused()
    assert code == 5
    assert str(first.pid) in said
    assert "next:" in said
    assert machine.call("Health")["pid"] == first.pid


def test_a_killed_node_leaves_nothing_in_the_way_of_the_next(machine: Machine) -> None:
    machine.up()
    record_id = machine.call("Store", title="t", content="c")["id"]
    machine.started[-1].send_signal(signal.SIGKILL)
    machine.started[-1].wait()
    machine.up()
    assert machine.call("Get", id=record_id)["memory"]["title"] == "t"


def test_a_node_that_is_told_to_stop_leaves_no_socket_and_one_whole_file(machine: Machine) -> None:
    node = machine.up()
    machine.call("Store", title="t", content="c")
    node.terminate()
    assert node.wait(START_S) == 0
    assert not Path(machine.socket("http")).exists()
    assert not Path(machine.socket("grpc")).exists()
    wal = machine.data_dir / "aimem.db-wal"
    assert not wal.exists() or wal.stat().st_size == 0
    copy = machine.data_dir.parent / "copy"
    (copy).mkdir(mode=0o700)
    shutil.copy(machine.data_dir / "aimem.db", copy / "aimem.db")
    shutil.copytree(machine.data_dir / "identity", copy / "identity")
    other = Machine(copy, copy.parent / "r2")
    try:
        other.up()
        assert other.call("List")["count"] == 1
    finally:
        other.stop_all()


@pytest.mark.parametrize("damage", ["header", "middle", "cut", "text"])
def test_a_damaged_file_is_refused_with_what_to_do_and_never_overwritten(
    machine: Machine, damage: str
) -> None:
    node = machine.up()
    for n in range(30):
        machine.call("Store", title=f"t{n}", content="c" * 2_000)
    node.terminate()
    node.wait(START_S)
    file = machine.data_dir / "aimem.db"
    content = bytearray(file.read_bytes())
    if damage == "header":
        content[:100] = os.urandom(100)
    elif damage == "middle":
        content[8_192:20_480] = os.urandom(12_288)
    elif damage == "cut":
        del content[len(content) // 2 :]
    else:
        content = bytearray(b"this is not a database\n" * 400)
    file.write_bytes(content)
    code, said = machine.refused()
    assert code == 7, said
    assert "aimem.db" in said
    assert "backup" in said or "restore" in said
    assert file.read_bytes() == bytes(content)


def test_a_directory_that_cannot_be_written_is_refused_by_name(machine: Machine) -> None:
    machine.data_dir.parent.mkdir(exist_ok=True)
    machine.data_dir.write_text("a file where the directory should be")
    code, said = machine.refused()
    assert code != 0
    assert str(machine.data_dir) in said
    assert "next:" in said
    assert "Traceback" not in said


def test_a_runtime_directory_open_to_others_is_refused(machine: Machine) -> None:
    runtime = Path(machine.socket("http")).parent
    runtime.mkdir(parents=True)
    runtime.chmod(0o777)
    code, said = machine.refused()
    assert code == 6
    assert str(runtime) in said


def test_an_address_in_use_is_named_and_nothing_stays_open(
    machine: Machine, tmp_path: Path
) -> None:
    import socket

    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))
    taken.listen()
    address = f"127.0.0.1:{taken.getsockname()[1]}"
    code, said = machine.refused("--http", address)
    taken.close()
    assert code == 5
    assert address in said
    machine.up()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of six megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(disk)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system can only be made by root: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)


def fill(machine: Machine, kept: list[str]) -> Failure:
    """Store until it is refused."""
    while True:
        try:
            answer = machine.call("Store", title=f"t{len(kept)}", content="x" * 20_000)
        except Failure as failure:
            return failure
        kept.append(answer["id"])


def test_a_full_disk_refuses_writes_keeps_reads_and_heals_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    machine = Machine(small_disk / "d", tmp_path / "r")
    try:
        machine.up()
        kept: list[str] = []
        failure = fill(machine, kept)
        assert (failure.code, failure.definite) == (Code.STORAGE, True)
        assert "full" in failure.message
        assert machine.call("Get", id=kept[0])["memory"]["id"] == kept[0]
        subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
        again = machine.call("Store", title="room again", content="c")["id"]
        listed = {m["id"] for m in machine.call("List", limit=1000)["memories"]}
        assert listed == {*kept, again}
        assert machine.call("Verify", deep=True)["problems"] == []
    finally:
        machine.stop_all()
