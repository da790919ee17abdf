"""`aimem-node audit`: what a person reads, what a SIEM gets, and the verdict as an exit code."""

import json
from pathlib import Path
from typing import Any

import pytest

from aimem_node.gateways.operator import cli
from tests.aimem_node.gateways.cli.fake_node import FakeNode

ENTRY = {
    "written_at": "2026-05-28T20:26:40Z", "author": "user:ann", "node_name": "lab-1",
    "agent_id": "ai:claude", "event": "memory_stored", "namespace": "acme", "record_id": "r1",
    "rule": "delete: approve at acme",
}  # fmt: skip
SOUND = {"sound": True, "verified": True, "ops": 1, "listed": 1, "heads": ["a.b:1 00"]}
BROKEN = {**SOUND, "sound": False, "problems": ["the log of a.b is broken at 1"]}


def answering(fake: FakeNode, verdict: dict[str, Any] | None) -> None:
    records = [{"entry": ENTRY}, *([{"verdict": verdict}] if verdict is not None else [])]
    fake.answer = lambda _: (200, records)


def test_a_person_reads_a_line_for_each_op_and_the_verdict_at_the_end(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(fake, SOUND)
    assert cli.main(["audit", "--author", "ai:claude"]) == 0
    said = capsys.readouterr()
    assert said.out == (
        "2026-05-28T20:26:40Z  user:ann@lab-1 as ai:claude  memory_stored  acme  r1  "
        "rule delete: approve at acme\n"
    )
    assert "every chain is whole and every log is signed by its node" in said.err
    assert fake.asked[0].path == "/api/v1/audit?author=ai%3Aclaude"


def test_a_broken_chain_is_an_exit_code_that_a_script_cannot_miss(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(fake, BROKEN)
    assert cli.main(["audit"]) == 7
    assert "broken at 1" in capsys.readouterr().err


def test_a_list_without_its_last_line_proves_nothing(
    fake: FakeNode, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(fake, None)
    assert cli.main(["audit"]) == 7
    assert "ended before its last line" in capsys.readouterr().err


def test_an_export_is_json_lines_with_the_verdict_last_and_overwrites_nothing(
    fake: FakeNode, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    answering(fake, SOUND)
    target = tmp_path / "audit.jsonl"
    assert cli.main(["audit", "--jsonl", str(target)]) == 0
    lines = [json.loads(line) for line in target.read_text().splitlines()]
    assert lines == [{"entry": ENTRY}, {"verdict": SOUND}]
    assert cli.main(["audit", "--jsonl", str(target)]) == 5
    assert "Name a file that does not exist yet" in capsys.readouterr().err
