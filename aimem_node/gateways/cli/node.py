"""Find the node of a data directory, and start it when it is not there.

Whoever starts it does not own it: it is detached, logs to its own file and outlives the
command. Two commands that start it at once do no harm, since the node's lock lets one live.
"""

from __future__ import annotations

import os
import socket
import sys
import time

from aimem_node import places
from aimem_node.gateways.cli.failures import CallFailure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

START_WAIT_S = 10.0
"""How long a started node may take to answer. A large store recovers its log first."""
POLL_S = 0.02
RIVAL_WAIT_S = 3.0
"""How long to go on looking after our own node has exited: a rival may be starting."""
LOG_TAIL_LINES = 5


def data_dir_of(settings: Mapping[str, Any], env: Mapping[str, str]) -> str:
    """The data directory in use: the option, else the environment, else the user's own."""
    given = settings.get("data_dir")
    if given:
        return os.path.abspath(os.path.expanduser(str(given)))
    return places.default_data_dir(dict(env))


def connect(path: str, timeout_s: float = 1.0) -> socket.socket:
    """A connection to a unix socket. Raises OSError."""
    link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        link.settimeout(timeout_s)
        link.connect(path)
    except BaseException:
        link.close()
        raise
    return link


def answers(path: str) -> bool:
    """Whether anyone listens there. Raises CallFailure if we may not ask."""
    try:
        connect(path).close()
    except PermissionError:
        raise CallFailure(
            "PERMISSION_DENIED",
            f"you may not use the node's socket {path}",
            next_step="Run it as the user who owns the node, or call it with --node.",
        ) from None
    except OSError:
        return False
    return True


def reach(
    data_dir: str, env: Mapping[str, str], may_start: bool, wait_s: float = START_WAIT_S
) -> str:
    """Path of the HTTP socket on which the node answers, starting the node if that is allowed.

    Raises CallFailure (UNAVAILABLE, nothing was done) that says what was tried.
    """
    path = places.socket_path(data_dir, "http", dict(env))
    if answers(path):
        return path
    if not may_start:
        raise down(data_dir, path, "and it was not to be started")
    return start(data_dir, env, wait_s)


def start(data_dir: str, env: Mapping[str, str], wait_s: float, extra: tuple[str, ...] = ()) -> str:
    """Start a node and wait until it answers; the path of its socket. Raises like reach."""
    path = places.socket_path(data_dir, "http", dict(env))
    log = places.log_path(data_dir)
    deadline = time.monotonic() + wait_s
    try:
        log_from = os.path.getsize(log) if os.path.exists(log) else 0
        child = spawn(data_dir, env, extra)
    except OSError as error:
        why = f"and starting it failed: {error.strerror or error}"
        raise down(data_dir, path, why) from None
    try:
        while time.monotonic() < deadline:
            if answers(path):
                return path
            if child.poll() is not None:
                if not _is_rival(log, log_from):
                    break
                deadline = min(deadline, time.monotonic() + RIVAL_WAIT_S)
            time.sleep(POLL_S)
        ended = child.poll()
        if ended is None:
            why = f"although process {child.pid} was started for it {wait_s:g} s ago"
        else:
            why = f"and the one that was started ended with exit code {ended}"
        raise down(data_dir, path, why, _tail(log, log_from))
    finally:
        # It is meant to outlive us; without this Python would warn about it.
        child.returncode = 0


def down(data_dir: str, path: str, why: str, log_tail: str = "") -> CallFailure:
    """The failure for a node that does not answer."""
    said = f"\nits log says:\n{log_tail}" if log_tail else ""
    return CallFailure(
        "UNAVAILABLE",
        f"no node answers at {path} (data directory {data_dir}), {why}{said}",
        next_step=(
            f"Start it with: aimem-node start --data-dir {data_dir}\n"
            f"      What is wrong says: aimem-node doctor --data-dir {data_dir} "
            f"(log: {places.log_path(data_dir)})"
        ),
    )


def spawn(data_dir: str, env: Mapping[str, str], extra: tuple[str, ...] = ()) -> Any:
    """Start a node of its own session, logging to its file. The process, as subprocess.Popen."""
    import subprocess

    os.makedirs(data_dir, mode=0o700, exist_ok=True)
    log = os.open(places.log_path(data_dir), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    command = [sys.executable, "-m", "aimem_node.main", "run", "--data-dir", data_dir, *extra]
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
            env=dict(env), start_new_session=True,
        )  # fmt: skip
    finally:
        os.close(log)
    return child


def _is_rival(log: str, log_from: int) -> bool:
    """Whether our node gave way to another that holds the directory."""
    return "has this directory open" in _tail(log, log_from)


def _tail(log: str, log_from: int) -> str:
    try:
        with open(log, encoding="utf-8", errors="replace") as file:
            file.seek(log_from)
            lines = [line for line in file.read()[-16_384:].splitlines() if line.strip()]
    except OSError:
        return ""
    return "\n".join(lines[-LOG_TAIL_LINES:])
