"""The command `aimem-node`, against files and a node that answers from the test."""

import json
import os
import signal
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from aimem_node import places
from aimem_node.contract.errors import Code, Failure
from aimem_node.gateways.cli import node
from aimem_node.gateways.cli.look import duration, size
from aimem_node.gateways.operator import bench, calling, cli, lifecycle
from tests.aimem_node.gateways.cli.fake_node import Asked, FakeNode

STATUS = {
    "node_id": "n1", "version": "0.1.0", "state": "serving", "reason": "", "db_size_bytes": 4096,
    "origins": [{"origin": "n1", "have": 7, "head": "ab"}], "listening": ["unix:/x"],
}  # fmt: skip


def answering(pid: int) -> Any:
    """A node's answers to what the operator asks."""

    def answer(asked: Asked) -> tuple[int, Any]:
        return 200, STATUS if asked.path.endswith("/node/status") else {"pid": pid, "status": "ok"}

    return answer


@pytest.fixture
def main_module(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Stands for aimem_node.main; remembers what it was asked in `asked`."""
    made: Any = types.ModuleType("aimem_node.main")
    made.asked, made.answer = [], {}

    def admin(command: str, given: Any) -> Any:
        made.asked.append((command, given))
        if isinstance(made.answer, Exception):
            raise made.answer
        return made.answer

    def run(given: Any) -> int:
        made.asked.append(("run", given))
        return 70

    made.admin, made.run = admin, run
    monkeypatch.setitem(sys.modules, "aimem_node.main", made)
    return made


def test_status_says_how_the_node_is(fake: FakeNode, capsys: pytest.CaptureFixture[str]) -> None:
    fake.answer = answering(42)
    assert cli.main(["status"]) == 0
    text = capsys.readouterr().out
    assert "serving (process 42)" in text
    assert "7 of n1" in text
    assert cli.main(["status", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["running"], said["pid"], said["node_id"]) == (True, 42, "n1")


def test_status_of_no_node_exits_3_and_says_how_to_start_it(
    absent: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["status"]) == 3
    assert f"aimem-node start --data-dir {absent.data_dir}" in capsys.readouterr().out
    assert cli.main(["status", "--json", "--data-dir", absent.home]) == 3
    assert json.loads(capsys.readouterr().out)["data_dir"] == absent.home


def test_starting_a_running_node_and_stopping_none_succeed(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = answering(42)
    assert cli.main(["start"]) == 0
    assert "already running (process 42" in capsys.readouterr().out
    assert cli.main(["stop", "--data-dir", os.path.join(fake.home, "other")]) == 0
    assert "no node was running" in capsys.readouterr().out


def test_start_hands_the_settings_to_the_node(
    absent: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(node, "start", lambda *given: started.append(given) or "path")
    assert cli.main(["start", "--http", "127.0.0.1:9077", "--http-open", "--timeout", "3"]) == 0
    ((data_dir, _, wait_s, extra),) = started
    assert (data_dir, wait_s) == (absent.data_dir, 3.0)
    assert extra == ("--http=127.0.0.1:9077", "--http-open=true")


def test_stop_ends_the_process_that_the_node_names_and_waits_for_it(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as child:
        fake.answer = answering(child.pid)
        assert cli.main(["stop", "--timeout", "60"]) == 0
        assert child.wait() == -signal.SIGTERM
    assert f"stopped (process {child.pid})" in capsys.readouterr().out


def test_a_node_that_does_not_end_in_time_is_reported(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    stubborn = "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True)\n"
    stubborn += "time.sleep(600)"
    command = [sys.executable, "-c", stubborn]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        fake.answer = answering(child.pid)
        assert cli.main(["stop", "--timeout", "0.05"]) == 5
        child.kill()
    assert f"kill -9 {child.pid}" in capsys.readouterr().err


def test_a_pid_file_counts_only_while_the_directory_is_locked(absent: FakeNode) -> None:
    import fcntl

    os.makedirs(absent.data_dir)
    pid_file = Path(places.pid_path(absent.data_dir, absent.env))
    pid_file.parent.mkdir(parents=True)
    pid_file.write_text(f"{os.getpid()}\n")
    assert lifecycle.running_pid(absent.data_dir) is None
    with open(places.lock_path(absent.data_dir), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert lifecycle.running_pid(absent.data_dir) == os.getpid()
        assert "does not answer" in lifecycle.status(absent.data_dir)["reason"]
    pid_file.write_text("nonsense")
    assert calling.pid_of(absent.data_dir) is None


def test_run_gives_main_what_was_typed(main_module: Any, absent: FakeNode) -> None:
    assert cli.main(["run", "--readers", "2", "--log-json"]) == 70
    given = {"data_dir": absent.data_dir, "readers": "2", "log_json": "true"}
    assert main_module.asked == [("run", given)]


def test_backup_and_verify_ask_the_node(
    fake: FakeNode, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    done = {"path": "/b/x.db", "sha256": "ab", "bytes": 1234, "removed": 0}
    fake.answer = lambda _: (200, done)
    assert cli.main(["backup", str(tmp_path), "--keep", "3"]) == 0
    assert fake.asked[0].body == {"to": str(tmp_path), "keep": 3}
    assert "/b/x.db\n1,234 bytes" in capsys.readouterr().out
    found = {"ok": False, "ops": 2, "records": 1, "problems": ["op 2 does not follow op 1"]}
    fake.answer = lambda _: (200, found)
    assert cli.main(["verify", "--deep"]) == 7
    assert fake.asked[1].body == {"deep": True}
    assert "1 problems: 2 ops, 1 records\n  op 2 does not" in capsys.readouterr().out


def test_verify_compares_with_the_other_members_and_says_what_it_repaired(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    found = {"ok": False, "ops": 2, "records": 1, "problems": ["op 2 is damaged"],
             "peers": ["lab-2: equal", "lab-3: bucket 7 differs"]}  # fmt: skip
    fake.answer = lambda _: (200, found)
    assert cli.main(["verify"]) == 7
    assert capsys.readouterr().out == (
        "1 problems: 2 ops, 1 records\n  op 2 is damaged\n"
        "the other members:\n  lab-2: equal\n  lab-3: bucket 7 differs\n"
        "next: aimem-node verify --deep --repair\n"
    )
    mended = {"ok": True, "ops": 2, "records": 1, "repaired": ["fetched op 2 from lab-2"]}
    fake.answer = lambda _: (200, mended)
    assert cli.main(["verify", "--deep", "--repair"]) == 0
    assert fake.asked[-1].body == {"deep": True, "repair": True}
    out = capsys.readouterr().out
    assert out == "sound: 2 ops, 1 records\nrepaired:\n  fetched op 2 from lab-2\n"


def test_a_backup_without_a_node_says_how_to_start_one(
    absent: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["backup"]) == 5
    assert capsys.readouterr().err.startswith("aimem-node: no node answers")


def test_restore_is_refused_while_a_node_runs_and_else_done_by_main(
    main_module: Any, absent: FakeNode, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    main_module.answer = {"moved_aside": "/d/old.db"}
    backup = str(tmp_path / "b.db")
    assert cli.main(["restore", backup]) == 0
    assert main_module.asked == [("restore", {"data_dir": absent.data_dir, "from": backup})]
    absent.listen()
    assert cli.main(["restore", backup]) == 4
    assert "aimem-node stop" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("typed", "command", "given", "answer", "said"),
    [
        (["identity"], "identity", {}, {"node_id": "n1", "certificate": "PEM"}, "node_id  n1"),
        (["identity", "--cert"], "identity", {}, {"node_id": "n1", "certificate": "PEM\n"}, "PEM"),
        (["pin", "add", "b.crt", "--name", "bob", "--role", "admin"], "pin-add",
         {"certificate": "b.crt", "name": "bob", "role": "admin", "place": ""},
         {"fingerprint": "ff"}, "ff"),
        (["pin", "remove", "bob"], "pin-remove", {"name": "bob"}, {"removed": ["ff"]}, "ff"),
        (["pin", "list"], "pin-list", {}, {"pins": [{"fingerprint": "ff", "name": "bob"}]}, "bob"),
        (["token", "create", "ci", "--days", "9", "--place", "acme"], "token-create",
         {"name": "ci", "role": "writer", "agent": "*", "days": 9, "place": "acme"},
         {"token": "t0"}, "t0"),
        (["token", "revoke", "ci"], "token-revoke", {"name": "ci"}, {"revoked": "ci"}, "ci"),
        (["token", "list"], "token-list", {}, {"tokens": []}, "nothing found"),
    ],
)  # fmt: skip
def test_what_concerns_files_is_done_by_main(
    typed: list[str], command: str, given: dict[str, Any], answer: dict[str, Any], said: str,
    main_module: Any, absent: FakeNode, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    main_module.answer = answer
    assert cli.main(typed) == 0
    assert said in capsys.readouterr().out
    assert main_module.asked == [(command, {"data_dir": absent.data_dir} | given)]
    assert cli.main([*typed, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == answer


def test_tokens_are_listed_with_times_that_can_be_read(
    main_module: Any, absent: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert absent.data_dir
    common = {"role": "writer", "agent": "*", "place": ""}
    main_module.answer = {"tokens": [
        common | {"name": "ever", "expires_us": None},
        common | {"name": "past", "expires_us": 1_700_000_000_000_000},
    ]}  # fmt: skip
    assert cli.main(["token", "list"]) == 0
    ever, past = capsys.readouterr().out.splitlines()[1:3]
    assert "never" in ever
    assert "2023-11-" in past
    assert "(expired)" in past
    assert past.endswith("(sees everything)")


def test_settings_are_shown_with_what_is_in_force(
    main_module: Any, absent: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert absent.data_dir
    one = {"name": "http_open", "value": False, "flag": "--http-open", "environment": "AIMEM_X",
           "help": "Who may."}  # fmt: skip
    main_module.answer = {"settings": [one], "file": "/d/aimem.toml", "markdown": "#"}
    assert cli.main(["settings"]) == 0
    out = capsys.readouterr().out
    for part in ("http_open = off", "Who may.", "--http-open, AIMEM_X", "/d/aimem.toml"):
        assert part in out
    assert cli.main(["settings", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == main_module.answer


def test_a_failure_of_main_is_said_with_what_to_do(
    main_module: Any, absent: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert absent.data_dir
    main_module.answer = Failure(Code.NOT_FOUND, "no token 'x'", next="See token list.")
    assert cli.main(["token", "revoke", "x"]) == 3
    assert capsys.readouterr().err == "aimem-node: no token 'x'\nnext: See token list.\n"
    assert cli.main(["token", "revoke", "x", "--json"]) == 3
    assert json.loads(capsys.readouterr().err)["code"] == "NOT_FOUND"


def test_bench_gets_its_own_options(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(bench, "main", lambda words: given.append(words) or 0)
    assert cli.main(["bench", "--quick"]) == 0
    assert given == [["--quick"]]


def test_every_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    for command in ("run", "start", "stop", "status", "doctor", "backup", "restore", "verify",
                    "identity", "pin add", "token create", "invite", "join", "approve", "members",
                    "promote", "evict", "leave", "rotate-key", "force-epoch", "wait"):  # fmt: skip
        with pytest.raises(SystemExit) as ended:
            cli.main([*command.split(), "--help"])
        assert ended.value.code == 0
        assert "--data-dir" in capsys.readouterr().out


@pytest.mark.parametrize(("count", "said"), [(0, "0 B"), (1500, "1.5 kB"), (2e12, "2000.0 GB")])
def test_sizes_read_well(count: float, said: str) -> None:
    assert size(count) == said
    assert duration(90_061) == "1 d 1 h"
