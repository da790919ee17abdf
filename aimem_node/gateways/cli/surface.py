"""What the command line knows of the contract: one made JSON file, read with json and os alone.

The file holds every operation with its HTTP path and its fields, so that a new operation in
the contract is a new command here without a line of code.
"""

from __future__ import annotations

import json
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATH = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
    "contract", "made", "surface.json",
)  # fmt: skip
"""The made file. Tests put their own here."""


def load() -> dict[str, Any]:
    """The whole surface: {"version", "operations": {word: operation}, "aliases": {word: word}}."""
    with open(PATH, encoding="utf-8") as file:
        surface: dict[str, Any] = json.load(file)
    return surface


def find(surface: dict[str, Any], word: str) -> dict[str, Any] | None:
    """The operation behind a command or its alias, or None."""
    operations = surface["operations"]
    found: dict[str, Any] | None = operations.get(surface.get("aliases", {}).get(word, word))
    return found


def in_words(surface: dict[str, Any], words: list[str]) -> list[str]:
    """The words of a command with its first two as one, where only that is a command:
    `policy explain` is policy-explain."""
    if len(words) < 2 or find(surface, words[0]) is not None:
        return words
    joined = f"{words[0]}-{words[1]}"
    return words if find(surface, joined) is None else [joined, *words[2:]]


def family(surface: dict[str, Any], word: str) -> list[str]:
    """The second words of commands in two words that begin with this one; empty if it is a command
    itself, or begins only one of them."""
    if find(surface, word) is not None:
        return []
    seconds = [name.removeprefix(f"{word}-") for name in surface["operations"]
               if name.startswith(f"{word}-")]  # fmt: skip
    return seconds if len(seconds) > 1 else []


def families(surface: dict[str, Any]) -> dict[str, list[str]]:
    """All first words of commands in two words, with their second words."""
    firsts = dict.fromkeys(name.partition("-")[0] for name in surface["operations"])
    found = {first: family(surface, first) for first in firsts}
    return {first: seconds for first, seconds in found.items() if seconds}


def flag_of(field: dict[str, Any]) -> str:
    """The long flag of a field: `--ttl-secs` for `ttl_secs`."""
    return "--" + str(field["name"]).replace("_", "-")


def field_named(operation: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The field of that name, or None."""
    for field in operation["fields"]:
        if field["name"] == name:
            found: dict[str, Any] = field
            return found
    return None


def nearest(word: str, known: list[str]) -> str:
    """The known word that is most like the given one, or "" when none is close."""
    import difflib

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return close[0] if close else ""
