"""AI clients that speak MCP: where each keeps its configuration, and in what form.

The places are those the clients document for the user's own configuration (as of 2026). An
environment variable by which a client moves its directory is honoured.
"""

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

ENTRY = "aimem"
"""The name under which clients list us."""
HOOK_EVENT = "SessionStart"
HOOK_MATCHER = "startup|resume|clear|compact"
HOOK_TIMEOUT_S = 5
"""Above session-start's own limit of 2 s, so the client never has to cut it off."""


class Form(Enum):
    """How a configuration file lists MCP servers."""

    JSON = "json"
    "An object under `mcpServers`."
    TOML = "toml"
    "A table `mcp_servers.<name>`."


@dataclass(frozen=True, slots=True)
class Client:
    """One AI client."""

    name: str
    title: str
    form: Form = Form.JSON
    own_file: bool = False
    """The file holds nothing but our entry, so it goes when the entry goes."""
    typed: bool = False
    """Entries name their transport: `"type": "stdio"`."""
    then: str = "Restart it."

    def config_path(self, env: Mapping[str, str], system: str = sys.platform) -> str:
        """The user's configuration file on this operating system."""
        return os.path.join(*_PLACES[self.name](env, system))

    def hook_path(self, env: Mapping[str, str]) -> str:
        """The file of its session hooks, or "" if it has none that we know."""
        if self.name != "claude-code":
            return ""
        return os.path.join(
            _claude_dir(env) or os.path.join(_home(env), ".claude"), "settings.json"
        )


def _home(env: Mapping[str, str]) -> str:
    return env.get("HOME") or env.get("USERPROFILE") or os.path.expanduser("~")


def _claude_dir(env: Mapping[str, str]) -> str:
    return env.get("CLAUDE_CONFIG_DIR", "")


def _claude_code(env: Mapping[str, str], _system: str) -> tuple[str, ...]:
    return (_claude_dir(env) or _home(env), ".claude.json")


def _claude_desktop(env: Mapping[str, str], system: str) -> tuple[str, ...]:
    name = "claude_desktop_config.json"
    if system == "darwin":
        return (_home(env), "Library", "Application Support", "Claude", name)
    if system == "win32":
        base = env.get("APPDATA") or os.path.join(_home(env), "AppData", "Roaming")
        return (base, "Claude", name)
    return (env.get("XDG_CONFIG_HOME") or os.path.join(_home(env), ".config"), "Claude", name)


def _codex(env: Mapping[str, str], _system: str) -> tuple[str, ...]:
    return (env.get("CODEX_HOME") or os.path.join(_home(env), ".codex"), "config.toml")


_PLACES: Mapping[str, Callable[[Mapping[str, str], str], tuple[str, ...]]] = {
    "claude-code": _claude_code,
    "claude-desktop": _claude_desktop,
    "cursor": lambda env, _: (_home(env), ".cursor", "mcp.json"),
    "windsurf": lambda env, _: (_home(env), ".codeium", "windsurf", "mcp_config.json"),
    "codex": _codex,
    "gemini": lambda env, _: (_home(env), ".gemini", "settings.json"),
    # Continue reads every file in this folder, also in the form that the others use.
    "continue": lambda env, _: (_home(env), ".continue", "mcpServers", "aimem.json"),
}

CLIENTS: Mapping[str, Client] = {
    client.name: client
    for client in (
        Client("claude-code", "Claude Code", typed=True, then="Start a new session."),
        Client("claude-desktop", "Claude Desktop", then="Quit and start Claude Desktop."),
        Client("cursor", "Cursor", then="Reload Cursor's window."),
        Client("windsurf", "Windsurf", then="Refresh the MCP servers in Windsurf's settings."),
        Client("codex", "Codex", form=Form.TOML, then="Start a new session."),
        Client("gemini", "Gemini CLI", then="Start a new session."),
        Client("continue", "Continue", own_file=True, then="Reload the editor's window."),
    )
}


def aimem_command() -> list[str]:
    """How a client starts us. Absolute: a client on the desktop has another PATH than a shell."""
    beside = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), "aimem")
    found = beside if os.access(beside, os.X_OK) else shutil.which("aimem")
    if found:
        return [os.path.abspath(found)]
    return [os.path.abspath(sys.executable), "-m", "aimem_node.gateways.cli.fast"]


def entry_of(client: Client, before: list[str], after: list[str]) -> dict[str, Any]:
    """The client's entry for us; `before` and `after` stand before and after the word mcp."""
    command, *args = aimem_command()
    entry: dict[str, Any] = {"command": command, "args": [*args, *before, "mcp", *after]}
    return {"type": "stdio"} | entry if client.typed else entry


def hook_of(before: list[str]) -> dict[str, Any]:
    """The session hook that prints what is remembered."""
    command = shlex.join([*aimem_command(), *before, "session-start"])
    hook = {"type": "command", "command": command, "timeout": HOOK_TIMEOUT_S}
    return {"matcher": HOOK_MATCHER, "hooks": [hook]}


def is_our_hook(hook: Any) -> bool:
    """Whether a hook command is one of ours, from whatever installation."""
    command = hook.get("command", "") if isinstance(hook, dict) else ""
    return "aimem" in str(command) and "session-start" in str(command).split()
