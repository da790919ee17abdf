"""The command `aimem`. What a session hook feels is this module's import list.

Only sockets and JSON are imported on the way to an answer; everything else (help, tables,
gRPC, installing into clients) waits inside the function that needs it. A test holds it to that.
"""

from __future__ import annotations

import errno
import os
import sys

from aimem_node.gateways.cli import arguments, failures
from aimem_node.gateways.cli import surface as surfaces

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

COMMANDS = {
    "help": "Explain a command.",
    "mcp": "Speak MCP on stdin and stdout: put this into an AI client's configuration.",
    "session-start": "Print what a session hook needs. Never fails a session.",
    "install": "Connect an AI client on this machine: shows the change, backs up, writes.",
    "export": "Write out every memory and link to a file, and prove that nothing is missing.",
    "import": "Take in an export of aimem or of ai-memory, and prove that nothing is missing.",
    "mine": "Make memories of chats, notes and other programs' memories.",
    "completion": "Print completion for bash, zsh or fish.",
}
"""Commands that do something on this machine besides one call."""
OPERATORS_WORDS = (
    "run", "start", "stop", "status", "doctor", "restore", "identity", "pin", "token", "settings",
    "bench",
)  # fmt: skip
"""Commands of aimem-node that people look for here."""
OPEN = (b'"outcome":"pending"', b'"outcome":"awaiting_approval"')
"""In the text of every answer to a write that is not done yet: it is canonical JSON."""
INTERRUPTED = 130
"""What shells expect of a command ended by Ctrl-C."""


def main(argv: list[str] | None = None) -> int:
    """Run one command; the exit code. Failures go to stderr, answers to stdout."""
    given = sys.argv[1:] if argv is None else argv
    settings: dict[str, Any] = {}
    if sys.stdout is None:
        # Started with its output closed, as by `>&-`: it is to be done, and nobody wants to hear.
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    try:
        settings, word, rest = arguments.split(given, os.environ)
        code = run(word, rest, settings, os.environ)
        sys.stdout.flush()
    except failures.CallFailure as failure:
        failure.show(sys.stderr, bool(settings.get("json")))
        return failure.exit_code
    except BrokenPipeError:
        # The reader of our output has left; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EIO) or error.filename:
            raise
        lost = failures.CallFailure(
            "STORAGE", f"cannot write the answer: {error.strerror}",
            next_step="Make room, or send the output elsewhere.",
        )  # fmt: skip
        lost.show(sys.stderr, bool(settings.get("json")))
        # What is still in the buffer cannot be written either; Python would try again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return lost.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    return code


def run(word: str, rest: list[str], settings: dict[str, Any], env: Mapping[str, str]) -> int:
    """Run the command `word` with the words after it."""
    if settings.get("version"):
        return _version()
    if not word or word == "help" or settings.get("help") or arguments.wants_help(rest):
        from aimem_node.gateways.cli import helping

        words = rest if word == "help" else [word, *rest]
        plain = [one for one in words if one and not one.startswith("-")]
        if len(plain) > 1 and plain[0] not in COMMANDS:
            plain = surfaces.in_words(surfaces.load(), plain)
        return helping.show(plain[:1])
    if word in COMMANDS:
        return _own(word, rest, settings, env)
    return operate(word, rest, settings, env)


def operate(word: str, rest: list[str], settings: dict[str, Any], env: Mapping[str, str]) -> int:
    """Call the operation behind a command and print its answer."""
    surface = surfaces.load()
    word, *rest = surfaces.in_words(surface, [word, *rest])
    operation = surfaces.find(surface, word)
    if operation is None:
        raise unknown_command(surface, word, "aimem", rest)
    try:
        return _operate(word, operation, rest, settings, env)
    except failures.CallFailure as failure:
        failure.in_words_of(word, operation)
        raise


def _operate(
    word: str, operation: dict[str, Any], rest: list[str], settings: dict[str, Any],
    env: Mapping[str, str],
) -> int:  # fmt: skip
    values = arguments.Reading(word, operation, settings).read(rest)
    asked = dict(values)
    fill_in(operation, values, settings)
    from aimem_node.gateways.cli.call import Caller

    caller = Caller(settings, env)
    if operation.get("streaming"):
        return _print_stream(operation, caller.lines(operation, values), settings)
    return print_answer(operation, caller.call(operation, values), settings, asked)


