"""The small file in which a user's commands keep what they have seen."""

import os
import threading
from pathlib import Path

from aimem_node import places
from aimem_node.contract.tokens import merged
from aimem_node.gateways.cli import seen
from aimem_node.gateways.cli.seen import SeenFile

LOGS = [f"{number:032x}.{number:016x}" for number in range(8)]


def token(cluster: str = "c", **seqs: int) -> str:
    said = ",".join(f"{LOGS[int(name[1:])]}:{seq}" for name, seq in sorted(seqs.items()))
    return f"{cluster}/1/{said}"


def env(tmp_path: Path) -> dict[str, str]:
    return {"AIMEM_RUNTIME_DIR": str(tmp_path / "run")}


def test_it_is_empty_at_first_and_makes_its_own_place(tmp_path: Path) -> None:
    file = SeenFile(env(tmp_path))
    assert file.after("/data") == ""
    file.hear("/data", "", token(l1=3))
    assert SeenFile(env(tmp_path)).after("/data") == token(l1=3)
    assert (tmp_path / "run").stat().st_mode & 0o077 == 0


def test_commands_that_run_at_once_lose_nothing_of_each_other(tmp_path: Path) -> None:
    def command(log: int) -> None:
        for seq in range(1, 40):
            file = SeenFile(env(tmp_path))
            sent = file.after("/data")
            # A node's answer holds what it was sent.
            file.hear("/data", sent, merged(sent, token(**{f"l{log}": seq})))

    commands = [threading.Thread(target=command, args=(log,)) for log in range(6)]
    for one in commands:
        one.start()
    for one in commands:
        one.join()
    assert SeenFile(env(tmp_path)).after("/data") == token(**{f"l{n}": 39 for n in range(6)})


def test_an_answer_that_tells_nothing_new_writes_nothing(tmp_path: Path) -> None:
    file = SeenFile(env(tmp_path))
    file.hear("/data", "", token(l1=3))
    path = places.seen_path(env(tmp_path))
    os.utime(path, (1, 1))
    file.hear("/data", file.after("/data"), token(l1=3))
    file.hear("/data", file.after("/data"), "")
    assert os.stat(path).st_mtime == 1


def test_only_the_clusters_used_last_are_kept(tmp_path: Path) -> None:
    for number in range(seen.CLUSTERS_MAX + 3):
        file = SeenFile(env(tmp_path))
        file.hear(f"/{number}", file.after(f"/{number}"), token(f"c{number}", l1=1))
    assert SeenFile(env(tmp_path)).after("/0") == ""
    last = seen.CLUSTERS_MAX + 2
    assert SeenFile(env(tmp_path)).after(f"/{last}") == token(f"c{last}", l1=1)


def test_forgetting_one_log_keeps_the_others_and_forgetting_all_keeps_other_clusters(
    tmp_path: Path,
) -> None:
    file = SeenFile(env(tmp_path))
    file.hear("/data", "", token(l1=3, l2=4))
    file.hear("/else", "", token("d", l5=1))
    file.forget(token(l1=3, l2=4), [f"{LOGS[2]}:4"])
    assert file.after("/data") == token(l1=3)
    file.forget(token(l1=3), [])
    assert file.after("/data") == ""
    assert file.after("/else") == token("d", l5=1)


def test_a_file_that_is_a_link_or_cannot_be_kept_is_no_session_and_no_error(tmp_path: Path) -> None:
    path = Path(places.seen_path(env(tmp_path)))
    path.parent.mkdir(mode=0o700)
    (tmp_path / "theirs").write_text("precious")
    path.symlink_to(tmp_path / "theirs")
    file = SeenFile(env(tmp_path))
    file.hear("/data", "", token(l1=3))
    assert file.after("/data") == ""
    assert (tmp_path / "theirs").read_text() == "precious"
    nowhere = SeenFile({"AIMEM_RUNTIME_DIR": "/proc/nowhere"})
    nowhere.hear("/data", "", token(l1=3))
    assert nowhere.after("/data") == ""
