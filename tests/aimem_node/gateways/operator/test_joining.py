"""`aimem-node join`: every step is told once, whatever was missed, and stopping stops nothing."""

import io
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure, to_json
from aimem_node.gateways.operator import cli, joining, lifecycle
from tests.aimem_node.gateways.cli.fake_node import Asked, FakeNode

KEY = "7f3c" * 16
TALE: list[dict[str, Any]] = [
    {"step": "sponsor", "said": "asking lab-1.example:8379"},
    {"step": "identity", "said": "proving who this is", "fingerprint": KEY},
    {"step": "admitted", "said": "admitted", "epoch": 6, "fingerprint": KEY},
    {"step": "snapshot", "done": 10, "total": 41_000_000, "epoch": 6},
    {"step": "catch_up", "done": 0, "total": 12, "epoch": 6, "snapshot_bytes": 41_000_000},
    {"step": "voter", "epoch": 7, "voters": 4, "needed": 3, "snapshot_bytes": 41_000_000,
     "fingerprint": KEY},
]  # fmt: skip


@pytest.fixture
def tell(fake: FakeNode, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have the node answer join after join with these; the last one stays."""
    monkeypatch.setattr(joining, "POLL_S", 0)

    def begin(*tale: Any) -> None:
        rest = list(tale)

        def answer(asked: Asked) -> tuple[int, Any]:
            if not asked.path.endswith("/cluster/join"):
                return 200, {"pid": 42}
            said = rest.pop(0) if len(rest) > 1 else rest[0]
            return said if isinstance(said, tuple) else (200, said)

        fake.answer = answer

    return begin


def joins(fake: FakeNode) -> list[Any]:
    return [asked.body for asked in fake.asked if asked.path.endswith("/cluster/join")]


def test_a_join_is_told_step_by_step(
    tell: Callable[..., None], fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    tell(*TALE)
    assert cli.main(["join", "aim1.abc", "def.0123", "--name", "lab-9"]) == 0
    assert capsys.readouterr().out == (
        "  asking lab-1.example:8379\n"
        "  sponsor verified ✓\n"
        "  proving who this is\n"
        "  identity 7f3c7f3c7f3c7f3c ✓\n"
        "  admitted as learner (epoch 6)\n"
        "  admitted\n"
        "  snapshot: 41.0 MB\n"
        "  snapshot 41.0 MB ✓\n"
        "  catching up: 12 ops\n"
        "  caught up ✓\n"
        "  voter (epoch 7), N=4, W=3\n"
    )
    # A line that a chat has broken is put together; afterwards it is only asked for.
    assert joins(fake)[0] == {"line": "aim1.abcdef.0123", "name": "lab-9"}
    assert joins(fake)[1:] == [{}] * 5


def test_steps_that_nobody_saw_are_told_all_the_same(
    tell: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    tell(TALE[-1] | {"snapshot_bytes": 0})
    assert cli.main(["join"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "  sponsor verified ✓",
        "  identity 7f3c7f3c7f3c7f3c ✓",
        "  admitted as learner",
        "  caught up ✓",
        "  voter (epoch 7), N=4, W=3",
    ]


def test_a_program_gets_the_last_answer_alone(
    tell: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    tell(*TALE)
    assert cli.main(["join", "aim1.x", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == TALE[-1]


def test_ctrl_c_ends_the_watching_and_not_the_join(
    tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    tell(TALE[0])
    monkeypatch.setattr(joining.time, "sleep", interrupted)
    assert cli.main(["join", "aim1.x"]) == 130
    assert "goes on joining" in capsys.readouterr().err


def test_a_node_that_does_not_answer_for_a_moment_is_asked_again(
    tell: Callable[..., None], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    away = (503, to_json(Failure(Code.UNAVAILABLE, "the node is starting")))
    tell(TALE[2], away, away, TALE[-1])
    assert cli.main(["join", "aim1.x"]) == 0
    capsys.readouterr()
    monkeypatch.setattr(joining, "DEAF_POLLS_MAX", 2)
    tell(TALE[2], away)
    assert cli.main(["join", "aim1.x"]) == 5
    assert "the node is starting" in capsys.readouterr().err


def test_a_join_that_failed_says_what_to_do(
    tell: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    tell(TALE[0], {"step": "failed", "failure": "the line has expired", "next": "Get a new one."})
    assert cli.main(["join", "aim1.x"]) == 5
    assert capsys.readouterr().err == (
        "aimem-node: joining failed: the line has expired\nnext: Get a new one.\n"
    )


def test_watching_ends_at_its_time_and_says_that_the_join_does_not(
    tell: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    tell(TALE[3])
    assert cli.main(["join", "aim1.x", "--timeout", "0s"]) == 5
    assert "goes on in the node" in capsys.readouterr().err


def test_nothing_to_show_says_how_to_begin(
    tell: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    tell({"step": "none"})
    assert cli.main(["join"]) == 3
    assert "next: On a member: aimem-node invite." in capsys.readouterr().err


def test_memories_that_are_here_are_brought_only_on_purpose(
    tell: Callable[..., None], fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    tell((409, to_json(Failure(Code.CONFLICT, "12 memories are here already", path="$.bring"))))
    assert cli.main(["join", "aim1.x"]) == 4
    said = capsys.readouterr().err
    assert "12 memories are here already (--bring)" in said
    assert "next: With --bring all of it goes to every member" in said
    tell(TALE[-1])
    assert cli.main(["join", "aim1.x", "--bring"]) == 0
    assert joins(fake)[-1] == {"line": "aim1.x", "bring": True}


def test_a_line_can_be_piped_in_so_that_no_process_list_shows_it(
    tell: Callable[..., None], fake: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(TALE[-1])
    monkeypatch.setattr(sys, "stdin", io.StringIO("aim1.ab\n cd\n"))
    assert cli.main(["join", "-"]) == 0
    assert joins(fake) == [{"line": "aim1.abcd"}]
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert cli.main(["join", "-"]) == 2


def test_a_machine_without_a_line_knocks_with_a_fingerprint(
    tell: Callable[..., None], fake: FakeNode
) -> None:
    tell(TALE[-1])
    assert cli.main(["join", "--knock", "lab-1:8379", "--fingerprint", "sha256:A1:B2"]) == 0
    assert joins(fake) == [{"knock": "lab-1:8379", "fingerprint": "a1b2"}]


@pytest.mark.parametrize(
    "typed",
    [
        ["--knock", "h:1"],
        ["--fingerprint", "ab"],
        ["aim1.x", "--knock", "h:1", "--fingerprint", "ab"],
        ["--name", "lab-9"],
        ["--bring"],
    ],
)
def test_what_does_not_go_together_is_refused_before_anything_is_started(
    typed: list[str], fake: FakeNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(lifecycle, "start", lambda *given: started.append(given))
    assert cli.main(["join", *typed]) == 2
    assert (started, fake.asked) == ([], [])


def test_a_node_is_started_when_none_runs(
    fake: FakeNode, monkeypatch: pytest.MonkeyPatch, tell: Callable[..., None]
) -> None:
    started: list[Any] = []
    monkeypatch.setattr(lifecycle, "start", lambda *given: started.append(given))
    tell(TALE[-1])
    assert cli.main(["join", "aim1.x"]) == 0
    assert [given[0] for given in started] == [fake.data_dir]
