"""What the operator's commands share: their options, how they ask a node, how they answer.

A command that cannot be taken back asks the person at the terminal. Where nobody sits it refuses
without --yes, since a script that evicts by accident does so at night.
"""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any

from aimem_node.gateways.cli import failures, node
from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.operator import calling

CALL_S = 60.0
"""For a change of members: the voters take up to 10 s to find that no majority answers."""
_UNITS = {"": 1, "s": 1, "m": 60, "min": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9})\s*([a-z]*)")


def common(
    made: argparse.ArgumentParser, act: Callable[[argparse.Namespace], int]
) -> argparse.ArgumentParser:
    """Give a command the options that all have, and what it does."""
    made.add_argument("--data-dir", help="where the node keeps its things (AIMEM_DATA_DIR)")
    made.add_argument("--json", action="store_true", help="print JSON")
    made.set_defaults(act=act)
    return made


def data_dir(asked: argparse.Namespace) -> str:
    """The data directory that was meant."""
    return node.data_dir_of({"data_dir": asked.data_dir}, os.environ)


def say(asked: argparse.Namespace, value: Mapping[str, Any], text: str) -> None:
    """Print the answer, as JSON if that was asked for."""
    if asked.json:
        sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(text)


def ask(
    asked: argparse.Namespace, word: str, values: dict[str, Any], timeout_s: float = CALL_S
) -> dict[str, Any]:
    """A running node's answer. Raises CallFailure in the words of the command line."""
    given = {name: value for name, value in values.items() if value is not None}
    try:
        return calling.ask(data_dir(asked), word, given, timeout_s)
    except failures.CallFailure as failure:
        operation = surfaces.find(surfaces.load(), word)
        if operation is not None:
            failure.in_words_of(word, operation)
            failure.next_step = failure.next_step.replace("aimem help", "aimem-node --help, or")
        raise


def confirm(asked: argparse.Namespace, warning: str, wanted: str = "yes") -> None:
    """Have a person type a word, unless --yes was given. Raises CallFailure if none does."""
    if asked.yes:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise failures.usage(
            "this cannot be taken back, and nobody is at a terminal to be asked",
            "Give --yes if it is meant.",
        )
    sys.stderr.write(f"{warning}\nType {wanted} to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != wanted:
        raise failures.CallFailure(
            "CONFLICT", "nothing was done: it was not confirmed",
            next_step=f"Type {wanted} when asked, or give --yes.",
        )  # fmt: skip


def fingerprint_of(text: str) -> str:
    """A fingerprint, or its beginning, as the node wants it: however it was written down."""
    bare = text.strip().lower().removeprefix("sha256:")
    return bare.translate({ord(mark): None for mark in ":- "})


def seconds_of(text: str) -> int:
    """15m, 900, 2h or 1d in seconds, for argparse. Raises ArgumentTypeError."""
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None or found[2] not in _UNITS:
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 90s, 15m, 2h or 1d")
    return int(found[1]) * _UNITS[found[2]]