def unknown_command(
    surface: dict[str, Any], word: str, before: str, rest: list[str] | None = None
) -> Exception:
    """The failure for a command that does not exist; `before` goes before the right one."""
    seconds = surfaces.family(surface, word)
    if seconds:
        second = next((one for one in rest or () if one[:1] != "-"), "")
        said = f"there is no {word} {second}" if second else f"{word} needs a second word"
        return failures.usage(said, f"One of: {', '.join(seconds)}. See: aimem help {word}")
    if word in OPERATORS_WORDS:
        return failures.usage(
            f"unknown command {word!r}", f"That is the operator's: aimem-node {word}"
        )
    known = [*surface["operations"], *surface.get("aliases", {}), *COMMANDS]
    close = surfaces.nearest(word, known)
    hint = f"Did you mean: {before} {close}" if close else "All commands: aimem help"
    return failures.usage(f"unknown command {word!r}", hint)


def fill_in(operation: dict[str, Any], values: dict[str, Any], settings: dict[str, Any]) -> None:
    """What a caller at a terminal means without typing it: the project, the source, the speaker."""
    if operation.get("effect") != "write":
        return
    for field in operation["fields"]:
        name = field["name"]
        if name in values:
            continue
        default = field.get("default")
        if name == "namespace" and default == "global":
            from aimem_node.gateways.cli import project

            values[name] = project.namespace(os.getcwd())
        elif name == "source" and default is not None:
            values[name] = "cli"
        elif name == "agent_id" and settings.get("agent_id"):
            values[name] = settings["agent_id"]


def _own(word: str, rest: list[str], settings: dict[str, Any], env: Mapping[str, str]) -> int:
    if word == "session-start":
        from aimem_node.gateways.cli import session

        return session.start(rest, settings, env)
    if word == "mcp":
        from aimem_node.gateways.cli import bridge

        return bridge.run(rest, settings, env)
    if word == "export":
        from aimem_node.gateways.cli import exporting

        return exporting.run(rest, settings, env)
    if word == "import":
        from aimem_node.gateways.cli import importing

        return importing.run(rest, settings, env)
    if word == "mine":
        from aimem_node.gateways.cli.mining import command

        return command.run(rest, settings, env)
    if word == "install":
        from aimem_node.gateways.cli import installing

        return installing.run(rest, settings, env)
    from aimem_node.gateways.cli import completing

    return completing.run(rest)


def print_answer(
    operation: dict[str, Any],
    answer: bytes,
    settings: dict[str, Any],
    asked: dict[str, Any] | None = None,
) -> int:
    """Print an answer as was asked for. `asked` is what was typed."""
    waits = _open_write(answer)
    if waits and waits["outcome"] != "pending" and not settings.get("json"):
        return exit_code(answer)  # nothing was done, so there is nothing to show
    if settings.get("json") and not sys.stdout.isatty():
        sys.stdout.write(answer.decode("utf-8").rstrip("\n") + "\n")
        return exit_code(answer)
    import json

    from aimem_node.gateways.cli import showing
    from aimem_node.gateways.cli.look import Look

    _encodable()
    value = json.loads(answer)
    if settings.get("json"):
        sys.stdout.write(json.dumps(value, indent=2, ensure_ascii=False) + "\n")
    else:
        sys.stdout.write(showing.answer(operation, value, Look.of(sys.stdout), asked))
    return exit_code(answer)


def exit_code(answer: bytes) -> int:
    """0, or that of a write that is pending, after saying on stderr what it waits for."""
    write = _open_write(answer)
    if write is None:
        return 0
    failures.note(failures.pending(write))
    return failures.PENDING_EXIT


def _open_write(answer: bytes) -> dict[str, Any] | None:
    """How a write stands that is pending or waits for approval; None for every other answer."""
    if not any(mark in answer for mark in OPEN):
        return None
    import json

    value = json.loads(answer)
    write = value.get("write") if isinstance(value, dict) else None
    if not isinstance(write, dict) or write.get("outcome") not in ("pending", "awaiting_approval"):
        return None  # some memory's metadata has such a field
    return write


def _print_stream(operation: dict[str, Any], lines: Any, settings: dict[str, Any]) -> int:
    from aimem_node.gateways.cli import showing
    from aimem_node.gateways.cli.look import Look

    look = Look.of(sys.stdout)
    _encodable()
    for line in lines:
        if settings.get("json"):
            sys.stdout.write(line.decode("utf-8") + "\n")
        else:
            sys.stdout.write(showing.item(operation, line, look))
        # Someone may be following along.
        sys.stdout.flush()
    return 0


def _encodable() -> None:
    """Let a terminal that knows only some characters show a question mark for the others."""
    change = getattr(sys.stdout, "reconfigure", None)
    if change is not None:
        change(errors="replace")


def _version() -> int:
    from aimem_node.version import VERSION

    sys.stdout.write(f"aimem {VERSION}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
