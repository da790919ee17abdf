"""`aimem-node doctor`: look at everything a node needs, and say how to mend what is wrong.

It changes nothing, and a check that fails to run is a finding like any other: a doctor that
stops at the first illness is of no use.
"""

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from aimem_node import places
from aimem_node.gateways.cli import failures, node
from aimem_node.gateways.cli.clients import CLIENTS, ENTRY, Form, is_our_hook
from aimem_node.gateways.operator import calling
from aimem_node.gateways.operator.cluster_checks import check_cluster
from aimem_node.gateways.operator.findings import Finding, Grade, error, ok, warning
from aimem_node.gateways.operator.lifecycle import meaning
from aimem_node.version import VERSION

PYTHON_MIN = (3, 11)
FREE_BYTES_LOW = 1_000_000_000
"""Below this a migration's backup of a grown store may no longer fit."""
FREE_BYTES_NONE = 50_000_000
"""Below this SQLite's write-ahead log may not."""
CLOCK_YEARS = (2025, 2100)
CLOCK_BACK_S = 86_400.0
"""A store written a day in the future means that the clock was wrong then or is wrong now."""
PROBE_WAIT_S = 600.0
SQLITE_HEADER = b"SQLite format 3\x00"

_SQLITE_PROBE = """
import apsw, sys
print(apsw.sqlite_lib_version())
apsw.Connection(":memory:").execute("create virtual table probe using fts5(words)")
if len(sys.argv) > 1:
    path = "file:" + sys.argv[1].replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    found = apsw.Connection(path + "?mode=ro", flags=flags).execute("pragma integrity_check(5)")
    print("; ".join(row[0] for row in found))
"""
"""Runs in a process of its own: a damaged file may take it down, and we never open a store."""


def examine(data_dir: str) -> list[Finding]:
    """Every finding, in the order in which a node depends on the things."""
    checks: tuple[Callable[[str], list[Finding]], ...] = (
        check_programs, check_settings, check_directory, check_disk, check_ways_in, check_database,
        check_node, check_meaning, check_cluster, check_identity, check_access, check_clients,
        check_clock,
    )  # fmt: skip
    found: list[Finding] = []
    for check in checks:
        name = check.__name__.removeprefix("check_")
        try:
            found += check(data_dir)
        except failures.CallFailure as failure:
            found.append(
                error(name, failure.message, failure.next_step or "See docs/recovering.md.")
            )
        except Exception as fault:
            found.append(
                error(
                    name, f"could not be checked: {fault}", "Run it as the user who owns the node."
                )
            )
    return found


def worst(found: list[Finding]) -> Grade:
    """The grade of the whole, which is the exit code."""
    return max((finding.grade for finding in found), default=Grade.OK)


