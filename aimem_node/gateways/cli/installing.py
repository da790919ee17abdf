"""`aimem install CLIENT`: put us into an AI client's configuration, and take us out again.

Nothing is written that was not shown first. The old file is kept beside the new one, and a
file that changed between showing and writing is left alone: the client may be running.
"""

import difflib
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aimem_node.gateways.cli import arguments, failures
from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.cli.bridge import PROFILES
from aimem_node.gateways.cli.clients import CLIENTS, ENTRY, Client, Form, entry_of, hook_of
from aimem_node.gateways.cli.config_edits import (
    CannotEdit,
    set_json_entry,
    set_json_hook,
    set_toml_entry,
)  # fmt: skip
from aimem_node.gateways.cli.look import Look

SWITCHES = ("--dry-run", "--uninstall", "--yes", "-y", "--no-hook")
VALUES = ("--config", "--profile")


@dataclass(frozen=True, slots=True)
class Edit:
    """One file as it is and as it will be; None where there is no file."""

    path: str
    before: str | None
    after: str | None

    def diff(self) -> list[str]:
        """A unified diff, empty when nothing changes."""
        old, new = ((text or "").splitlines() for text in (self.before, self.after))
        name_before = self.path if self.before is not None else "/dev/null"
        name_after = self.path if self.after is not None else "/dev/null"
        return list(difflib.unified_diff(old, new, name_before, name_after, lineterm=""))


def run(rest: list[str], settings: dict[str, Any], env: Mapping[str, str]) -> int:
    """Install into one client, or uninstall; 0 also when there was nothing to do."""
    client_name, given = _read(rest, settings)
    client = CLIENTS.get(client_name)
    if client is None:
        close = surfaces.nearest(client_name, list(CLIENTS))
        hint = f"Did you mean {close}? " if close else ""
        raise failures.usage(
            f"unknown client {client_name!r}" if client_name else "which client?",
            f"{hint}One of: {', '.join(CLIENTS)}",
        )
    edits = [edit for edit in plan(client, given, settings, env) if edit.before != edit.after]
    if not edits:
        state = "is not in" if given.get("--uninstall") else "is already in"
        sys.stdout.write(f"aimem {state} the configuration of {client.title}; nothing to change\n")
        return 0
    _show(edits, Look.of(sys.stdout))
    if given.get("--dry-run"):
        return 0
    if not _agreed(given):
        sys.stdout.write("nothing was changed\n")
        return 0
    for edit in edits:
        backup = apply(edit)
        sys.stdout.write(f"wrote {edit.path}" + (f" (before: {backup})" if backup else "") + "\n")
    sys.stdout.write(f"{client.then}\n")
    return 0


