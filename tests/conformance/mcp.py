"""`make mcp-check`: what others say of our MCP.

Two programs that we did not write ask a node of its own: the official inspector, over stdio
through `aimem mcp` and over HTTP, and the official conformance runner over HTTP. Their versions
stand in package.json; npm fetches them once into node_modules beside it. Scenarios of the
runner that no server with work to do can pass are in expected-failures.yml, with the reasons.
"""

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.conformance.api import node
from tests.conformance.hooks import KNOWN_ID

HERE = Path(__file__).resolve().parent
PACKAGE = json.loads((HERE / "package.json").read_text())
NODE_MIN = tuple(int(part) for part in re.findall(r"\d+", PACKAGE["engines"]["node"]))
TIME_S_MAX = 120
"""For one program. Each needs a second or two; a hanging one must not hold up the rest."""

ASKED: tuple[tuple[tuple[str, ...], str], ...] = (
    (("tools/list",), '"memory_recall"'),
    (
        ("tools/call", "--tool-name", "memory_store",
         "--tool-arg", "title=Inspected", "content=The inspector came by."),
        "duplicate",
    ),
    (("tools/call", "--tool-name", "memory_recall", "--tool-arg", "context=inspector"), "came by"),
    (("prompts/list",), '"recall-first"'),
    (("prompts/get", "--prompt-name", "recall-first", "--prompt-args", "namespace=a/b"), "a/b"),
    (("resources/list",), '"aimem://namespaces"'),
    (("resources/templates/list",), '"aimem://memory/{id}"'),
    (("resources/read", "--uri", "aimem://namespaces"), "team/api"),
    (("resources/read", "--uri", "aimem://namespace/team%2Fapi"), "Deploy day"),
    (("resources/read", "--uri", f"aimem://memory/{KNOWN_ID}"), "Tuesdays"),
)  # fmt: skip
"""What the inspector asks, and what its answer must hold."""


class NotReady(Exception):  # noqa: N818 - it is what to do next
    """Why the tools cannot be run, and the next step."""


def made_ready() -> dict[str, str]:
    """Fetch what is missing; the environment in which the tools run."""
    if shutil.which("npm") is None:
        raise NotReady("npm is missing. Install Node.js 22.19 or newer, which brings it.")
    lock = "ci" if (HERE / "package-lock.json").exists() else "install"
    if not (HERE / "node_modules" / ".package-lock.json").exists():
        fetch(lock)
    if node_version("node") >= NODE_MIN:
        return dict(os.environ)
    system, machine = platform.system().lower(), platform.machine().lower()
    chip = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64"}.get(machine, machine)
    name, version = f"node-{system}-{chip}", PACKAGE["config"]["node"]
    own = HERE / "node_modules" / name / "bin"
    if node_version(str(own / "node")) < NODE_MIN:
        fetch("install", "--no-save", f"{name}@{version}")
    return {**os.environ, "PATH": f"{own}{os.pathsep}{os.environ['PATH']}"}


def fetch(*what: str) -> None:
    """Let npm fetch. Raises NotReady."""
    done = subprocess.run(["npm", *what], cwd=HERE, check=False, stdout=sys.stderr)
    if done.returncode:
        raise NotReady(
            f"npm could not fetch the tools. Reach a registry, then: cd {HERE.name} && npm "
            + " ".join(what)
        )


def node_version(program: str) -> tuple[int, ...]:
    """The version of a Node.js; () when there is none."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
    except OSError:
        return ()
    return tuple(int(part) for part in re.findall(r"\d+", done.stdout))


def inspect(target: tuple[str, ...], env: Mapping[str, str]) -> int:
    """Ask one way in everything; how many answers were wrong."""
    wrong = 0
    for arguments, wanted in ASKED:
        tool = str(HERE / "node_modules" / ".bin" / "mcp-inspector")
        done = subprocess.run(
            [tool, "--cli", *target, "--method", *arguments],
            env=env, capture_output=True, text=True, timeout=TIME_S_MAX, check=False,
        )  # fmt: skip
        good = done.returncode == 0 and wanted in done.stdout
        print("ok   " if good else "WRONG", "inspector", target[0], *arguments[:3], flush=True)
        if not good:
            wrong += 1
            print(done.stdout, done.stderr, sep="\n")
    return wrong


def conform(url: str, place: Path, env: Mapping[str, str]) -> int:
    """The conformance runner's exit code."""
    tool = str(HERE / "node_modules" / ".bin" / "conformance")
    command = [
        tool, "server", "--url", url, "--suite", "all", "--output-dir", str(place / "results"),
        "--expected-failures", str(HERE / "expected-failures.yml"),
    ]  # fmt: skip
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=TIME_S_MAX, check=False
    )
    print(done.stdout[done.stdout.find("=== SUMMARY") :] if not done.returncode else done.stdout)
    print(done.stderr, file=sys.stderr)
    return done.returncode


def main() -> int:
    """Ask a node; 1 when something was wrong, or could not be asked."""
    try:
        env = made_ready()
    except NotReady as why:
        print(why, file=sys.stderr)
        return 1
    with node() as (running, url, place):
        # The inspector gives a server no environment but what it is told to. Without this,
        # `aimem mcp` would start a node of its own for whoever runs the check.
        ours = {name: text for name, text in running.env.items() if name.startswith("AIMEM_")}
        told = [part for name, text in ours.items() for part in ("-e", f"{name}={text}")]
        ways = ((running.aimem, "mcp", *told), (f"{url}/mcp",))
        wrong = sum(inspect(way, {**env, "HOME": str(place)}) for way in ways)
        return 1 if conform(f"{url}/mcp", place, env) or wrong else 0


if __name__ == "__main__":
    sys.exit(main())
