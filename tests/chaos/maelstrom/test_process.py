"""`python -m chaos.maelstrom` as Maelstrom starts it: a process with pipes."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
NODE = (sys.executable, "-m", "chaos.maelstrom")
PATIENCE_S = 30


def line(kind: str, msg_id: int, **fields: Any) -> str:
    body = {"type": kind, "msg_id": msg_id, **fields}
    return json.dumps({"id": msg_id, "src": "c1", "dest": "n1", "body": body})


INIT = line("init", 1, node_id="n1", node_ids=["n1"])


def run(*lines: str, argv: tuple[str, ...] = NODE) -> tuple[int, list[dict[str, Any]], str]:
    """Say all of this and close stdin: exit code, bodies of the answers, stderr."""
    said = "".join(f"{one}\n" for one in lines)
    ended = subprocess.run(
        argv, input=said, capture_output=True, text=True, cwd=ROOT, timeout=PATIENCE_S, check=False
    )
    return ended.returncode, [json.loads(one)["body"] for one in ended.stdout.splitlines()], (
        ended.stderr
    )  # fmt: skip


def test_a_set_is_kept_until_stdin_ends_and_the_exit_code_is_0() -> None:
    code, answers, errors = run(
        INIT, line("add", 2, element=7), line("add", 3, element=9), line("read", 4)
    )
    assert code == 0
    assert errors == ""
    assert [answer["type"] for answer in answers] == ["init_ok", "add_ok", "add_ok", "read_ok"]
    assert [answer["in_reply_to"] for answer in answers] == [1, 2, 3, 4]
    assert answers[-1]["value"] == [7, 9]


def test_an_answer_comes_before_stdin_ends() -> None:
    with subprocess.Popen(
        NODE, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as node:
        assert node.stdin is not None
        assert node.stdout is not None
        for said, expected in ((INIT, "init_ok"), (line("generate", 2), "generate_ok")):
            print(said, file=node.stdin, flush=True)
            assert json.loads(node.stdout.readline())["body"]["type"] == expected
        node.stdin.close()
        assert node.wait(PATIENCE_S) == 0


def test_garbage_is_named_on_stderr_and_changes_nothing() -> None:
    code, answers, errors = run(
        INIT, "", "garbage \udcff".encode(errors="replace").decode(), '{"src": 1}', "{" * 5_000,
        line("add", 2, element=1), line("read", 3),
    )  # fmt: skip
    assert code == 0
    assert answers[-1]["value"] == [1]
    assert "not JSON" in errors
    assert '"src" and "dest" must name nodes' in errors
    assert "Traceback" not in errors
    assert all(len(one) < 500 for one in errors.splitlines())


def test_two_processes_never_draw_the_same_id() -> None:
    drawn = {run(INIT, line("generate", 2))[1][-1]["id"] for _ in range(2)}
    assert len(drawn) == 2


def test_a_write_that_no_majority_can_hold_is_refused() -> None:
    init = line("init", 1, node_id="n1", node_ids=["n1", "n2", "n3"])
    said = (init, line("add", 2, element=1))
    _, answers, errors = run(*said, argv=(*NODE, "--w", "majority"))
    refused = next(answer for answer in answers if answer.get("in_reply_to") == 2)
    assert (refused["type"], refused["code"]) == ("error", 11)
    assert "not written" in errors


def test_wrong_arguments_are_explained() -> None:
    for wrong, word in (
        ("--w=0", "majority"),
        ("--wait-ms=9000", "4000"),
        ("--workload=x", "g-set"),
    ):
        code, answers, errors = run(argv=(*NODE, wrong))
        assert (code, answers) == (2, [])
        assert word in errors


def test_the_program_for_bin_takes_its_arguments_from_the_environment(tmp_path: Path) -> None:
    program = ROOT / "chaos/maelstrom/node.sh"
    ended = subprocess.run(
        [str(program)], input=f"{INIT}\n{line('read', 2)}\n", capture_output=True, text=True,
        cwd=tmp_path, env={"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
                           "AIMEM_MAELSTROM": "--workload pn-counter --w 1"},
        timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert json.loads(ended.stdout.splitlines()[-1])["body"]["value"] == 0


def test_whoever_closes_stdout_gets_no_traceback() -> None:
    with subprocess.Popen(
        NODE, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as node:  # fmt: skip
        assert node.stdin is not None
        assert node.stdout is not None
        assert node.stderr is not None
        node.stdout.close()
        print(INIT, file=node.stdin, flush=True)
        assert node.wait(PATIENCE_S) == 0
        assert node.stderr.read() == "aimem: nobody reads stdout any more\n"
