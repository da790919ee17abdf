"""Help, written from the contract's own comments."""

from __future__ import annotations

import sys
import textwrap

from aimem_node.gateways.cli import arguments, dates
from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.cli.fast import COMMANDS, unknown_command
from aimem_node.gateways.cli.look import Look

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

EVERY_DAY = ("store", "recall", "search", "get", "list", "update", "delete", "link", "history")
"""What most people need, in the order in which they need it."""
GROUPS = (("read", "Ask"), ("write", "Change"), ("admin", "Look after the node"))

SAMPLES = {
    "id": "4f2a", "title": '"Deploys happen on Tuesdays"', "content": '"Never on a Friday."',
    "context": '"when do we deploy?"', "query": "deploy", "namespace": "team/project",
    "path": "export.zip", "source_id": "4f2a", "target_id": "91c0", "ids": "4f2a 91c0",
    "winner_id": "4f2a", "loser_id": "91c0", "id_a": "4f2a", "id_b": "91c0",
    "primary_id": "4f2a", "duplicate_id": "91c0", "action": "delete",
    "canonical_name": '"Deploy Bot"', "alias": "bot", "name": "alerts",
    "agent_id": "ai:reviewer", "agent_type": "ai:claude", "target_agent_id": "ai:reviewer",
    "payload": '"Please look at the deploy plan."', "summary": '"All that holds of deploys."',
    "url": "https://hooks.example.com/aimem",
    "rules": """'{"action": "delete", "level": "approve", "approver": "admin"}'""",
    "quota": """'{"memories": 1000}'""",
}  # fmt: skip
"""What a field of that name looks like in an example."""

MEANT: dict[Any, str] = {
    ("namespace", "global"): "this project's name",
    ("source", "api"): "cli",
}
"""What a caller at a terminal means by leaving a field out (see fast.fill_in)."""

EXIT_CODES = (
    "Exit codes: 0 done; 9 written, but not yet on as many nodes as it should be, "
    "or waiting for approval; 2 wrong command; "
    "3 not found; 4 conflict; 5 not done, try again; 6 not allowed; 7 damaged or lost; "
    "8 not known to this node; 1 a mistake of the node."
)

OWN_HELP = {
    "help": "aimem help [COMMAND]",
    "mcp": """aimem mcp [--profile core|standard|full] [--agent-id ID]

  --profile   How many tools the client sees: core (8 at most), standard or full.

Examples
  aimem install claude-code        # puts it into the client's configuration
  aimem mcp --profile full""",
    "session-start": """aimem session-start [options of the operation] [--timeout SECS] [--json]

Prints the most important memories as text for a model. Whatever goes wrong, it
exits 0 within its time limit (2 s) and says why on stderr.""",
    "install": """aimem install CLIENT [--dry-run] [--uninstall] [--yes] [--config PATH]

  CLIENT       claude-code, claude-desktop, cursor, windsurf, codex, gemini or
               continue.
  --dry-run    Show the change and make none.
  --uninstall  Take aimem out again.
  --yes        Do not ask.
  --profile    Tools the client sees: core, standard or full.
  --config     Another configuration file than the client's usual one.
  --no-hook    claude-code: leave the SessionStart hook alone.

Examples
  aimem install claude-code --dry-run
  aimem install codex --yes
  aimem install cursor --uninstall""",
    "export": """aimem export [FILE] [-n NAMESPACE] [--no-include-archived]

Writes JSON lines to FILE, or to stdout. FILE is written whole or not at all,
after the counts and the hash in the last line have been checked.

Examples
  aimem export memories.jsonl
  aimem export -n team/project | gzip > project.jsonl.gz""",
    "import": """aimem import FILE|- [--trust-source] [--partial] [--request-key KEY]

Takes in JSON lines from `aimem export`, or the JSON of an ai-memory export.

  --trust-source  Keep the agent ids of the records, as far as you may speak for
                  them.
  --partial       Take in what is there of a damaged or cut export. Exits 7 all
                  the same.

Examples
  aimem import memories.jsonl
  ai-memory export | aimem import -""",
    "mine": """aimem mine FORMAT PATH [-n NAMESPACE] [-t TIER] [--min-messages N]
           [--dry-run] [--strict] [--json]

  FORMAT   claude              Claude's data export, or Claude Code's sessions
           chatgpt             ChatGPT's data export
           slack               a workspace export
           markdown            a directory of notes, a memory for each section
           jsonl               one memory a line, with any of its fields
           mempalace           an export of MemPalace
           mcp-memory-service  its JSON export or its database
           claude-memory       CLAUDE.md and Claude's memory directories
  PATH     A file, a directory, or the zip archive as it was downloaded.

  -n       Where to put them; FORMAT-export if absent.
  -t       How long to keep them: short, mid (if absent) or long.
  --min-messages  Leave shorter conversations out (3).
  --dry-run       Say what would be stored, and store nothing.
  --strict        Stop at the first conversation that cannot be read.

Run it again whenever you like: nothing is stored twice, and conversations that
have grown are brought up to date. Exits 0 only if all of it is there.

Examples
  aimem mine claude ~/Downloads/data-export.zip --dry-run
  aimem mine claude ~/.claude/projects -n sessions -t long
  aimem mine markdown ~/notes -n team/notes""",
    "completion": """aimem completion bash|zsh|fish

Examples
  aimem completion bash > ~/.local/share/bash-completion/completions/aimem
  aimem completion zsh > "${fpath[1]}/_aimem"
  aimem completion fish > ~/.config/fish/completions/aimem.fish""",
}


