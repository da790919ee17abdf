"""Small facts kept as JSON beside the node's key: whole or not there, and for its owner alone.

They live beside the key and not in the store, because they are about this machine: a store that
is restored from a backup, or replaced by a snapshot, must not bring back a used invitation.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.durable import replace_file, sync_directory

FILE_BYTES_MAX: Final = 1 << 20


def keep(path: Path, facts: Mapping[str, Any]) -> None:
    """Replace the file; on disk when this returns. Raises Failure STORAGE."""
    content = json.dumps(facts, indent=1, sort_keys=True).encode("ascii") + b"\n"
    try:
        replace_file(path, content)
    except OSError as error:
        raise Failure(Code.STORAGE, f"cannot write {path}: {error.strerror}") from error


def recall(path: Path) -> dict[str, Any] | None:
    """What was kept last; None if nothing was. Raises Failure CORRUPT or STORAGE."""
    try:
        with open(path, "rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Failure(Code.STORAGE, f"cannot read {path}: {error.strerror}") from error
    try:
        facts = json.loads(content)
    except ValueError:
        facts = None
    if not isinstance(facts, dict):
        raise damaged(path)
    return facts


def forget(path: Path) -> None:
    """Remove the file, if it is there. Raises Failure STORAGE."""
    try:
        path.unlink(missing_ok=True)
        sync_directory(path.parent)
    except OSError as error:
        raise Failure(Code.STORAGE, f"cannot remove {path}: {error.strerror}") from error


def damaged(path: Path) -> Failure:
    """What to say of a file that does not hold what was kept in it."""
    return Failure(
        Code.CORRUPT,
        f"{path} cannot be read",
        next=f"Remove {path}: what it kept must then be begun again.",
    )
