"""`make openapi-check`: is what /openapi.json says of the HTTP surface true?

A node of its own is asked by Schemathesis, first as anybody on this machine, then as an
operator what only operators may ask. Left out is what would end the conversation: leaving the
cluster, changing its members, following events for ever, writing a backup to a path drawn by
chance. Prints what was asked in a line for each operation that said something else than it
declares, with the request to send again; exits 1 if there was one.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aimem_node.contract.operations import OPERATIONS, Role
from aimem_node.rpc.access_edit import create_token
from tests.conformance.hooks import KNOWN_ID
from tests.surfaces.ways import Running

HERE = Path(__file__).resolve().parent
NOT_ASKED = frozenset(
    {"Invite", "Join", "Approve", "PromoteMember", "Evict", "Leave", "RotateKey", "ForceEpoch",
     "Backup", "Events"}
)  # fmt: skip
OTHER_ID = "0198f2c4b9517a06"


@contextmanager
def node() -> Iterator[tuple[Running, str, Path]]:
    """A node with two memories, where it listens on loopback, and a directory that will go."""
    with tempfile.TemporaryDirectory(prefix="aimem-check-") as made:
        place = Path(made)
        running = Running(place / "d", place / "r")
        try:
            memories = [
                {"id": one, "title": f"Deploy day {one[-1]}", "content": "Tuesdays.",
                 "namespace": "team/api"} for one in (KNOWN_ID, OTHER_ID)
            ]  # fmt: skip
            running.call("Import", memories=memories)
            listening = running.node._listening
            yield running, next(one for one in listening if one.startswith("http://")), place
        finally:
            running.stop()


def ask(url: str, place: Path, *more: str) -> int:
    """Run Schemathesis once; its exit code."""
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "--config-file", str(HERE / "schemathesis.toml"),
        "run", f"{url}/openapi.json", *more,
    ]  # fmt: skip
    env = {**os.environ, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=place, env=env, check=False).returncode


def main(arguments: list[str]) -> int:
    """Ask as anybody, then as an operator. `arguments` go to Schemathesis as they are."""
    with node() as (running, url, place):
        everybody = [f"--exclude-operation-id={name}" for name in sorted(NOT_ASKED)]
        code = ask(url, place, *everybody, *arguments)
        bearer = create_token(str(running.data_dir), "check", Role.ADMIN)
        admins = [
            f"--include-operation-id={operation.name}"
            for operation in OPERATIONS.values()
            if operation.role is Role.ADMIN and operation.name not in NOT_ASKED
        ]
        header = f"--header=Authorization: Bearer {bearer}"
        return ask(url, place, header, *admins, *arguments) or code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
