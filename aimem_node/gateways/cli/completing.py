"""Shell completion, made from the contract when it is asked for."""

from __future__ import annotations

import sys

from aimem_node.gateways.cli import arguments
from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.cli.failures import usage
from aimem_node.gateways.cli.fast import COMMANDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SHELLS = ("bash", "zsh", "fish")
CLIENTS = ("claude-code", "claude-desktop", "cursor", "windsurf", "codex", "gemini", "continue")
OWN_WORDS: dict[str, tuple[str, ...]] = {
    "install": (
        *CLIENTS,
        "--dry-run",
        "--uninstall",
        "--yes",
        "--config",
        "--profile",
        "--no-hook",
    ),
    "mcp": ("--profile", "--agent-id", "--data-dir", "--no-start"),
    "completion": SHELLS,
    "import": ("--trust-source", "--partial", "--request-key"),
    "mine": (
        "claude",
        "chatgpt",
        "slack",
        "markdown",
        "jsonl",
        "mempalace",
        "mcp-memory-service",
        "claude-memory",
        "--namespace",
        "--tier",
        "--min-messages",
        "--dry-run",
        "--strict",
    ),
}


def run(rest: list[str]) -> int:
    """Print the script for one shell."""
    if len(rest) != 1 or rest[0] not in SHELLS:
        raise usage(f"which shell? One of: {', '.join(SHELLS)}", "See: aimem help completion")
    made = {"bash": bash, "zsh": zsh, "fish": fish}[rest[0]](surfaces.load())
    sys.stdout.write(made)
    return 0


def words_of(operation: dict[str, Any]) -> list[str]:
    """The flags of an operation and of every command."""
    flags = [
        surfaces.flag_of(field) for field in operation["fields"] if not field.get("positional")
    ]
    return sorted({*flags, *(flag for flag in arguments.GLOBALS if flag.startswith("--"))})


def commands_of(surface: dict[str, Any]) -> dict[str, str]:
    """Every command with one line of help."""
    operations = surface["operations"]
    said = {word: str(op["help"]).split("\n", maxsplit=1)[0] for word, op in operations.items()}
    said |= {alias: said.get(word, "") for alias, word in surface.get("aliases", {}).items()}
    return dict(sorted((said | COMMANDS).items()))


def choices_of(surface: dict[str, Any]) -> dict[str, list[str]]:
    """Flags with a closed set of values, over all operations."""
    found: dict[str, list[str]] = {"--profile": ["core", "standard", "full"]}
    for operation in surface["operations"].values():
        for field in operation["fields"]:
            if field.get("words"):
                known = found.setdefault(surfaces.flag_of(field), [])
                known += [word for word in field["words"] if word not in known]
    return found


def _flag_table(surface: dict[str, Any]) -> dict[str, list[str]]:
    table = {word: words_of(op) for word, op in surface["operations"].items()}
    for alias, word in surface.get("aliases", {}).items():
        table[alias] = table[word]
    for word, own in OWN_WORDS.items():
        table[word] = [*own, *table.get(word, [])]
    return table


def bash(surface: dict[str, Any]) -> str:
    """For bash, with its own builtins only."""
    lines = ["# bash completion for aimem; made by `aimem completion bash`", "_aimem() {"]
    lines += [
        '  local word="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"',
        '  local command="" i',
        "  for ((i = 1; i < COMP_CWORD; i++)); do",
        '    case "${COMP_WORDS[i]}" in -*) ;; *) command="${COMP_WORDS[i]}"; break ;; esac',
        "  done",
        '  case "$before" in',
    ]
    for flag, words in choices_of(surface).items():
        lines.append(
            f'    {flag}) COMPREPLY=($(compgen -W "{" ".join(words)}" -- "$word")); return ;;'
        )
    lines += ["  esac", '  case "$command" in']
    for word, flags in _flag_table(surface).items():
        lines.append(f'    {word}) COMPREPLY=($(compgen -W "{" ".join(flags)}" -- "$word")) ;;')
    commands = " ".join(commands_of(surface))
    lines += [
        f'    ""|help) COMPREPLY=($(compgen -W "{commands}" -- "$word")) ;;',
        "  esac",
        "}",
        "complete -o default -F _aimem aimem",
    ]
    return "\n".join(lines) + "\n"


def zsh(surface: dict[str, Any]) -> str:
    """For zsh's completion system."""
    lines = [
        "#compdef aimem",
        "# made by `aimem completion zsh`",
        "_aimem() {",
        "  local -a commands",
    ]
    lines.append("  commands=(")
    lines += [f"    '{_quoted(w)}:{_quoted(said)}'" for w, said in commands_of(surface).items()]
    lines += [
        "  )",
        "  if (( CURRENT == 2 )) || [[ ${words[2]} == help ]]; then",
        "    _describe command commands; return",
        "  fi",
        "  case ${words[CURRENT-1]} in",
    ]
    for flag, words in choices_of(surface).items():
        lines.append(f"    {flag}) compadd -- {' '.join(words)}; return ;;")
    lines += ["  esac", "  case ${words[2]} in"]
    for word, flags in _flag_table(surface).items():
        lines.append(f"    {word}) compadd -- {' '.join(flags)} ;;")
    lines += ["  esac", "  _files", "}", "compdef _aimem aimem"]
    return "\n".join(lines) + "\n"


def fish(surface: dict[str, Any]) -> str:
    """For fish."""
    lines = ["# made by `aimem completion fish`"]
    for word, said in commands_of(surface).items():
        lines.append(
            f"complete -c aimem -n __fish_use_subcommand -f -a {word} -d '{_quoted(said)}'"
        )
    seen = "__fish_seen_subcommand_from"
    for word, operation in surface["operations"].items():
        for field in operation["fields"]:
            if field.get("positional"):
                continue
            parts = [f"complete -c aimem -n '{seen} {word}' -l {surfaces.flag_of(field)[2:]}"]
            if field.get("short"):
                parts.append(f"-s {field['short']}")
            if field.get("words"):
                parts.append(f"-x -a '{' '.join(field['words'])}'")
            elif field["kind"] != "bool":
                parts.append("-r")
            said = str(field.get("help") or "").split("\n", maxsplit=1)[0]
            lines.append(" ".join([*parts, f"-d '{_quoted(said)}'"]))
    for word, own in OWN_WORDS.items():
        lines.append(f"complete -c aimem -n '{seen} {word}' -a '{' '.join(own)}'")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return text.replace("'", "").replace(":", " -").replace("\\", "")