def check_programs(_data_dir: str) -> list[Finding]:
    """Python, SQLite and its full text."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    if sys.version_info < PYTHON_MIN:
        return [error("programs", f"Python {version} is too old", "Install Python 3.11 or newer.")]
    probe = _probe()
    if probe.returncode:
        said = (probe.stderr.strip().splitlines() or ["no reason given"])[-1]
        mend = "Install it anew: pip install --force-reinstall apsw"
        return [error("programs", f"SQLite with full text does not work: {said}", mend)]
    said = f"aimem {VERSION}, Python {version}, SQLite {probe.stdout.split()[0]} with FTS5"
    return [ok("programs", said)]


def _probe(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", _SQLITE_PROBE, *arguments],
        capture_output=True, text=True, timeout=PROBE_WAIT_S, check=False, cwd="/",
    )  # fmt: skip


def check_settings(data_dir: str) -> list[Finding]:
    """The settings file and the environment."""
    from aimem_node.config import load
    from aimem_node.contract.errors import Failure

    try:
        load({"data_dir": data_dir})
    except Failure as failure:
        return [error("settings", failure.message, failure.next)]
    return [ok("settings", "the settings can be read")]


def check_directory(data_dir: str) -> list[Finding]:
    """That the data directory is ours alone and can be written."""
    try:
        found = os.stat(data_dir)
    except FileNotFoundError:
        mend = f"Start a node, which makes it: aimem-node start --data-dir {data_dir}"
        return [warning("directory", f"{data_dir} does not exist yet", mend)]
    if not stat.S_ISDIR(found.st_mode):
        mend = "Move it away or choose another --data-dir."
        return [error("directory", f"{data_dir} is not a directory", mend)]
    if found.st_uid != os.geteuid():
        mend = "Run it as that user, or choose another --data-dir."
        return [error("directory", f"{data_dir} belongs to user {found.st_uid}", mend)]
    if not os.access(data_dir, os.W_OK | os.X_OK):
        mend = f"Run: chmod 700 {data_dir} (or mount its disk writable)"
        return [error("directory", f"{data_dir} cannot be written", mend)]
    if found.st_mode & 0o077:
        mend = f"Run: chmod 700 {data_dir}"
        return [warning("directory", f"other users can enter {data_dir}", mend)]
    return [ok("directory", f"{data_dir} is yours alone and can be written")]


def check_disk(data_dir: str) -> list[Finding]:
    """Free room on the disk."""
    place = data_dir
    while not os.path.exists(place):
        place = os.path.dirname(place)
    free = shutil.disk_usage(place).free
    said = f"{free / 1e9:.1f} GB free for {data_dir}"
    if free < FREE_BYTES_NONE:
        mend = "Make room; writes are refused until there is some. Nothing stored is in danger."
        return [error("disk", said, mend)]
    if free < FREE_BYTES_LOW:
        return [warning("disk", said, "Make room, or move old files out of its backups folder.")]
    return [ok("disk", said)]


def check_ways_in(data_dir: str) -> list[Finding]:
    """Lock, pid file and sockets, and whether they belong to anyone."""
    directory = places.runtime_dir(data_dir, dict(os.environ))
    there = os.path.isdir(directory)
    if there:
        found = os.stat(directory)
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            said = f"{directory} belongs to someone else or is open to others"
            mend = f"Remove it, or set {places.RUNTIME_DIR_ENV} to a directory of your own."
            return [error("ways", said, mend)]
    if calling.is_running(data_dir):
        return [ok("ways", f"the node answers in {directory}")]
    if calling.lock_is_held(data_dir):
        pid = calling.pid_of(data_dir)
        who = f"process {pid}" if pid else "a process"
        end = f"kill {pid}" if pid else f"find it with: fuser {places.lock_path(data_dir)}"
        said = f"{who} has the directory open and does not answer"
        return [error("ways", said, f"Wait if it has just been started; else {end}")]
    names = sorted(os.listdir(directory)) if there else []
    left = [name for name in names if name.endswith((".sock", ".pid"))]
    if left:
        said = f"left over by a node that was killed: {', '.join(left)}"
        return [warning("ways", said, "Nothing need be done: the next start replaces them.")]
    return [ok("ways", "no sockets are left over")]


def check_database(data_dir: str) -> list[Finding]:
    """The store's file: its header always, its content when no node has it open."""
    path = places.database_path(data_dir)
    if not os.path.exists(path):
        return [ok("database", "there is no store yet")]
    with open(path, "rb") as file:
        header = file.read(len(SQLITE_HEADER))
    restore = f"aimem-node restore BACKUP --data-dir {data_dir}"
    mend = f"Keep the file, and bring back the last good one of {data_dir}/backups: {restore}"
    if header != SQLITE_HEADER:
        return [error("database", f"{path} is not a database", mend)]
    if calling.lock_is_held(data_dir):
        return [ok("database", f"{path} is open in the node (aimem-node verify looks inside)")]
    probe = _probe(path)
    said = "; ".join(probe.stdout.splitlines()[1:]) or probe.stderr.strip().rpartition("\n")[2]
    if probe.returncode or said != "ok":
        return [error("database", f"{path} is damaged: {said}", mend)]
    return [ok("database", f"{path} is sound")]


def check_node(data_dir: str) -> list[Finding]:
    """What a running node says of itself."""
    if not calling.is_running(data_dir):
        mend = f"aimem-node start --data-dir {data_dir}"
        return [warning("node", "no node runs (aimem starts one when it is needed)", mend)]
    said = calling.ask(data_dir, "node-status", {}, node.START_WAIT_S)
    if said.get("state") not in ("serving", "", None):
        mend = "Restart it: aimem-node stop, then aimem-node start. Then look here again."
        return [error("node", f"it has failed: {said.get('reason')}", mend)]
    if said.get("version") != VERSION:
        mend = "Restart it: aimem-node stop, then aimem-node start."
        found = f"version {said.get('version')} runs, {VERSION} is installed"
        return [warning("node", found, mend)]
    return [ok("node", f"node {said.get('node_id')} is serving")]


def check_meaning(data_dir: str) -> list[Finding]:
    """The model that recall by meaning needs, if one is configured."""
    if not calling.is_running(data_dir):
        return []
    said = calling.ask(data_dir, "capabilities", {}, node.START_WAIT_S).get("embedding") or {}
    state, line = said.get("state"), meaning(said)
    if state in ("failed", "stalled"):
        mend = said.get("next") or "See the node's log, and setting embedder in docs/settings.md."
        return [warning("meaning", f"the model of texts is {state}: {said.get('why')}", mend)]
    if int(said.get("failures") or 0):
        mend = "See text_not_embedded in the node's log. They are tried again by themselves."
        return [warning("meaning", line, mend)]
    return [ok("meaning", line)] if state else []


