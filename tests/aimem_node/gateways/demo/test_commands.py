"""Running the operator's commands and hearing what they say."""

import asyncio
import sys

import pytest

from aimem_node.gateways.demo import commands
from aimem_node.gateways.demo.own_node import OwnNode


class Script:
    """A program in the place of `aimem-node`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-c", self.text, *arguments]


def test_lines_come_as_they_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "AIMEM_NODE", Script("print('one'); print('two  ')"))
    told: list[str] = []
    with OwnNode("aimem-test-") as node:
        asyncio.run(commands.lines_of(node, "join", told=told.append))
    assert told == ["one", "two"]


def test_an_answer_is_read_as_json_and_the_node_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    echo = "import json, sys; print(json.dumps({'asked': sys.argv[1:]}))"
    monkeypatch.setattr(commands, "AIMEM_NODE", Script(echo))
    with OwnNode("aimem-test-") as node:
        said = asyncio.run(commands.answer_of(node, "invite", "d"))
        assert said["asked"] == ["invite", "d", "--json", "--data-dir", str(node.data_dir)]


def test_a_command_that_fails_says_what_it_wrote(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = "import sys; print('the disk is full', file=sys.stderr); sys.exit(5)"
    monkeypatch.setattr(commands, "AIMEM_NODE", Script(failing))
    with (
        OwnNode("aimem-test-") as node,
        pytest.raises(commands.CommandError, match=r"verify ended with 5: the disk is full"),
    ):
        asyncio.run(commands.answer_of(node, "verify"))


def test_an_exit_code_that_was_foreseen_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        commands, "AIMEM_NODE", Script("import sys; print('{\"ok\": false}'); sys.exit(7)")
    )
    with OwnNode("aimem-test-") as node:
        assert asyncio.run(commands.answer_of(node, "verify", fine=(0, 7))) == {"ok": False}
