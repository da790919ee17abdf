"""Read what was typed, by the facts in surface.json and no others.

No argparse: it costs a third of a fast call. Values stay as close to what was typed as JSON
allows; whether "abc" will do for a number is for the contract to say, in the same words as on
every other surface.
"""

from __future__ import annotations

import json
import sys

from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.cli.failures import usage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

GLOBALS = {
    "--json": ("json", False, "Print the answer as JSON."),
    "--node": ("node", True, "Call a node elsewhere: HOST:PORT, mutual TLS."),
    "--data-dir": ("data_dir", True, "Data directory of the node on this machine."),
    "--agent-id": ("agent_id", True, "Who is speaking, when the node is to be told."),
    "--no-start": ("no_start", False, "Fail instead of starting a node that is not running."),
    "--timeout": ("timeout", True, "Seconds to wait for an answer."),
    "--tls-cert": (
        "tls_cert",
        True,
        "With --node: certificate to show; this node's own if absent.",
    ),
    "--tls-key": ("tls_key", True, "With --node: its private key."),
    "--tls-ca": ("tls_ca", True, "With --node: the certificate that node must have."),
    "--token": ("token", True, "With --node: bearer token besides the certificate."),
    "--stale": (
        "stale",
        False,
        "Answer from what the node has, even if you have seen newer things on another one.",
    ),
    "--max-wait-ms": (
        "max_wait_ms",
        True,
        "How long the node may wait for those (500).",
    ),
    "--help": ("help", False, "Explain the command."),
    "-h": ("help", False, ""),
    "--version": ("version", False, "Print the version."),
}
"""Options of every command: name of the setting, whether it takes a value, help."""

ENVIRONMENT = {
    "AIMEM_NODE": "node",
    "AIMEM_AGENT_ID": "agent_id",
    "AIMEM_TOKEN": "token",
}


def split(argv: list[str], env: Mapping[str, str]) -> tuple[dict[str, Any], str, list[str]]:
    """The options before the command, the command's word ("" if none), and what follows it."""
    settings: dict[str, Any] = {}
    for name, key in ENVIRONMENT.items():
        if env.get(name):
            settings[key] = env[name]
    if env.get("AIMEM_NO_START", "").lower() in ("1", "true", "yes", "on"):
        settings["no_start"] = True
    index = 0
    while index < len(argv):
        word = argv[index]
        if not word.startswith("-") or word == "-":
            return settings, word, argv[index + 1 :]
        taken = take_global(settings, argv, index)
        if not taken:
            raise unknown_flag(word, list(GLOBALS), "aimem help")
        index += taken
    return settings, "", []


def take_global(settings: dict[str, Any], argv: list[str], index: int) -> int:
    """Take the option at index into settings if it is one of every command; words used, or 0."""
    flag, equals, value = argv[index].partition("=")
    if flag not in GLOBALS:
        return 0
    key, wants_value, _ = GLOBALS[flag]
    if not wants_value:
        settings[key] = value.lower() not in ("false", "0", "no") if equals else True
        return 1
    if equals:
        settings[key] = value
        return 1
    if index + 1 >= len(argv):
        raise usage(f"{flag} needs a value", "Put it after the flag.")
    settings[key] = argv[index + 1]
    return 2


def unknown_flag(word: str, known: list[str], help_command: str) -> Exception:
    """The failure for a flag that does not exist, with the nearest that does."""
    close = surfaces.nearest(word.partition("=")[0], known)
    hint = f"Did you mean {close}? " if close else ""
    return usage(f"unknown option {word.partition('=')[0]!r}", f"{hint}See: {help_command}")


def with_own(operation: dict[str, Any], *fields: dict[str, Any]) -> dict[str, Any]:
    """An operation with more fields, for a command that does more than call it."""
    return operation | {"fields": [*operation["fields"], *fields]}