def check_identity(data_dir: str) -> list[Finding]:
    """Key and certificate: both or none, and none only before the first start."""
    home = os.path.join(data_dir, "identity")
    key, certificate = os.path.join(home, "node.key"), os.path.join(home, "node.crt")
    there = [path for path in (key, certificate) if os.path.exists(path)]
    if not there and not os.path.exists(places.database_path(data_dir)):
        return [ok("identity", "it is made at the first start")]
    mend = f"Bring {home} back from a backup of the whole directory."
    if len(there) < 2:
        lost = ", ".join(sorted({key, certificate} - set(there)))
        return [error("identity", f"missing: {lost}", mend)]
    if os.stat(key).st_mode & 0o077:
        return [error("identity", f"other users can read {key}", f"Run: chmod 600 {key}")]
    return [ok("identity", f"node {calling.admin('identity', {'data_dir': data_dir})['node_id']}")]


def check_access(data_dir: str) -> list[Finding]:
    """The lists of who may call."""
    if not os.path.isdir(os.path.join(data_dir, "access")):
        return [ok("access", "nobody but you may call")]
    pins = calling.admin("pin-list", {"data_dir": data_dir})["pins"]
    tokens = calling.admin("token-list", {"data_dir": data_dir})["tokens"]
    now_us = time.time_ns() // 1000
    old = [one["name"] for one in tokens if (one.get("expires_us") or now_us) < now_us]
    said = f"{len(pins)} pinned certificates, {len(tokens)} tokens"
    free = sum(not one.get("place") for one in (*pins, *tokens))
    if free:
        said += f"; {free} of them see everything, having no place"
    if old:
        mend = f"aimem-node token revoke {old[0]} --data-dir {data_dir}"
        return [warning("access", f"{said}; expired: {', '.join(old)}", mend)]
    return [ok("access", said)]


def check_clients(_data_dir: str) -> list[Finding]:
    """Which AI clients have us in their configuration, and whether they would find us."""
    connected: list[str] = []
    found: list[Finding] = []
    for client in CLIENTS.values():
        path = client.config_path(os.environ)
        try:
            entry = _entry(path, client.form)
        except (OSError, ValueError) as fault:
            mend = f"Mend {path} in an editor."
            found.append(
                warning("clients", f"{client.title}: {path} cannot be read: {fault}", mend)
            )
            continue
        if entry is None:
            continue
        connected.append(client.title)
        commands = [str(entry.get("command", "")), *_hook_commands(client.hook_path(os.environ))]
        for command in commands:
            if shutil.which(command) is None:
                mend = f"aimem install {client.name}"
                said = f"{client.title} would start {command!r}, which is not there"
                found.append(warning("clients", said, mend))
    if not connected:
        return [*found, ok("clients", "none is connected (aimem install CLIENT connects one)")]
    return [*found, ok("clients", f"connected: {', '.join(connected)}")]


def _entry(path: str, form: Form) -> dict[str, Any] | None:
    import json
    import tomllib

    if not os.path.exists(path):
        return None
    with open(path, encoding="utf-8") as file:
        text = file.read()
    whole = tomllib.loads(text) if form is Form.TOML else json.loads(text or "{}")
    servers = whole.get("mcp_servers" if form is Form.TOML else "mcpServers")
    entry = servers.get(ENTRY) if isinstance(servers, dict) else None
    return entry if isinstance(entry, dict) else None


def _hook_commands(path: str) -> list[str]:
    import json
    import shlex

    if not path or not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        groups = (json.load(file).get("hooks") or {}).get("SessionStart") or []
    hooks = [hook for group in groups for hook in group.get("hooks", []) if is_our_hook(hook)]
    return [shlex.split(hook["command"])[0] for hook in hooks]


def check_clock(data_dir: str) -> list[Finding]:
    """That the machine's clock is near the truth, as far as one machine can tell."""
    now_s = time.time()
    year = time.gmtime(now_s).tm_year
    mend = "Set the clock (timedatectl set-ntp true). Order does not depend on it, expiry does."
    if not CLOCK_YEARS[0] <= year <= CLOCK_YEARS[1]:
        return [error("clock", f"the clock says the year {year}", mend)]
    path = places.database_path(data_dir)
    if os.path.exists(path) and os.stat(path).st_mtime > now_s + CLOCK_BACK_S:
        return [warning("clock", "the store was last written in the future", mend)]
    return [ok("clock", time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(now_s)))]
