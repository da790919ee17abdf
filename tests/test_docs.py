"""The pages, checked against the program: nothing in them that cannot be typed, nothing missing."""

import argparse
import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from aimem_node import config
from aimem_node.gateways.cli.fast import COMMANDS
from aimem_node.gateways.operator.cli import parser

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), ROOT / "chaos/README.md"]
CODE = re.compile(r"```sh\n(.*?)```|`([^`\n]+)`", re.DOTALL)
SURFACE = json.loads((ROOT / "aimem_node/contract/made/surface.json").read_text(encoding="utf-8"))


def typed(program: str) -> Iterator[tuple[str, list[str]]]:
    """Every use of a program in the pages: the page, and the words after the program's name."""
    for page in PAGES:
        for block, inline in CODE.findall(page.read_text(encoding="utf-8")):
            for line in (block or inline).splitlines():
                said = line.split(" #")[0].strip()
                found = re.match(rf"(?:\S+=\S+ )*(?:\S*/)?{program} (.+)", said)
                if found:
                    yield page.name, found.group(1).split()


def subcommands(of: argparse.ArgumentParser) -> dict[str, argparse.ArgumentParser]:
    """The parsers below a parser, by name."""
    return {
        name: made
        for action in of._actions
        if isinstance(action, argparse._SubParsersAction)
        for name, made in action.choices.items()
    }


@pytest.mark.parametrize("program", ["aimem", "aimem-node", "make"])
def test_the_pages_do_say_what_to_type(program: str) -> None:
    assert len(list(typed(program))) >= 5


def test_every_caller_s_command_in_the_pages_exists() -> None:
    known = {*SURFACE["operations"], *SURFACE["aliases"], *COMMANDS}
    unknown = [f"{page}: aimem {words[0]}" for page, words in typed("aimem") if
               not words[0].startswith("-") and words[0] not in known]  # fmt: skip
    assert unknown == []


def test_every_operator_s_command_and_flag_in_the_pages_exists() -> None:
    unknown = []
    for page, words in typed("aimem-node"):
        here, rest = parser(), list(words)
        while rest and rest[0] in (below := subcommands(here)):
            here = below[rest.pop(0)]
        flags = {word.split("=")[0] for word in rest if word.startswith("--")}
        known = {*here._option_string_actions}
        # What bench takes is bench's own business: its parser is made when it is called.
        if here.prog.endswith(" bench"):
            continue
        if subcommands(here) or flags - known:
            unknown.append(f"{page}: aimem-node {' '.join(words)}")
    assert unknown == []


@pytest.mark.parametrize("name", sorted(subcommands(parser())))
def test_every_operator_s_command_is_in_the_page_on_running(name: str) -> None:
    page = (ROOT / "docs/running.md").read_text(encoding="utf-8")
    assert re.search(rf"`?aimem-node {name}\b", page)


def test_every_make_verb_in_the_pages_exists() -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    unknown = [f"{page}: make {words[0]}" for page, words in typed("make") if words[0] not in verbs]
    assert unknown == []


@pytest.mark.parametrize("file", sorted((ROOT / "cluster-configs").rglob("*.toml")))
def test_every_configuration_that_we_ship_is_one_that_a_node_takes(file: Path) -> None:
    config.load({"data_dir": "anywhere", "config": str(file)}, {})


@pytest.mark.parametrize("file", sorted((ROOT / "cluster-configs").rglob("*.toml")))
def test_what_a_configuration_has_commented_out_would_be_taken_too(
    file: Path, tmp_path: Path
) -> None:
    text = re.sub(r"^# (?=\w+ = )", "", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert set(tomllib.loads(text)) <= {one.name for one in fields(config.Settings)}
    whole = tmp_path / "whole.toml"
    whole.write_text(text, encoding="utf-8")
    config.load({"data_dir": "anywhere", "config": str(whole)}, {})