class Reading:
    """The words after a command, being read into the fields of its operation."""

    def __init__(self, word: str, operation: dict[str, Any], settings: dict[str, Any]) -> None:
        self.word = word
        self.operation = operation
        self.settings = settings
        self.values: dict[str, Any] = {}
        self.by_flag: dict[str, dict[str, Any]] = {}
        for field in operation["fields"]:
            self.by_flag[surfaces.flag_of(field)] = field
            if field.get("short"):
                self.by_flag["-" + field["short"]] = field
        self.bare: list[str] = []
        """Words without a flag. Flags decide first which fields are left for them."""

    def read(self, argv: list[str]) -> dict[str, Any]:
        """Field values by name. Raises CallFailure (INVALID_ARGUMENT) for what cannot be read."""
        index = 0
        only_positional = False
        while index < len(argv):
            word = argv[index]
            if only_positional or is_text(word):
                self.bare.append(word)
                index += 1
            elif word == "--":
                only_positional = True
                index += 1
            else:
                index += self._option(argv, index)
        self._positionals()
        self._from_pipe()
        self._check_required()
        return self.values

    def _option(self, argv: list[str], index: int) -> int:
        word = argv[index]
        flag, equals, value = word.partition("=")
        field = self.by_flag.get(flag)
        if field is None and flag.startswith("--no-"):
            field = self.by_flag.get("--" + flag[5:])
            if field is not None and field["kind"] == "bool":
                self.values[field["name"]] = False
                return 1
            field = None
        if field is None and len(word) > 2 and word[1] != "-" and word[:2] in self.by_flag:
            field, equals, value = self.by_flag[word[:2]], "=", word[2:]
        if field is None:
            taken = take_global(self.settings, argv, index)
            if taken:
                return taken
            known = [*self.by_flag, *GLOBALS]
            raise unknown_flag(word, known, f"aimem help {self.word}")
        if field["kind"] == "bool" and not field.get("repeated"):
            self._keep(field, value if equals else "true")
            return 1
        if equals:
            self._keep(field, value)
            return 1
        if index + 1 >= len(argv) or argv[index + 1].partition("=")[0] in self.by_flag:
            raise usage(f"{flag} needs a value", f"See: aimem help {self.word}")
        self._keep(field, argv[index + 1])
        return 2

    def _positionals(self) -> None:
        waiting = [
            field for field in self.operation["fields"]
            if field.get("positional") and field["name"] not in self.values
        ]  # fmt: skip
        for word in self.bare:
            if not waiting:
                raise usage(
                    f"unexpected argument {word!r}",
                    f"Put quotes around text with spaces. See: aimem help {self.word}",
                )
            field = waiting[0]
            if not field.get("repeated"):
                waiting.pop(0)
            self._keep(field, word, split_commas=False)

    def _from_pipe(self) -> None:
        """Take the text that only a pipe can hold from it, when that is all that is missing."""
        missing = self._missing()
        if len(missing) != 1 or not missing[0].get("stdin") or not _is_piped():
            return
        text = piped()
        if text.strip():
            self.values[missing[0]["name"]] = text

    def _keep(self, field: dict[str, Any], text: str, split_commas: bool = True) -> None:
        name = field["name"]
        if text == "-" and (field.get("stdin") or field["kind"] == "message"):
            text = piped()
        value = typed(field, text)
        if not field.get("repeated"):
            self.values[name] = value
            return
        kept = self.values.setdefault(name, [])
        if isinstance(value, list):
            kept.extend(value)
        elif split_commas and isinstance(value, str):
            kept.extend(part for part in (piece.strip() for piece in value.split(",")) if part)
        else:
            kept.append(value)

    def _missing(self) -> list[dict[str, Any]]:
        return [
            field for field in self.operation["fields"]
            if field.get("required") and field["name"] not in self.values
        ]  # fmt: skip

    def _check_required(self) -> None:
        missing = self._missing()
        if not missing:
            return
        named = [
            field["name"].upper() if field.get("positional") else surfaces.flag_of(field)
            for field in missing
        ]
        from aimem_node.gateways.cli import helping

        example = helping.examples(self.word, self.operation)[0].strip()
        raise usage(
            f"aimem {self.word} needs {' and '.join(named)}",
            f"Such as: {example}   (more: aimem help {self.word})",
            path=f"$.{missing[0]['name']}",
        )


def wants_help(argv: list[str]) -> bool:
    """Whether help is asked for among the words after a command, whatever else is wrong there."""
    for word in argv:
        if word == "--":
            return False
        if word in ("--help", "-h"):
            return True
    return False


def is_text(word: str) -> bool:
    """Whether a word is no option. "- milk" begins a list, and no option has spaces."""
    return word[:1] != "-" or word == "-" or any(c.isspace() for c in word.partition("=")[0])


def _is_piped() -> bool:
    return sys.stdin is not None and not sys.stdin.isatty()


def piped() -> str:
    """All of standard input. As in $(command), the last line end is the shell's own."""
    try:
        return sys.stdin.read().removesuffix("\n")
    except UnicodeDecodeError:
        raise usage(
            "standard input is not UTF-8 text", "Convert it first: iconv -t UTF-8", "$.content"
        ) from None
    except OSError as error:
        raise usage(f"cannot read standard input: {error.strerror or error}") from None


def typed(field: dict[str, Any], text: str) -> Any:
    """A typed word as the JSON value its field wants; left as text when it is not one."""
    kind = field["kind"]
    if kind == "bool":
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
            text.lower(), text
        )
    if kind in ("int", "float"):
        try:
            return int(text) if kind == "int" else float(text)
        except ValueError:
            return text
    if kind in ("json", "message"):
        return _json(field, text)
    if kind == "timestamp" and len(text) == len("2026-01-31"):
        from aimem_node.gateways.cli import dates

        return dates.moment(field, text)
    return text


def _json(field: dict[str, Any], text: str) -> Any:
    """JSON given on the command line: one value, or for repeated fields one value a line."""
    try:
        return json.loads(text)
    except ValueError as error:
        if field.get("repeated"):
            try:
                return [json.loads(line) for line in text.splitlines() if line.strip()]
            except ValueError:
                pass
        from aimem_node.gateways.cli import helping

        sample = helping.SAMPLES.get(field["name"], '\'{"key": "value"}\'')
        raise usage(
            f"{surfaces.flag_of(field)} is not JSON: {error}",
            f"Give it in single quotes, such as {sample}.",
            path=f"$.{field['name']}",
        ) from None
