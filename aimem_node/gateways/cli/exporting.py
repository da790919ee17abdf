"""`aimem export`: every memory and link as JSON lines, proven complete before it counts.

The last line of an export holds the counts and a hash of the lines before. They are checked
here while the lines pass, and a file appears under its name only after that.
"""

from __future__ import annotations

import os
import sys

from aimem_node.gateways.cli import arguments, failures, fast
from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.cli.call import Caller
from aimem_node.gateways.cli.progress import Bar
from aimem_node.gateways.cli.proof import Proof

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, BinaryIO

FILE: dict[str, Any] = {"name": "file", "kind": "string", "positional": True}
"""What the command takes besides the fields of its operation."""


def run(rest: list[str], settings: dict[str, Any], env: Mapping[str, str]) -> int:
    """Export to the file named in rest, or to stdout. Raises CallFailure if anything is missing."""
    operation = surfaces.find(surfaces.load(), "export")
    if operation is None:
        raise failures.CallFailure("UNIMPLEMENTED", "this build has no export")
    own = arguments.with_own(operation, FILE)
    values = arguments.Reading("export", own, settings).read(rest)
    target = str(values.pop(FILE["name"], ""))
    fast.fill_in(operation, values, settings)
    lines = Caller(settings, env).lines(operation, values)
    if target in ("", "-"):
        _copy(lines, sys.stdout.buffer, quiet=True)
        return 0
    proof = _to_file(lines, os.path.abspath(os.path.expanduser(target)))
    failures.note(
        f"{proof.memories} memories and {proof.links} links in {target}, sha256 {proof.hex()[:16]}…"
    )
    return 0


def _to_file(lines: Any, target: str) -> Proof:
    aside = f"{target}.{os.getpid()}.part"
    try:
        with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            proof = _copy(lines, out, quiet=False)
            out.flush()
            os.fsync(out.fileno())
        os.replace(aside, target)
    except OSError as error:
        raise failures.CallFailure(
            "STORAGE", f"cannot write {target}: {error.strerror or error}",
            next_step="Choose another place or make room.",
        ) from None  # fmt: skip
    finally:
        if os.path.exists(aside):
            os.unlink(aside)
    return proof


def _copy(lines: Any, out: BinaryIO, quiet: bool) -> Proof:
    proof = Proof()
    with Bar("exporting", 0, sys.stderr, quiet) as bar:
        for line in lines:
            proof.take(line)
            out.write(line + b"\n")
            bar.reach(proof.memories + proof.links)
    out.flush()
    wrong = proof.problems()
    if wrong:
        raise failures.CallFailure(
            "CORRUPT", f"the export is not complete: {'; '.join(wrong)}",
            next_step="Export again. If it stays so: aimem-node verify --deep",
        )  # fmt: skip
    return proof