def _read(rest: list[str], settings: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    given: dict[str, Any] = {}
    names: list[str] = []
    index = 0
    while index < len(rest):
        flag, equals, value = rest[index].partition("=")
        taken = arguments.take_global(settings, rest, index)
        if taken:
            index += taken
            continue
        if flag in SWITCHES:
            given["--yes" if flag == "-y" else flag] = True
        elif flag in VALUES:
            if not equals:
                index += 1
                value = rest[index] if index < len(rest) else ""
            if not value:
                raise failures.usage(f"{flag} needs a value", "See: aimem help install")
            given[flag] = value
        elif flag.startswith("-"):
            known = [*SWITCHES, *VALUES, *arguments.GLOBALS]
            raise arguments.unknown_flag(flag, known, "aimem help install")
        else:
            names.append(rest[index])
        index += 1
    if len(names) > 1:
        raise failures.usage("one client at a time", "See: aimem help install")
    if given.get("--profile", "core") not in PROFILES:
        raise failures.usage("unknown profile", f"One of: {', '.join(PROFILES)}", "$.profile")
    return (names[0] if names else ""), given


def plan(
    client: Client, given: Mapping[str, Any], settings: Mapping[str, Any], env: Mapping[str, str]
) -> list[Edit]:
    """What would change. Raises CallFailure for a file that cannot be changed without harm."""
    before_words, after_words = [], []
    data_dir = settings.get("data_dir") or env.get("AIMEM_DATA_DIR")
    if data_dir:
        before_words = ["--data-dir", os.path.abspath(os.path.expanduser(str(data_dir)))]
    if given.get("--profile"):
        after_words += ["--profile", str(given["--profile"])]
    if settings.get("agent_id"):
        after_words += ["--agent-id", str(settings["agent_id"])]
    entry = None if given.get("--uninstall") else entry_of(client, before_words, after_words)
    path = os.path.abspath(os.path.expanduser(given.get("--config") or client.config_path(env)))
    change = set_toml_entry if client.form is Form.TOML else set_json_entry
    edits = [_edit(path, lambda text: change(text, entry), entry, client.own_file)]
    hook_path = client.hook_path(env)
    if hook_path and not given.get("--no-hook") and not given.get("--config"):
        hook = None if given.get("--uninstall") else hook_of(before_words)
        edits.append(_edit(hook_path, lambda text: set_json_hook(text, hook), hook, False))
    return edits


def _edit(path: str, change: Any, wanted: Any, own_file: bool) -> Edit:
    before = _text(path)
    try:
        after = change(before)
    except CannotEdit as error:
        import json

        by_hand = f" Add by hand: {json.dumps({ENTRY: wanted})}" if wanted else ""
        raise failures.CallFailure(
            "CONFLICT",
            f"{path} was left as it is: {error}",
            next_step=f"Mend it and try again.{by_hand}",
        ) from None
    if own_file and wanted is None:
        after = None
    return Edit(path, before, after)


def _text(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise failures.CallFailure("STORAGE", f"cannot read {path}: {error}") from None


def _show(edits: list[Edit], look: Look) -> None:
    for edit in edits:
        for line in edit.diff():
            style = {"+": "good", "-": "warn"}.get(line[:1], "dim")
            sys.stdout.write(look.paint(style, line) + "\n")
    sys.stdout.flush()


def _agreed(given: Mapping[str, Any]) -> bool:
    if given.get("--yes"):
        return True
    if not sys.stdin.isatty():
        raise failures.usage(
            "there is nobody to ask, so nothing was changed", "Agree beforehand with --yes."
        )
    sys.stdout.write("Make this change? [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def apply(edit: Edit) -> str:
    """Write one edit whole or not at all; the backup's path, "" if there was no file."""
    # A link to a file kept elsewhere stays a link.
    target = os.path.realpath(edit.path)
    try:
        backup = _back_up(target, edit)
        if edit.after is None:
            os.unlink(target)
            return backup
        os.makedirs(os.path.dirname(target), exist_ok=True)
        mode = os.stat(target).st_mode & 0o777 if edit.before is not None else 0o600
        aside = f"{target}.{os.getpid()}.aimem"
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w",
                  encoding="utf-8", newline="") as file:  # fmt: skip
            os.fchmod(file.fileno(), mode)
            file.write(edit.after)
            file.flush()
            os.fsync(file.fileno())
        if _text(target) != edit.before:
            os.unlink(aside)
            raise failures.CallFailure(
                "CONFLICT", f"{edit.path} changed meanwhile and was left alone",
                next_step="Close the client and try again.",
            )  # fmt: skip
        os.replace(aside, target)
    except OSError as error:
        raise failures.CallFailure(
            "STORAGE", f"cannot write {edit.path}: {error.strerror or error}"
        ) from None
    return backup


def _back_up(target: str, edit: Edit) -> str:
    if edit.before is None:
        return ""
    stamp = time.strftime("%Y%m%dT%H%M%S")
    backup, number = f"{target}.before-aimem-{stamp}", 1
    while os.path.exists(backup):
        number += 1
        backup = f"{target}.before-aimem-{stamp}-{number}"
    mode = os.stat(target).st_mode & 0o777
    with open(os.open(backup, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w",
              encoding="utf-8", newline="") as file:  # fmt: skip
        file.write(edit.before)
    return backup
