"""The source, tested as a source: what a reader relies on without thinking of it.

Every rule here is one that a review would otherwise have to find by eye. A rule that has to be
broken is broken in a table below, with the reason beside it, never by a comment in the code.
"""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from aimem_node.config import settings_markdown

ROOT = Path(__file__).resolve().parents[1]

TOP_LEVEL = {
    "pyproject.toml", "proto", "aimem_node", "aimem_sync", "tests", "chaos", "cluster-configs",
    "Makefile", "README.md", "docs", "LICENSE", "CHANGELOG.md", ".ci",
}  # fmt: skip
LINES_MAX = 500
"""A file. Half an hour of reading; past it there are two subjects in one file."""
FUNCTION_LINES_MAX = 70
"""A function, its docstring included. What fits on one screen."""
LINES_MAX_ELSEWHERE = {
    "LICENSE": "the licence is quoted whole",
}
BANNED_WORDS = {"manager", "helper", "helpers", "util", "utils"}
MADE = (
    "aimem_node/contract/made/",
    "docs/failures.md",
    "docs/operations.md",
    "docs/settings.md",
)
"""Written by `make docs`, and checked for being up to date instead."""

WITHOUT_OWN_TEST = {
    "aimem_node/clocks.py": "four one-line calls of the standard library",
    "aimem_node/logs.py": "set-up of structlog, no branches",
    "aimem_node/metrics.py": "names of metrics; test_dispatch sees every one of them move",
    "aimem_node/operations/everything.py": "a list of imports; test_registry checks what it fills",
    "aimem_node/replica/vectors.py": "values; test_adopting and test_peer_vectors hand them on",
    "aimem_node/replica/subscribed.py": "values and protocols; test_telling and test_webhooks",
    "aimem_node/store/meta.py": "names; every test of the store goes by some of them",
    "aimem_node/store/view_base.py": "two look-ups that test_view and test_view_log go through",
    "aimem_node/store/view_log.py": "test_view, test_session and test_truncation read all of it",
    "aimem_node/replica/touch.py": "a value and a protocol; test_tally and test_touching use them",
}
"""Modules of aimem_node without a test file of their own, and what tests them instead."""

PRINTS_OUTSIDE_GATEWAYS = {
    "aimem_node/contract/make.py": "a build step that tells its caller what it wrote",
}
CORE_IMPORTS = {
    "__future__", "aimem_sync", "collections", "dataclasses", "enum", "functools", "hashlib",
    "json", "math", "re", "struct", "types", "typing", "uuid",
}  # fmt: skip
"""What aimem_sync may import: nothing that waits, sends, reads a clock or draws a number."""

MACHINE_PATHS = re.compile(r"(?<![\w.])/(?:work|root|home/(?!ann\b)\w+|Users/\w+)/")
"""Places on a real machine. Ann, who lives in our examples, has a home of her own."""
REGISTRY_HOSTS = re.compile(
    r"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|crates\.io|proxy\.golang\.org"
    r"|artifactory|nexus\.|jfrog"
)
TEXT_SUFFIXES = {
    "", ".json", ".md", ".proto", ".py", ".service", ".sh", ".toml", ".txt", ".yaml", ".yml",
}  # fmt: skip


FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
"""A block of code in a page."""


@cache
def tracked() -> tuple[str, ...]:
    """Every file that belongs to the project, relative to its root, in alphabetical order."""
    asked = ["git", "-C", str(ROOT), "ls-files", "-co", "--exclude-standard"]
    try:
        listed = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
        names = listed.splitlines()
    except (OSError, subprocess.CalledProcessError):
        # A source archive has no repository; then everything but what tools leave is ours.
        left = {".venv", "__pycache__", ".hypothesis", "build", "dist", ".bench"}
        names = [
            str(path.relative_to(ROOT))
            for path in ROOT.rglob("*")
            if path.is_file()
            and not any(
                part in left or part.endswith(("_cache", ".egg-info"))
                for part in path.relative_to(ROOT).parts
            )
        ]
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def written() -> Iterator[tuple[str, str]]:
    """Every text file that a person wrote, with its text."""
    for name in tracked():
        if Path(name).suffix in TEXT_SUFFIXES and not name.startswith(MADE):
            yield name, (ROOT / name).read_text(encoding="utf-8")


@cache
def parsed() -> tuple[tuple[str, ast.Module], ...]:
    """Every Python file that a person wrote, as a tree."""
    return tuple((name, ast.parse(text)) for name, text in written() if name.endswith(".py"))


