"""How the operator's command reaches a node: a running one over its socket, its files through main.

Two ways, since some things can only be asked of a running node and others must work without
one. Neither opens the store from here.
"""

import importlib
import json
import os
from collections.abc import Mapping
from typing import Any

from aimem_node import places
from aimem_node.gateways.cli import failures, node
from aimem_node.gateways.cli import surface as surfaces
from aimem_node.gateways.cli.call import Caller

SLOW_CALL_S = 3600.0
"""For a verify or a backup of a large store."""


def ask(data_dir: str, word: str, values: dict[str, Any], timeout_s: float) -> dict[str, Any]:
    """The answer of a running node to an operation. Raises CallFailure; starts nothing."""
    operation = surfaces.find(surfaces.load(), word)
    if operation is None:
        raise failures.CallFailure("UNIMPLEMENTED", f"this build has no operation {word!r}")
    settings = {"data_dir": data_dir, "no_start": True, "timeout": timeout_s}
    answer: dict[str, Any] = json.loads(Caller(settings, os.environ).call(operation, values))
    return answer


def admin(command: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Do one of main's commands on the node's files. Raises CallFailure.

    main is looked up when it is needed: it brings the whole answering half with it.
    """
    from aimem_node.contract.errors import Failure
    from aimem_node.contract.errors import to_json as failure_json

    try:
        done: dict[str, Any] = importlib.import_module("aimem_node.main").admin(command, given)
    except Failure as failure:
        raise failures.from_json(failure_json(failure)) from None
    return done


def is_running(data_dir: str) -> bool:
    """Whether a node answers for the directory."""
    return node.answers(places.socket_path(data_dir, "http", dict(os.environ)))


def lock_is_held(data_dir: str) -> bool:
    """Whether some process has the directory open, answering or not."""
    import fcntl

    try:
        handle = os.open(places.lock_path(data_dir), os.O_RDONLY)
    except OSError:
        return False
    try:
        # Shared, so that two who ask do not see each other.
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False


def pid_of(data_dir: str) -> int | None:
    """The process in the pid file if it is alive, else None."""
    try:
        with open(places.pid_path(data_dir, dict(os.environ)), encoding="ascii") as file:
            pid = int(file.read().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if is_alive(pid) else None


def is_alive(pid: int) -> bool:
    """Whether a process exists and is more than a remainder waiting for its parent."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return True