def show(words: list[str]) -> int:
    """Print the help of a command, or of all of them."""
    look = Look.of(sys.stdout)
    word = next((word for word in words if word and not word.startswith("-")), "")
    sys.stdout.write(of_command(word, look) if word else overview(look))
    return 0


def overview(look: Look) -> str:
    """Every command on one page."""
    lines = [
        "aimem: memory for AI agents.",
        "",
        "Usage: aimem COMMAND [arguments] [options]     aimem help COMMAND",
    ]
    try:
        operations = surfaces.load()["operations"]
    except OSError:
        operations = {}
    width = max(len(word) for word in [*operations, *COMMANDS]) + 2
    groups = [("Every day", {w: operations[w]["help"] for w in EVERY_DAY if w in operations})]
    groups.append(("On this machine", COMMANDS))
    for effect, title in GROUPS:
        chosen = {w: op["help"] for w, op in operations.items() if op.get("effect") == effect}
        left = {w: said for w, said in chosen.items() if w not in COMMANDS and w not in EVERY_DAY}
        groups.append((title, left))
    for title, commands in groups:
        if commands:
            lines += ["", look.paint("bold", title)]
        for word, said in commands.items():
            lines += _entry(word, _first_sentence(said), look.width, width + 2)
    lines += ["", look.paint("bold", "Options of every command"), *_global_lines(look.width), ""]
    lines += textwrap.wrap(EXIT_CODES, look.width)
    lines += ["", "Run and look after a node: aimem-node --help", ""]
    return "\n".join(lines)


def of_command(word: str, look: Look) -> str:
    """One command: what it does, its arguments and options, examples."""
    surface = surfaces.load()
    operation = surfaces.find(surface, word)
    lines: list[str] = []
    if word in COMMANDS:
        lines += textwrap.wrap(f"aimem {word}: {COMMANDS[word]}", look.width)
        lines += ["", OWN_HELP[word], ""]
        if operation is None or word != "session-start":
            return "\n".join(lines)
    if operation is None and surfaces.family(surface, word):
        return _of_family(surface, word, look)
    if operation is None:
        raise unknown_command(surface, word, "aimem help")
    fields = operation["fields"]
    positional = [field for field in fields if field.get("positional")]
    flags = [field for field in fields if not field.get("positional")]
    if not lines:
        lines = textwrap.wrap(f"aimem {word}: {operation['help']}", look.width)
        lines += ["", "Usage: " + _usage(word, fields), ""]
    if positional:
        lines += [look.paint("bold", "Arguments"), *_field_lines(positional, look), ""]
    for title, advanced in (("Options", False), ("More options", True)):
        chosen = [field for field in flags if bool(field.get("advanced")) is advanced]
        if chosen:
            lines += [look.paint("bold", title), *_field_lines(chosen, look), ""]
    if word not in COMMANDS:
        lines += [look.paint("bold", "Examples"), *examples(word, operation), ""]
    lines += ["Options of every command (--json, --node, ...): aimem help", ""]
    return "\n".join(lines)