def imported(tree: ast.Module) -> set[str]:
    """The first words of everything a module imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


def test_the_top_level_is_the_agreed_one() -> None:
    here = {name.split("/")[0] for name in tracked()}
    assert {name for name in here if not name.startswith(".")} == {
        name for name in TOP_LEVEL if not name.startswith(".")
    }
    assert ".ci" in here


def test_no_file_is_too_long() -> None:
    too_long = {
        name: text.count("\n")
        for name, text in written()
        if text.count("\n") > LINES_MAX
        and name not in LINES_MAX_ELSEWHERE
        and not name.endswith(".json")
    }
    assert too_long == {}


def test_no_function_is_too_long() -> None:
    too_long = {
        f"{name}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for name, tree in parsed()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno is not None
        and node.end_lineno - node.lineno + 1 > FUNCTION_LINES_MAX
    }
    assert too_long == {}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        name
        for name, tree in parsed()
        if not ast.get_docstring(tree) and not (name.endswith("__init__.py") and not tree.body)
    ]
    assert silent == []


def test_no_module_is_named_after_nothing() -> None:
    banned = [
        name
        for name, _ in parsed()
        if BANNED_WORDS & set(re.split(r"[^a-z]+", name.removesuffix(".py").lower()))
    ]
    assert banned == []


def test_no_file_names_a_place_on_somebodys_machine() -> None:
    mine = Path(__file__).relative_to(ROOT).as_posix()
    found = [
        f"{name}:{number}: {line.strip()[:90]}"
        for name, text in written()
        if name != mine
        for number, line in enumerate(text.splitlines(), 1)
        if MACHINE_PATHS.search(line) or REGISTRY_HOSTS.search(line)
    ]
    assert found == []


def own_tests(module: str) -> set[str]:
    """Where the tests of a module may be: in a file of its own, or in one for its sub-package."""
    place = Path("tests") / module
    homes = {place.with_name("test_" + place.name)}
    if len(place.parts) > 4:  # tests/aimem_node/<room>/<sub-package>/<module>
        homes.add(place.parent.with_name(f"test_{place.parent.name}.py"))
    return {home.as_posix() for home in homes}


def test_every_module_has_its_own_test_or_a_reason() -> None:
    without = {
        name
        for name, _ in parsed()
        if name.startswith("aimem_node/")
        and not name.endswith(("__init__.py", "__main__.py"))
        and not own_tests(name) & set(tracked())
    }
    assert without - set(WITHOUT_OWN_TEST) == set()


def test_no_reason_outlives_what_it_excuses() -> None:
    there = {name for name, _ in parsed()}
    assert set(WITHOUT_OWN_TEST) <= there
    assert {name for name in WITHOUT_OWN_TEST if own_tests(name) & set(tracked())} == set()
    assert set(PRINTS_OUTSIDE_GATEWAYS) <= there


def test_only_gateways_print() -> None:
    printing = {
        name
        for name, tree in parsed()
        if name.startswith(("aimem_node/", "aimem_sync/"))
        and not name.startswith("aimem_node/gateways/")
        and any(
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "print"
            for node in ast.walk(tree)
        )
    }
    assert printing - set(PRINTS_OUTSIDE_GATEWAYS) == set()


def test_the_core_imports_nothing_that_could_touch_the_world() -> None:
    strange = {
        name: imported(tree) - CORE_IMPORTS
        for name, tree in parsed()
        if name.startswith("aimem_sync/") and imported(tree) - CORE_IMPORTS
    }
    assert strange == {}


def test_every_dependency_says_why_it_is_there() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += [one for one in extra if not one.startswith(project["name"])]
    without = [one for one in wanted if not re.search(re.escape(f'"{one}",') + r"\s+# \S+", text)]
    assert without == []


def quick_start() -> list[str]:
    """The commands of the first shell block below README's "Try it" heading."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^## Try it$.*?^```sh$(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    assert block is not None, "README has no shell block below '## Try it'"
    lines = [line.split("#")[0].strip() for line in block.group(1).splitlines()]
    return [line for line in lines if line]


def test_the_readme_has_exactly_two_set_up_commands() -> None:
    assert quick_start() == ["make demo", "make test"]


@pytest.mark.parametrize("verb", ["help", "setup", "run", "demo", "test", "check", "sim", "bench"])
def test_make_has_the_promised_verbs_and_says_what_they_do(verb: str) -> None:
    assert re.search(
        rf"^{verb}:.*## \S", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE
    )


def test_every_decision_record_has_its_four_parts() -> None:
    parts = ["What pressed us", "What we chose", "What it costs", "What would change our mind"]
    records = [name for name in tracked() if re.match(r"docs/adr/\d{4}-.*\.md$", name)]
    assert records
    for name in records:
        headings = re.findall(r"^## (.*)$", (ROOT / name).read_text(encoding="utf-8"), re.MULTILINE)
        assert headings == parts, name


def test_every_link_between_our_pages_leads_somewhere() -> None:
    lost = [
        f"{name}: {target}"
        for name, text in written()
        if name.endswith(".md")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", FENCED.sub("", text))
        if "://" not in target and not ((ROOT / name).parent / target).exists()
    ]
    assert lost == []


def test_the_page_of_settings_says_what_the_settings_are() -> None:
    page = (ROOT / "docs/settings.md").read_text(encoding="utf-8")
    assert page == settings_markdown(), "run: make docs"
