"""Change one entry of a configuration file, and leave the rest of it as it was.

These functions turn text into text and touch no file. Where a file holds what they cannot keep
(comments in JSON, a TOML table written in another style), they refuse with `CannotEdit` rather
than lose it; the caller then shows what to add by hand.
"""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from aimem_node.gateways.cli.clients import ENTRY, HOOK_EVENT, is_our_hook


class CannotEdit(Exception):  # noqa: N818 - it is said to people as it stands
    """The file is not in a form that we can change without harm."""


def set_json_entry(before: str | None, entry: Mapping[str, Any] | None) -> str | None:
    """The text with our MCP entry set, or taken out when entry is None. None for no file."""
    whole = _parse(before)
    servers = whole.get("mcpServers", {})
    if not isinstance(servers, dict):
        raise CannotEdit("its mcpServers is not an object")
    if entry is not None:
        if servers.get(ENTRY) == entry:
            return before
        whole["mcpServers"] = servers | {ENTRY: dict(entry)}
    else:
        if ENTRY not in servers:
            return before
        del servers[ENTRY]
        if not servers:
            del whole["mcpServers"]
    return _dump(whole, before)


def set_json_hook(before: str | None, hook: Mapping[str, Any] | None) -> str | None:
    """The text with our session hook as the only one of ours, or with none when hook is None."""
    whole = _parse(before)
    hooks = whole.get("hooks", {})
    groups = hooks.get(HOOK_EVENT, []) if isinstance(hooks, dict) else None
    if not isinstance(groups, list):
        raise CannotEdit(f"its hooks are not in the form {{{HOOK_EVENT!r}: [...]}}")
    kept: list[Any] = []
    for group in groups:
        commands = group.get("hooks") if isinstance(group, dict) else None
        if not isinstance(commands, list) or not any(is_our_hook(one) for one in commands):
            kept.append(group)
            continue
        others = [one for one in commands if not is_our_hook(one)]
        if others:
            kept.append(group | {"hooks": others})
    if hook is not None:
        kept.append(dict(hook))
    if kept == groups:
        return before
    if kept:
        whole["hooks"] = hooks | {HOOK_EVENT: kept}
    else:
        del hooks[HOOK_EVENT]
        if not hooks:
            del whole["hooks"]
    return _dump(whole, before)


def _parse(text: str | None) -> dict[str, Any]:
    if text is None or not text.strip():
        return {}
    try:
        whole = json.loads(text, object_pairs_hook=_without_doubles)
    except json.JSONDecodeError as error:
        raise CannotEdit(
            f"it is not plain JSON (line {error.lineno}: {error.msg}); comments would be lost"
        ) from None
    if not isinstance(whole, dict):
        raise CannotEdit("it is not a JSON object")
    return whole


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise CannotEdit("it holds a key twice, and one of the two would be lost")
    return made


def _dump(whole: dict[str, Any], before: str | None) -> str | None:
    """JSON in the style of the text before: its indentation and its last newline."""
    text = before or ""
    indent: int | str | None = 2
    if text.strip():
        second = next((line for line in text.splitlines()[1:] if line.strip()), "")
        blank = second[: len(second) - len(second.lstrip())]
        indent = ("\t" if blank.startswith("\t") else len(blank)) if blank else None
        if indent is None and "\n" in text.strip():
            indent = 2
    separators = (",", ": ") if indent is not None else None
    made = json.dumps(whole, indent=indent, ensure_ascii=False, separators=separators)
    if "\r\n" in text:
        made = made.replace("\n", "\r\n")
    ends_with_newline = text.endswith("\n") or not text
    return made + ("\r\n" if "\r\n" in text else "\n") if ends_with_newline else made


def set_toml_entry(before: str | None, entry: Mapping[str, Any] | None) -> str | None:
    """Like set_json_entry for a TOML file. Works on lines, so comments and order stay."""
    text = before or ""
    wanted = _toml(text)
    servers = wanted.get("mcp_servers", {})
    if not isinstance(servers, dict):
        raise CannotEdit("its mcp_servers is not a table")
    if servers.get(ENTRY) == (dict(entry) if entry is not None else None):
        return before
    rest = _without_table(text.splitlines(keepends=True))
    servers = {name: said for name, said in servers.items() if name != ENTRY}
    after = "".join(rest)
    if entry is not None:
        servers[ENTRY] = dict(entry)
        after = after.rstrip("\n") + "\n\n" if after.strip() else ""
        after += _toml_table(entry)
    else:
        after = after.rstrip("\n") + "\n" if after.strip() else ""
    if servers or "mcp_servers" in _toml(after):
        wanted["mcp_servers"] = servers
    else:
        wanted.pop("mcp_servers", None)
    if _toml(after) != wanted:
        raise CannotEdit(f"its entry for {ENTRY} is written in a style we do not know")
    return after


def _toml(text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise CannotEdit(f"it is not TOML ({error})") from None


def _without_table(lines: list[str]) -> list[str]:
    """The lines without the table of our entry and the tables below it."""
    kept: list[str] = []
    inside = False
    for line in lines:
        said = line.strip()
        if said.startswith("["):
            name = said.strip("[").partition("]")[0].replace(" ", "").replace('"', "")
            inside = name == f"mcp_servers.{ENTRY}" or name.startswith(f"mcp_servers.{ENTRY}.")
        if not inside:
            kept.append(line)
    return kept


def _toml_table(entry: Mapping[str, Any]) -> str:
    # A JSON string or list of strings is the same text in TOML.
    lines = [f"[mcp_servers.{ENTRY}]"]
    lines += [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in entry.items()]
    return "\n".join(lines) + "\n"
