"""Start, stop and look at the node of one directory.

All three say what is, rather than fail, when there is nothing to do: starting a running node
and stopping a stopped one succeed.
"""

import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

from aimem_node import places
from aimem_node.gateways.cli import failures, node
from aimem_node.gateways.cli.look import Look, duration, plain, size
from aimem_node.gateways.operator import calling, cluster_view

NOT_RUNNING = 3
"""What `status` exits with, as service managers expect of it."""
DEGRADED = 4
"""What `status` exits with when the node serves, but not as it should: see its reason."""
STATUS_WAIT_S = 10.0
POLL_S = 0.02


def start(data_dir: str, extra: tuple[str, ...], wait_s: float) -> dict[str, Any]:
    """Start a node in the background and wait until it answers."""
    if calling.is_running(data_dir):
        return {"started": False, "running": True} | _where(data_dir)
    node.start(data_dir, os.environ, wait_s, extra)
    return {"started": True, "running": True} | _where(data_dir)


def stop(data_dir: str, wait_s: float) -> dict[str, Any]:
    """Ask the node to end and wait until it has. Raises CallFailure if it does not."""
    pid = running_pid(data_dir)
    if pid is None:
        return {"stopped": False, "running": False, "data_dir": data_dir}
    try:
        os.kill(pid, signal.SIGTERM)
    except PermissionError:
        raise failures.CallFailure(
            "PERMISSION_DENIED", f"process {pid} belongs to another user",
            next_step="Stop it as that user.",
        ) from None  # fmt: skip
    except ProcessLookupError:
        pass
    deadline = time.monotonic() + wait_s
    while time.monotonic() < deadline:
        if not calling.is_alive(pid):
            return {"stopped": True, "running": False, "pid": pid, "data_dir": data_dir}
        time.sleep(POLL_S)
    raise failures.CallFailure(
        "DEADLINE", f"process {pid} has not ended within {wait_s:g} s",
        next_step=f"Wait longer with --timeout, or end it with: kill -9 {pid} "
        "(nothing acknowledged is lost).",
        definite=False,
    )  # fmt: skip


def running_pid(data_dir: str) -> int | None:
    """The node's process, or None if none runs.

    A running node says it itself. The pid file counts only while the directory is locked, since
    a number in a file may by now belong to anybody.
    """
    if calling.is_running(data_dir):
        try:
            pid = int(calling.ask(data_dir, "health", {}, STATUS_WAIT_S).get("pid") or 0)
        except failures.CallFailure:
            pid = 0
        if pid:
            return pid
    return calling.pid_of(data_dir) if calling.lock_is_held(data_dir) else None


def status(data_dir: str) -> dict[str, Any]:
    """Everything the node says about itself, or that none runs."""
    if not calling.is_running(data_dir):
        held = calling.lock_is_held(data_dir)
        why = "a process has the directory open but does not answer" if held else "no node runs"
        return {"running": False, "data_dir": data_dir, "reason": why}
    said = calling.ask(data_dir, "node-status", {}, STATUS_WAIT_S)
    health = calling.ask(data_dir, "health", {}, STATUS_WAIT_S)
    known = {"pid": health.get("pid"), "uptime_secs": health.get("uptime_secs")}
    whole = {"running": True} | said | known | {"log": places.log_path(data_dir)}
    whole["embedding"] = calling.ask(data_dir, "capabilities", {}, STATUS_WAIT_S).get("embedding")
    try:
        whole["cluster"] = calling.ask(data_dir, "cluster-status", {}, STATUS_WAIT_S)
    except failures.CallFailure as failure:
        # A node of an earlier version, or one that was evicted: the rest is still worth showing.
        whole["cluster_failure"] = failure.sentence()
    return whole


def exit_code(said: Mapping[str, Any]) -> int:
    """0 serving, 3 not running, 4 not as it should be."""
    if not said["running"]:
        return NOT_RUNNING
    cluster = said.get("cluster") or {}
    states = (said.get("state"), cluster.get("state"))
    well = all(state in ("serving", "", None) for state in states) and cluster.get("ready", True)
    return 0 if well else DEGRADED


def show_status(said: dict[str, Any], origins: bool = False, look: Look | None = None) -> str:
    """The status for people. `origins`: how far each member lacks each log, too."""
    look = look or Look.of(sys.stdout)
    if not said["running"]:
        state = look.paint("warn", "not running")
        return (
            f"aimem-node: {state} ({said['reason']} for {said['data_dir']})\n"
            f"next: aimem-node start --data-dir {said['data_dir']}\n"
        )
    state = str(said.get("state") or "serving")
    good = "good" if state == "serving" else "warn"
    lines = [f"aimem-node: {look.paint(good, state)} (process {said.get('pid')})"]
    if said.get("reason"):
        lines.append(f"reason: {said['reason']}")
    names = cluster_view.names_of(said.get("cluster") or {})
    node_id = str(said.get("node_id"))
    called = names.get(node_id, "")
    facts = {
        "node": f"{called} ({node_id})" if called and not node_id.startswith(called) else node_id,
        "key": said.get("fingerprint") or "?",
        "version": said.get("version"),
        "up for": duration(int(said.get("uptime_secs") or 0)), "data": said.get("data_dir"),
        "store": size(said.get("db_size_bytes")), "its log": size(said.get("wal_size_bytes")),
        "disk free": size(said.get("disk_free_bytes")),
        "memory": size(said.get("resident_bytes")), "digest": str(said.get("digest"))[:16] + "…",
        "log": said.get("log"),
    }  # fmt: skip
    lines += [f"  {name.ljust(10)}{plain(value)}" for name, value in facts.items()]
    if said.get("embedding"):
        lines.append(f"  {'meaning'.ljust(10)}{plain(meaning(said['embedding']))}")
    lines += [f"  {'listening'.ljust(10)}{plain(one)}" for one in said.get("listening") or []]
    for origin in said.get("origins") or []:
        log = cluster_view.log_of(str(origin.get("origin")), names)
        lines.append(f"  {'ops'.ljust(10)}{origin.get('have')} of {log}")
    if said.get("cluster", {}).get("members"):
        lines += cluster_view.standing(said["cluster"], look, origins)
    elif said.get("cluster_failure"):
        lines.append(f"  {'cluster'.ljust(10)}{plain(said['cluster_failure'])}")
    return "\n".join(lines) + "\n"


def meaning(embedding: Mapping[str, Any]) -> str:
    """The model of texts and how far it is, on one line."""
    parts = [" ".join(filter(None, (embedding.get("model"), embedding.get("state"))))]
    vectors, backlog = int(embedding.get("vectors") or 0), int(embedding.get("backlog") or 0)
    if vectors or backlog:
        parts.append(f"{vectors:,} vectors")
    if backlog:
        lag_s = int(float(embedding.get("lag_s") or 0))
        parts.append(f"{backlog:,} to come, the first for {duration(lag_s)}")
    failures = int(embedding.get("failures") or 0)
    if failures:
        parts.append(f"{failures:,} failed so far")
    if embedding.get("index") not in (None, "", "ready"):
        parts.append(f"index {embedding['index']}")
    said = ", ".join(parts)
    why = ". ".join(str(one).rstrip(".") for one in map(embedding.get, ("why", "next")) if one)
    return f"{said}: {why}" if why else said


def _where(data_dir: str) -> dict[str, Any]:
    pid = running_pid(data_dir)
    return {"pid": pid, "data_dir": data_dir, "log": places.log_path(data_dir)}
