"""The command `aimem` by its rules: what follows from the contract without asking a node."""

import io
import subprocess
from pathlib import Path

import pytest

from aimem_node.contract.errors import SIGNS
from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways.cli import completing, failures, fast, helping, project, request, showing
from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.cli.look import Look
from aimem_node.gateways.cli.progress import Bar

HEAVY = {"argparse", "dataclasses", "typing", "logging", "asyncio", "http.client", "grpc",
         "subprocess", "pathlib", "urllib.parse", "inspect", "difflib", "textwrap",
         "google.protobuf", "structlog"}  # fmt: skip
MEMORY = {
    "id": "4f2a0000-0000-4000-8000-000000000000", "title": "Deploys", "content": "On Tuesdays.",
    "namespace": "team/x", "tier": "long", "priority": 5, "tags": ["ops"],
    "created_at": "2026-11-22T18:00:00Z",
}  # fmt: skip


def test_every_operation_of_the_contract_is_a_command() -> None:
    surface = surfaces.load()
    assert {declared.cli_name for declared in OPERATIONS.values()} == set(surface["operations"])
    for alias, word in surface["aliases"].items():
        assert surfaces.find(surface, alias) is surfaces.find(surface, word)


def test_the_exit_codes_are_those_of_the_contract() -> None:
    assert {code.value: sign.exit for code, sign in SIGNS.items()} == failures.EXITS


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Look.of(Terminal()).colours
    assert not Look.of(io.StringIO()).colours
    monkeypatch.setenv("NO_COLOR", "1")
    assert not Look.of(Terminal()).colours


def test_trees_tables_and_writes_have_a_form_of_their_own() -> None:
    look = Look()
    leaf = {"namespace": "a", "name": "a", "count": 1, "subtree_count": 1, "children": []}
    tree = {"tree": leaf | {"name": "", "namespace": "", "count": 0, "children": [leaf]}}
    tree["tree"]["subtree_count"] = 1
    assert showing.answer({}, tree, look) == "all  1\n└─ a  1\n"
    rows = {"namespaces": [{"count": 12, "namespace": "a"}, {"count": 3, "namespace": "b"}]}
    assert showing.answer({"rows": "namespaces"}, rows, look).splitlines()[:2] == ["a  12", "b   3"]
    write = {"id": "i", "write": {"outcome": "committed", "acks": 2, "needed": 2, "replayed": True}}
    assert "committed, on 2 of 2 disks, already done before" in showing.answer({}, write, look)


def test_help_explains_every_command_with_examples_that_can_be_read() -> None:
    look = Look()
    surface = surfaces.load()
    page = helping.overview(look)
    for word in [*surface["operations"], *fast.COMMANDS]:
        assert word in page
        assert helping.of_command(word, look).startswith(f"aimem {word}: ")
    for word, operation in surface["operations"].items():
        assert operation["help"], word
        assert helping.examples(word, operation)[0].startswith(f"  aimem {word}")
    assert "--ttl-secs" in helping.of_command("store", look)
    assert "Default: mid." in helping.of_command("store", look)


@pytest.mark.parametrize("shell", completing.SHELLS)
def test_completion_knows_every_command_and_its_flags(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fast.main(["completion", shell]) == 0
    script = capsys.readouterr().out
    for word in ("session-start", "taxonomy", "install", "ttl-secs", "supersedes", "codex"):
        assert word in script
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=script, text=True, check=True, timeout=30)


def test_the_completion_offers_the_clients_that_can_be_installed() -> None:
    from aimem_node.gateways.cli.clients import CLIENTS

    assert set(completing.CLIENTS) == set(CLIENTS)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("git@host.example:team/tool.git", "tool"),
        ("https://host.example/team/tool/", "tool"),
        ("../up/tool.git", "tool"),
        ("host:tool.git", "tool"),
    ],
)
def test_a_memory_belongs_to_the_project_of_its_git_origin(
    url: str, name: str, tmp_path: Path
) -> None:
    config = tmp_path / "clone" / ".git" / "config"
    config.parent.mkdir(parents=True)
    config.write_text(f'[core]\n\turl = no\n[remote "origin"]\n\turl = {url}\n', encoding="utf-8")
    inner = tmp_path / "clone" / "src"
    inner.mkdir()
    assert project.namespace(str(inner)) == name


def test_a_worktree_belongs_to_its_repository_and_a_bare_place_to_itself(tmp_path: Path) -> None:
    main = tmp_path / "main" / ".git"
    (main / "worktrees" / "w").mkdir(parents=True)
    (main / "config").write_text('[remote "origin"]\nurl = x/tool\n', encoding="utf-8")
    (main / "worktrees" / "w" / "commondir").write_text("../..\n", encoding="utf-8")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / ".git").write_text(f"gitdir: {main}/worktrees/w\n", encoding="utf-8")
    assert project.namespace(str(tree)) == "tool"
    bare = tmp_path / "a b"
    bare.mkdir()
    assert project.namespace(str(bare)) == "a-b"
    assert project.namespace("/") == "global"


def test_a_path_parameter_is_never_a_path() -> None:
    operation = {"http": {"method": "GET", "path": "/m/{id}/history", "body": ""}, "fields": []}
    assert request.build(operation, {"id": "../x", "limit": 3}) == (
        "GET", "/m/..%2Fx/history?limit=3", None,
    )  # fmt: skip


def test_progress_is_drawn_for_a_terminal_and_taken_away_again() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    shown, hidden = Terminal(), io.StringIO()
    for out in (shown, hidden):
        with Bar("importing", 1200, out) as bar:
            bar.reach(600)
    assert "600 of 1,200" in shown.getvalue()
    assert shown.getvalue().endswith("\r\x1b[K")
    assert hidden.getvalue() == ""
