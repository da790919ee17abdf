"""`aimem-node doctor` finds what is wrong, changes nothing, and says how to mend it."""

import fcntl
import json
import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimem_node import places
from aimem_node.gateways.cli import fast
from aimem_node.gateways.operator import calling, cli, doctor
from aimem_node.gateways.operator.findings import Finding, Grade, ok
from aimem_node.version import VERSION
from tests.aimem_node.gateways.cli.fake_node import FakeNode


@pytest.fixture
def place(absent: FakeNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeNode:
    """A data directory as a stopped node leaves it, in a home without clients."""
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    os.makedirs(absent.data_dir, mode=0o700)
    monkeypatch.setattr(calling, "admin", answers)
    return absent


def answers(command: str, _given: Any) -> dict[str, Any]:
    return {"identity": {"node_id": "n1"}, "pin-list": {"pins": []},
            "token-list": {"tokens": [{"name": "ci", "expires_us": 1}]}}[command]  # fmt: skip


def database(node: FakeNode) -> Path:
    """A sound store with an identity."""
    path = Path(places.database_path(node.data_dir))
    with sqlite3.connect(path) as made:
        made.execute("create table t(x)")
        made.executemany("insert into t values (?)", [("x" * 500,)] * 200)
    made.close()
    home = Path(node.data_dir, "identity")
    home.mkdir()
    for name in ("node.key", "node.crt"):
        (home / name).write_text("x")
        (home / name).chmod(0o600)
    return path


def graded(found: list[Finding]) -> tuple[Grade, str]:
    worst = max(found, key=lambda finding: finding.grade)
    return worst.grade, worst.said + " " + worst.mend


def test_a_stopped_node_in_order_is_fit_but_for_not_running(
    place: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    database(place)
    assert cli.main(["doctor", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    unfit = [one["check"] for one in report["findings"] if one["grade"] != "ok"]
    assert unfit == ["node"]
    assert report["grade"] == "warning"


def test_a_serving_node_is_fit(place: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    place.listen()
    place.answer = lambda _: (200, {"state": "serving", "version": VERSION, "node_id": "n1"})
    assert cli.main(["doctor"]) == 0
    assert "mend" not in capsys.readouterr().out
    place.answer = lambda _: (200, {"state": "failed", "reason": "disk", "version": VERSION})
    assert cli.main(["doctor"]) == 2
    assert "mend: Restart it" in capsys.readouterr().out
    place.answer = lambda _: (200, {"state": "serving", "version": "0.0.1"})
    assert cli.main(["doctor"]) == 1


def test_a_directory_that_does_not_exist_is_no_illness(absent: FakeNode) -> None:
    found = doctor.check_directory(absent.data_dir)
    assert graded(found)[0] is Grade.WARNING
    assert doctor.check_disk(absent.data_dir)[0].grade is not None
    assert not os.path.exists(absent.data_dir)


def cut(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def overwrite(path: Path) -> None:
    path.write_bytes(b"not a database at all" * 100)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[4096:8192] = b"\xff" * 4096
    path.write_bytes(content)


@pytest.mark.parametrize("harm", [cut, overwrite, flip])
def test_a_damaged_store_is_an_error_that_names_the_backups(
    harm: Callable[[Path], None], place: FakeNode
) -> None:
    path = database(place)
    assert doctor.check_database(place.data_dir)[0].grade is Grade.OK
    harm(path)
    before = path.read_bytes()
    grade, said = graded(doctor.check_database(place.data_dir))
    assert grade is Grade.ERROR
    assert "aimem-node restore" in said
    assert path.read_bytes() == before


def test_a_store_that_a_node_has_open_is_not_opened(place: FakeNode) -> None:
    path = database(place)
    flip(path)
    with open(places.lock_path(place.data_dir), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert doctor.check_database(place.data_dir)[0].grade is Grade.OK
        assert graded(doctor.check_ways_in(place.data_dir))[0] is Grade.ERROR


def test_an_open_directory_and_an_open_key_are_found(place: FakeNode) -> None:
    database(place)
    os.chmod(place.data_dir, 0o755)
    assert "chmod 700" in graded(doctor.check_directory(place.data_dir))[1]
    key = os.path.join(place.data_dir, "identity", "node.key")
    os.chmod(key, 0o644)
    assert f"chmod 600 {key}" in graded(doctor.check_identity(place.data_dir))[1]
    os.unlink(key)
    assert "missing" in graded(doctor.check_identity(place.data_dir))[1]


def test_what_a_killed_node_left_is_found_and_harmless(place: FakeNode) -> None:
    runtime = os.path.dirname(place.path())
    os.makedirs(runtime, mode=0o700)
    assert doctor.check_ways_in(place.data_dir)[0].grade is Grade.OK
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(place.path())
    grade, said = graded(doctor.check_ways_in(place.data_dir))
    assert grade is Grade.WARNING
    assert "http.sock" in said
    os.chmod(runtime, 0o777)
    assert graded(doctor.check_ways_in(place.data_dir))[0] is Grade.ERROR


def test_a_full_disk_and_a_wrong_clock_are_found(
    place: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil
    import types

    for free, grade in ((10, Grade.ERROR), (10**8, Grade.WARNING), (10**12, Grade.OK)):
        usage = types.SimpleNamespace(free=free)
        monkeypatch.setattr(shutil, "disk_usage", lambda _, usage=usage: usage)
        assert doctor.check_disk(place.data_dir)[0].grade is grade
    path = database(place)
    assert doctor.check_clock(place.data_dir)[0].grade is Grade.OK
    os.utime(path, (4e9, 4e9))
    assert doctor.check_clock(place.data_dir)[0].grade is Grade.WARNING
    monkeypatch.setattr("time.time", lambda: 0.0)
    assert doctor.check_clock(place.data_dir)[0].grade is Grade.ERROR


def test_a_client_that_would_not_find_us_is_found(place: FakeNode, tmp_path: Path) -> None:
    assert "none is connected" in doctor.check_clients(place.data_dir)[-1].said
    assert fast.main(["install", "claude-code", "--yes"]) == 0
    assert fast.main(["install", "codex", "--yes"]) == 0
    assert doctor.check_clients(place.data_dir)[-1].said == "connected: Claude Code, Codex"
    config = tmp_path / ".claude.json"
    said = json.loads(config.read_text())
    said["mcpServers"]["aimem"]["command"] = "/gone/aimem"
    config.write_text(json.dumps(said))
    (tmp_path / ".cursor").mkdir()
    (tmp_path / ".cursor" / "mcp.json").write_text("{")
    grades = [(one.grade, one.mend) for one in doctor.check_clients(place.data_dir)]
    assert (Grade.WARNING, "aimem install claude-code") in grades
    assert sum(grade is Grade.WARNING for grade, _ in grades) == 2


def test_an_expired_token_and_a_bad_setting_are_found(
    place: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.makedirs(os.path.join(place.data_dir, "access"))
    assert "token revoke ci" in graded(doctor.check_access(place.data_dir))[1]
    monkeypatch.setenv("AIMEM_READERS", "many")
    assert graded(doctor.check_settings(place.data_dir))[0] is Grade.ERROR


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(
    place: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_data_dir: str) -> list[Finding]:
        raise PermissionError("no")

    broken.__name__ = "check_disk"
    monkeypatch.setattr(doctor, "check_disk", broken)
    found = doctor.examine(place.data_dir)
    assert [one.grade for one in found if one.check == "disk"] == [Grade.ERROR]
    assert found[-1].check == "clock"


def test_the_worst_finding_is_the_exit_code() -> None:
    assert doctor.worst([]) == 0
    assert doctor.worst([ok("a", "b"), Finding("a", Grade.ERROR, "b", "c")]) == 2
    with pytest.raises(AssertionError):
        Finding("a", Grade.WARNING, "b")


def test_a_model_that_is_configured_and_not_there_is_a_warning_with_what_installs_it(
    fake: FakeNode,
) -> None:
    embedding: dict[str, Any] = {}
    fake.answer = lambda _asked: (200, {"embedding": embedding} if embedding else {})
    assert doctor.check_meaning(fake.data_dir) == [], "a node of an earlier version"
    embedding |= {"state": "off", "why": "embedder is set to off"}
    assert doctor.check_meaning(fake.data_dir)[0].grade is Grade.OK
    embedding |= {"state": "failed", "why": "onnxruntime is missing", "next": "pip install it"}
    assert graded(doctor.check_meaning(fake.data_dir)) == (
        Grade.WARNING, "the model of texts is failed: onnxruntime is missing pip install it",
    )  # fmt: skip
    embedding |= {"state": "ready", "failures": 3}
    assert "3 failed so far" in graded(doctor.check_meaning(fake.data_dir))[1]
    assert doctor.check_meaning(fake.data_dir)[0].grade is Grade.WARNING
