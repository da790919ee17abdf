"""`aimem mine FORMAT PATH`: make memories of what was said and written elsewhere.

It is a client like any other: it reads the source here and calls the node, so it also works with
--node on a machine far away. Running it again stores nothing twice and takes in what has grown.
"""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aimem_node.contract import formats
from aimem_node.contract.errors import Failure
from aimem_node.gateways.cli import arguments, failures
from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.cli.call import Caller
from aimem_node.gateways.cli.mining import (
    chatgpt,
    claude,
    claude_memory,
    jsonl,
    markdown,
    mcp_memory_service,
    mempalace,
    slack,
)
from aimem_node.gateways.cli.mining.chats import Item
from aimem_node.gateways.cli.mining.composing import LIFE_S, Maker
from aimem_node.gateways.cli.mining.driver import Driver, Sender
from aimem_node.gateways.cli.mining.known import Known
from aimem_node.gateways.cli.mining.sources import Tree, open_tree
from aimem_node.gateways.cli.mining.tally import Tally
from aimem_node.gateways.cli.progress import Bar

FORMATS: Mapping[str, Callable[[Tree], Iterator[Item]]] = {
    "claude": claude.find,
    "chatgpt": chatgpt.find,
    "slack": slack.find,
    "markdown": markdown.find,
    "jsonl": jsonl.find,
    "mempalace": mempalace.find,
    "mcp-memory-service": mcp_memory_service.find,
    "claude-memory": claude_memory.find,
}
NEEDED = ("import", "export", "get", "update")
"""Operations that it calls."""
MIN_MESSAGES = 3
MEGABYTE = 1_000_000
OPTIONS: dict[str, Any] = {
    "name": "Mine",
    "effect": "write",
    "fields": [
        {"name": "format", "kind": "string", "positional": True, "required": True, "short": "f",
         "words": list(FORMATS)},
        {"name": "path", "kind": "string", "positional": True, "required": True},
        {"name": "namespace", "kind": "string", "short": "n"},
        {"name": "tier", "kind": "string", "short": "t", "words": list(LIFE_S)},
        {"name": "min_messages", "kind": "int"},
        {"name": "dry_run", "kind": "bool"},
        {"name": "strict", "kind": "bool"},
    ],
}  # fmt: skip
"""As an operation's entry in surface.json, for the same reader of the command line."""


def run(rest: list[str], settings: dict[str, Any], env: Mapping[str, str]) -> int:
    """Mine what the words say; 0 only if all of it is there. Raises CallFailure."""
    values = _read(rest, settings)
    surface = surfaces.load()
    operations = {word: surfaces.find(surface, word) for word in NEEDED}
    missing = [word for word, found in operations.items() if found is None]
    if missing:
        raise failures.CallFailure("UNIMPLEMENTED", f"this build has no {', '.join(missing)}")
    found = {word: one for word, one in operations.items() if one is not None}
    name = values["format"]
    tree, items = _source(name, values["path"])
    tally = Tally(name, values["dry_run"])
    caller = Caller(settings, env)
    told = {"agent_id": settings["agent_id"]} if settings.get("agent_id") else {}
    maker = Maker(
        format=name,
        namespace=values.get("namespace") or f"{name}-export",
        tier=values["tier"],
        who=str(settings.get("agent_id") or _login()),
        now_us=time.time_ns() // 1_000,
        namespace_given="namespace" in values,
    )
    driver = Driver(
        maker, Known(caller, found["export"]), Sender(caller, found, tally, told), tally,
        min_messages=values["min_messages"], strict=values["strict"],
    )  # fmt: skip
    total = 0 if tree is None else sum(tree.size(one) for one in tree.names()) // MEGABYTE
    with Bar("mining", total, sys.stderr, unit="MB" if total else "") as bar:

        def moved() -> None:
            bar.reach(tree.bytes_read // MEGABYTE if tree is not None and total else tally.found)

        driver.run(items, moved)
    if not tally.found and tally.stopped is None and not tally.interrupted:
        raise failures.usage(
            f"there is nothing of the format {name} in {values['path']}",
            "What each format is: aimem help mine",
        )
    tally.show(sys.stdout, bool(settings.get("json")))
    if tally.stored and values["tier"] != "long" and not settings.get("json"):
        failures.note(f"they are of the tier {values['tier']} and expire; -t long keeps them")
    return tally.exit_code


def _read(rest: list[str], settings: dict[str, Any]) -> dict[str, Any]:
    given = arguments.Reading("mine", OPTIONS, settings).read(rest)
    values: dict[str, Any] = {
        "tier": "mid", "min_messages": MIN_MESSAGES, "dry_run": False, "strict": False,
    } | given  # fmt: skip
    if values["format"] not in FORMATS and values["path"] in FORMATS:
        values["format"], values["path"] = values["path"], values["format"]
    for name, known in (("format", list(FORMATS)), ("tier", list(LIFE_S))):
        if values[name] not in known:
            close = surfaces.nearest(str(values[name]), known)
            hint = f"Did you mean {close}? " if close else ""
            raise failures.usage(
                f"{values[name]!r} is no {name}", f"{hint}One of: {', '.join(known)}", f"$.{name}"
            )
    if "namespace" in values:
        try:
            values["namespace"] = formats.namespace(str(values["namespace"]))
        except Failure as failure:
            raise failures.usage(f"the namespace {failure.message}", path="$.namespace") from None
    if not isinstance(values["min_messages"], int) or values["min_messages"] < 1:
        raise failures.usage("--min-messages takes a number from 1 on", path="$.min_messages")
    for name in ("dry_run", "strict"):
        if not isinstance(values[name], bool):
            raise failures.usage(f"--{name.replace('_', '-')} takes no value", path=f"$.{name}")
    return values


def _source(name: str, path: str) -> tuple[Tree | None, Iterator[Item]]:
    place = os.path.abspath(os.path.expanduser(path))
    if name == "mcp-memory-service" and mcp_memory_service.is_database(place):
        return None, mcp_memory_service.find_in_database(place)
    tree = open_tree(path)
    return tree, FORMATS[name](tree)


def _login() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.geteuid())