def _of_family(surface: dict[str, Any], word: str, look: Look) -> str:
    """Commands that begin with one word."""
    lines = [f"Usage: aimem {word} COMMAND     aimem help {word} COMMAND", ""]
    for second in surfaces.family(surface, word):
        said = _first_sentence(surface["operations"][f"{word}-{second}"]["help"])
        lines += _entry(second, said, look.width)
    return "\n".join([*lines, ""])


def examples(word: str, operation: dict[str, Any]) -> list[str]:
    """Commands that work, made from the required fields."""
    required = [field for field in operation["fields"] if field.get("required")]
    base = f"aimem {word}" + "".join(" " + _sample(field) for field in required)
    lines = [f"  {base}"]
    structured = [field for field in operation["fields"]
                  if field["kind"] == "message" and not field.get("required")]  # fmt: skip
    lines += [f"  {base} {_sample(field)}" for field in structured if field["name"] in SAMPLES]
    stdin = next((field for field in required if field.get("stdin")), None)
    if stdin is not None:
        others = "".join(" " + _sample(field) for field in required if field is not stdin)
        lines.append(f"  echo text | aimem {word}{others}")
    namespace = surfaces.field_named(operation, "namespace")
    if namespace is not None and not namespace.get("required"):
        lines.append(f"  {base} -n team/project")
    return [*lines, f"  {base} --json"]


def _sample(field: dict[str, Any]) -> str:
    if field["kind"] == "message":
        value = SAMPLES.get(field["name"], "-")
    else:
        value = SAMPLES.get(field["name"], (field.get("words") or ["VALUE"])[0])
    return value if field.get("positional") else f"{surfaces.flag_of(field)} {value}"


def _usage(word: str, fields: list[dict[str, Any]]) -> str:
    parts = [f"aimem {word}"]
    for field in fields:
        name = field["name"].upper() + ("..." if field.get("repeated") else "")
        if field.get("positional"):
            parts.append(name if field.get("required") else f"[{name}]")
        elif field.get("required"):
            parts.append(f"{surfaces.flag_of(field)} VALUE")
    return " ".join([*parts, "[options]"])


def _field_lines(fields: list[dict[str, Any]], look: Look) -> list[str]:
    lines: list[str] = []
    for field in fields:
        head = field["name"].upper() if field.get("positional") else surfaces.flag_of(field)
        said = [str(field.get("help") or "").strip()]
        if field.get("short") and field.get("positional"):
            said.append(f"Also: -{field['short']}, {surfaces.flag_of(field)}.")
        elif field.get("short"):
            head = f"-{field['short']}, {head}"
        if field["kind"] == "timestamp":
            said.append(dates.meaning(field))
        if field.get("words"):
            said.append("One of: " + ", ".join(field["words"]) + ".")
        default = MEANT.get((field["name"], field.get("default")), field.get("default"))
        if default not in (None, "", False):
            said.append(f"Default: {default}.")
        if field.get("stdin"):
            said.append("- reads standard input.")
        if field.get("repeated") and not field.get("positional"):
            said.append("May be repeated; commas separate.")
        if field.get("required"):
            said.append("Required.")
        lines += _entry(head, " ".join(part for part in said if part), look.width)
    return lines


def _global_lines(width: int) -> list[str]:
    lines: list[str] = []
    for flag, (_, takes, said) in arguments.GLOBALS.items():
        if said:
            lines += _entry(flag + (" VALUE" if takes else ""), said, width)
    return lines


def _entry(head: str, said: str, width: int, column: int = 26) -> list[str]:
    indent = " " * column
    wrapped = textwrap.wrap(said, max(30, width - column)) or [""]
    first = f"  {head}".ljust(column) if len(head) < column - 2 else f"  {head}\n{indent}"
    return [(first + wrapped[0]).rstrip(), *(indent + line for line in wrapped[1:])]


def _first_sentence(text: str) -> str:
    return text.replace("\n", " ").split(". ")[0].rstrip(".") + "."
