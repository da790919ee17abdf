"""`aimem install`: shown first, backed up, written whole, and nothing else changed."""

import json
import os
import tomllib
from pathlib import Path

import pytest

from aimem_node.gateways.cli import fast, installing
from aimem_node.gateways.cli.clients import CLIENTS, Client
from aimem_node.gateways.cli.config_edits import CannotEdit, set_json_entry, set_toml_entry
from aimem_node.gateways.cli.failures import CallFailure

ENTRY = {"command": "/bin/aimem", "args": ["mcp"]}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("CLAUDE_CONFIG_DIR", "CODEX_HOME", "XDG_CONFIG_HOME", "AIMEM_DATA_DIR",
                 "AIMEM_AGENT_ID"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def config(client: Client) -> Path:
    return Path(client.config_path(os.environ))


@pytest.mark.parametrize("client", CLIENTS.values(), ids=lambda client: client.name)
def test_installing_twice_is_installing_once_and_uninstalling_undoes_it(
    client: Client, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = config(client)
    assert home in path.parents
    assert fast.main(["install", client.name, "--yes"]) == 0
    first = path.read_text()
    assert '"mcp"' in first
    assert path.stat().st_mode & 0o777 == 0o600
    assert f"+++ {path}" in capsys.readouterr().out
    assert fast.main(["install", client.name, "--yes"]) == 0
    assert path.read_text() == first
    assert "already" in capsys.readouterr().out
    assert fast.main(["install", client.name, "--uninstall", "--yes"]) == 0
    assert path.exists() is not client.own_file
    if path.exists():
        assert "aimem" not in path.read_text()
    assert fast.main(["install", client.name, "--uninstall", "--yes"]) == 0
    assert "is not in" in capsys.readouterr().out


def test_the_rest_of_a_json_file_keeps_its_order_and_style(home: Path) -> None:
    path = config(CLIENTS["claude-code"])
    before = json.dumps({"z": 1, "projects": {"ü": []}, "mcpServers": {"other": {"command": "x"}},
                         "a": 1.5}, indent="\t", ensure_ascii=False)  # fmt: skip
    path.write_text(before, encoding="utf-8")
    path.chmod(0o644)
    assert fast.main(["install", "claude-code", "--yes", "--no-hook", "--profile", "full"]) == 0
    after = path.read_text(encoding="utf-8")
    assert list(json.loads(after)) == ["z", "projects", "mcpServers", "a"]
    entry = json.loads(after)["mcpServers"]["aimem"]
    assert entry["type"] == "stdio"
    assert entry["args"][-3:] == ["mcp", "--profile", "full"]
    assert os.path.isabs(entry["command"])
    assert path.stat().st_mode & 0o777 == 0o644
    (backup,) = path.parent.glob(".claude.json.before-aimem-*")
    assert backup.read_text(encoding="utf-8") == before
    assert fast.main(["install", "claude-code", "--yes", "--no-hook", "--uninstall"]) == 0
    assert path.read_text(encoding="utf-8") == before


def test_claude_code_gets_a_session_hook_beside_those_it_has(home: Path) -> None:
    path = Path(CLIENTS["claude-code"].hook_path(os.environ))
    path.parent.mkdir()
    mine = {"matcher": "startup", "hooks": [{"type": "command", "command": "echo hi"}]}
    before = {"model": "x", "hooks": {"SessionStart": [mine], "Stop": []}}
    path.write_text(json.dumps(before, indent=2), encoding="utf-8")
    assert fast.main(["--data-dir", "/d x", "install", "claude-code", "--yes"]) == 0
    groups = json.loads(path.read_text())["hooks"]["SessionStart"]
    assert groups[0] == mine
    assert groups[1]["hooks"][0]["command"].endswith("--data-dir '/d x' session-start")
    assert fast.main(["install", "claude-code", "--yes"]) == 0
    assert len(json.loads(path.read_text())["hooks"]["SessionStart"]) == 2
    assert fast.main(["install", "claude-code", "--yes", "--uninstall"]) == 0
    assert json.loads(path.read_text()) == before


def test_a_dry_run_and_a_missing_yes_change_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert fast.main(["install", "cursor", "--dry-run"]) == 0
    assert '+    "aimem": {' in capsys.readouterr().out
    monkeypatch.setattr("sys.stdin", open(os.devnull, encoding="utf-8"))  # noqa: SIM115
    assert fast.main(["install", "cursor"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    ['{ // mine\n  "a": 1\n}\n', "[1]", '{"mcpServers": []}', '{"a": 1, "a": 2}', "{"],
)
def test_a_file_that_would_lose_something_is_left_as_it_is(
    text: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = home / "mcp.json"
    path.write_text(text, encoding="utf-8")
    assert fast.main(["install", "cursor", "--yes", "--config", str(path)]) == 4
    assert path.read_text(encoding="utf-8") == text
    said = capsys.readouterr().err
    assert "left as it was" in said or "was left as it is" in said
    assert "Add by hand" in said


def test_comments_and_tables_of_a_toml_file_stay(home: Path) -> None:
    before = (
        '# mine\nmodel = "o"\n\n[mcp_servers.aimem] # old\ncommand = "old"\n'
        '[mcp_servers.aimem.env]\nA = "1"\n\n# others\n[mcp_servers.other]\ncommand = "x"\n'
    )
    after = set_toml_entry(before, ENTRY)
    assert after is not None
    assert "# mine" in after
    assert "[mcp_servers.other]" in after
    servers = tomllib.loads(after)["mcp_servers"]
    assert servers == {"aimem": ENTRY, "other": {"command": "x"}}
    assert set_toml_entry(after, ENTRY) is after
    gone = set_toml_entry(after, None)
    assert gone is not None
    assert tomllib.loads(gone)["mcp_servers"] == {"other": {"command": "x"}}


@pytest.mark.parametrize(
    "text",
    ['mcp_servers = { aimem = { command = "x" } }\n', 'mcp_servers.aimem.command = "x"\n', "x = "],
)
def test_a_toml_style_that_we_do_not_know_is_refused(text: str) -> None:
    with pytest.raises(CannotEdit):
        set_toml_entry(text, ENTRY)


def test_an_empty_file_and_windows_line_ends_are_kept() -> None:
    assert json.loads(set_json_entry("", ENTRY) or "") == {"mcpServers": {"aimem": ENTRY}}
    after = set_json_entry('{\r\n    "a": 1\r\n}\r\n', ENTRY)
    assert after is not None
    assert "\n" not in after.replace("\r\n", "")
    assert '\r\n    "a": 1' in after


def test_a_link_to_a_file_stays_a_link(home: Path) -> None:
    kept = home / "dotfiles.json"
    kept.write_text("{}\n", encoding="utf-8")
    link = home / "mcp.json"
    link.symlink_to(kept)
    assert fast.main(["install", "cursor", "--yes", "--config", str(link)]) == 0
    assert link.is_symlink()
    assert "aimem" in kept.read_text()


def test_a_file_that_changed_after_it_was_shown_is_left_alone(home: Path) -> None:
    path = home / "mcp.json"
    path.write_text('{"by": "the client"}', encoding="utf-8")
    with pytest.raises(CallFailure, match="changed meanwhile"):
        installing.apply(installing.Edit(str(path), "{}", '{"by": "us"}'))
    assert path.read_text() == '{"by": "the client"}'
    assert not list(home.glob("*.aimem"))


@pytest.mark.parametrize(
    ("name", "system", "env", "place"),
    [
        ("claude-desktop", "linux", {"HOME": "/h"}, "/h/.config/Claude/claude_desktop_config.json"),
        ("claude-desktop", "darwin", {"HOME": "/h"},
         "/h/Library/Application Support/Claude/claude_desktop_config.json"),
        ("claude-desktop", "win32", {"APPDATA": "/a"}, "/a/Claude/claude_desktop_config.json"),
        ("claude-code", "linux", {"HOME": "/h"}, "/h/.claude.json"),
        ("claude-code", "linux", {"CLAUDE_CONFIG_DIR": "/c"}, "/c/.claude.json"),
        ("codex", "linux", {"CODEX_HOME": "/c"}, "/c/config.toml"),
        ("gemini", "linux", {"HOME": "/h"}, "/h/.gemini/settings.json"),
        ("windsurf", "linux", {"HOME": "/h"}, "/h/.codeium/windsurf/mcp_config.json"),
        ("continue", "linux", {"HOME": "/h"}, "/h/.continue/mcpServers/aimem.json"),
    ],
)  # fmt: skip
def test_each_client_keeps_its_configuration_where_it_documents(
    name: str, system: str, env: dict[str, str], place: str
) -> None:
    assert CLIENTS[name].config_path(env, system) == place
