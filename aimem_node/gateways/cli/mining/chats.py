"""What exports of conversations have in common: the files to open and the values in them."""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterator
from typing import Any

from aimem_node.gateways.cli.mining.found import Found, Unfit, Unreadable, plain
from aimem_node.gateways.cli.mining.json_stream import Broken, Reader, Value
from aimem_node.gateways.cli.mining.sources import Tree

Item = Found | Unfit
NO_TEXT = "no text in it"


def chosen(tree: Tree, *patterns: str) -> list[str]:
    """The files of these names, wherever they lie; the only file, whatever its name."""
    names = tree.names()
    if len(names) == 1:
        return names
    return [
        name for name in names
        if any(fnmatch.fnmatchcase(name.rpartition("/")[2].lower(), one) for one in patterns)
    ]  # fmt: skip


def values_in(tree: Tree, name: str, *members: str) -> Iterator[tuple[str, Any] | Unfit]:
    """Each value of a JSON file with where it stands, and what is broken in it."""
    try:
        with tree.open(name) as file:
            for one in Reader(file).values(*members):
                where = f"{name}, {one.where}"
                if isinstance(one, Broken):
                    yield Unfit(where, one.reason)
                else:
                    yield where, one.value
    except Unreadable as error:
        yield Unfit(name, str(error))


def each(
    tree: Tree, name: str, read: Callable[[str, dict[str, Any]], Item | None], *members: str
) -> Iterator[Item]:
    """What `read` makes of each object in a file. A surprise in one object costs only that one."""
    for one in values_in(tree, name, *members):
        if isinstance(one, Unfit):
            yield one
            continue
        where, value = one
        if not isinstance(value, dict):
            yield Unfit(where, "is no JSON object")
            continue
        try:
            made = read(where, value)
        except (TypeError, ValueError, KeyError, AttributeError, RecursionError) as error:
            made = Unfit(where, f"is not built as expected ({type(error).__name__}: {error})")
        if made is not None:
            yield made


def finished(found: Found) -> Item:
    """The same conversation without what says nothing; Unfit if that is all of it."""
    if not any(plain(message.text) for message in found.messages):
        return Unfit(found.where, NO_TEXT, broken=False)
    return found


__all__ = ["Item", "Value", "chosen", "each", "finished", "values_in"]
