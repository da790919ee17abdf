"""`aimem-node status` of a node in a cluster: the table, the exit code, and drawing it again."""

import json
import time
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure, to_json
from aimem_node.gateways.operator import cli, lifecycle
from tests.aimem_node.gateways.cli.fake_node import FakeNode
from tests.aimem_node.gateways.operator.cluster_answers import ALONE, ILL, LAB_1, WELL, answering


def test_the_status_of_a_node_shows_its_cluster(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = answering(WELL)
    assert cli.main(["status"]) == 0
    out = capsys.readouterr().out
    assert "aimem-node: serving (process 42)" in out
    assert "  cluster   3f2a9c1b, epoch 7, N=2, W=2, 2 in sync" in out
    assert "  lab-2    voter  in sync        0     0 B  1.2 ms  -3 ms  0.2 s" in out
    assert "  node      lab-1 (aaaa1111)\n" in out
    assert "  ops       12 of lab-2.1f\n" in out
    assert "  ops       3 of ffff9999.1f\n" in out, "a member that was evicted has no name any more"
    assert "log of" not in out
    assert cli.main(["status", "--origins"]) == 0
    assert "lab-1.1f" in capsys.readouterr().out
    assert cli.main(["status", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["running"] is True
    assert said["cluster"] == WELL


@pytest.mark.parametrize(
    ("cluster", "code"),
    [(ALONE, 0), (WELL, 0), (ILL, 4), (WELL | {"state": "joining"}, 4),
     (WELL | {"state": "fenced", "ready": False}, 4)],
)  # fmt: skip
def test_the_exit_code_tells_a_node_that_is_not_as_it_should_be(
    cluster: Any, code: int, fake: FakeNode
) -> None:
    fake.answer = answering(cluster)
    assert cli.main(["status"]) == code
    assert lifecycle.exit_code({"running": True, "state": "failed"}) == 4
    assert lifecycle.exit_code({"running": False}) == 3


def test_a_node_that_cannot_say_how_its_cluster_is_shows_the_rest(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    gone = Failure(Code.UNAVAILABLE, "this node has been evicted from its cluster")
    fake.answer = answering((503, to_json(gone)))
    cli.main(["status"])
    out = capsys.readouterr().out
    assert "aimem-node: serving" in out
    assert "  cluster   this node has been evicted from its cluster" in out


def test_a_node_that_nobody_gave_a_name_is_shown_by_its_id(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    fake.answer = answering(ALONE | {"members": [LAB_1 | {"name": ""}]})
    assert cli.main(["status"]) == 0
    assert "  node      aaaa1111\n" in capsys.readouterr().out


def test_watching_draws_the_status_until_ctrl_c_and_exits_as_the_last_one_would(
    fake: FakeNode, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        fake.answer = answering(ILL)
        if len(pauses) == 2:
            raise KeyboardInterrupt

    fake.answer = answering(WELL)
    monkeypatch.setattr(time, "sleep", sleep)
    assert cli.main(["status", "--watch"]) == 4
    out = capsys.readouterr().out
    assert pauses == [cli.WATCH_S, cli.WATCH_S]
    assert out.count("aimem-node: serving") == 2
    assert out.index("0.2 s") < out.index("unreachable")
    pauses.clear()
    assert cli.main(["status", "--json", "--watch", "0"]) == 4
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["cluster"]["ready"] for line in lines] == [False, False]
    assert pauses == [cli.WATCH_S_MIN, cli.WATCH_S_MIN]


@pytest.mark.parametrize(
    ("said", "line"),
    [
        ({"state": "off", "why": "no embedder is installed.", "next": "pip install aimem"},
         "off: no embedder is installed. pip install aimem"),
        ({"state": "ready", "model": "minilm", "vectors": 1234, "index": "ready"},
         "minilm ready, 1,234 vectors"),
        ({"state": "ready", "model": "minilm", "vectors": 7, "backlog": 5, "lag_s": 61.0,
          "failures": 2, "index": "rebuilding"},
         "minilm ready, 7 vectors, 5 to come, the first for 1 min 1 s, 2 failed so far, "
         "index rebuilding"),
    ],
)  # fmt: skip
def test_the_model_of_texts_is_one_line(
    said: dict[str, Any], line: str, fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    assert lifecycle.meaning(said) == line
    usual = answering(WELL)

    def answer(asked: Any) -> tuple[int, Any]:
        if asked.path.endswith("/capabilities"):
            return 200, {"embedding": said}
        found: tuple[int, Any] = usual(asked)
        return found

    fake.answer = answer
    assert cli.main(["status"]) == 0
    assert f"  meaning   {lifecycle.meaning(said)}\n" in capsys.readouterr().out
