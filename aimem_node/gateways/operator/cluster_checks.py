"""What a doctor looks for in a cluster: members away, clocks off, forks, writes that wait.

All of it is one node's view. A member that it cannot reach may be well and only cut off from here,
so the doctor also knocks at its address: a port that answers points at keys or a firewall's rule,
one that does not points at the machine.
"""

import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from aimem_node.gateways.cli import failures, node
from aimem_node.gateways.cli.look import plain
from aimem_node.gateways.operator import calling
from aimem_node.gateways.operator.cluster_view import ID_CHARS, called, is_alone
from aimem_node.gateways.operator.findings import Finding, error, ok, warning
from aimem_node.gateways.operator.tables import offset, since

CLOCK_OFF_MS = 5_000
"""Order does not depend on clocks; expiry and what people read does."""
PENDING_OLD_MS = 60_000
"""A write that is not committed after a minute waits for a machine, not for the network."""
ABSENT_MS = 7 * 86_400_000
"""As long as a member is away nothing may be forgotten on its account: the logs grow."""
GONE_MS = 30 * 86_400_000
KNOCK_S = 1.5
KNOCKS_MAX = 16
DIVERGED = "diverge"
"""In the reason of a member or of the node, when states differ that should be equal."""


def check_cluster(data_dir: str) -> list[Finding]:
    """Every finding about the other members; nothing to say of a node that does not run."""
    if not calling.is_running(data_dir):
        return []
    try:
        cluster = calling.ask(data_dir, "cluster-status", {}, node.START_WAIT_S)
        health = calling.ask(data_dir, "health", {}, node.START_WAIT_S)
    except failures.CallFailure as failure:
        if failure.code == "UNIMPLEMENTED":
            return []
        raise
    members = cluster.get("members") or []
    found = [*_itself(cluster), *_histories(cluster, members)]
    if not is_alone(cluster):
        up_ms = int(health.get("uptime_secs") or 0) * 1000
        found += _reach(members, up_ms)
        found += _clocks(members)
        found += _pending(cluster)
    if found:
        return found
    if is_alone(cluster):
        return [ok("cluster", "this node is alone (aimem-node invite adds a machine)")]
    said = f"{len(members)} members, epoch {cluster.get('epoch')}, all in reach"
    return [ok("cluster", said)]


def _itself(cluster: Mapping[str, Any]) -> list[Finding]:
    """This node's own part: whether it serves, and whether others could reach it."""
    found: list[Finding] = []
    state = str(cluster.get("state") or "serving")
    reason = plain(cluster.get("reason") or "its state may differ from another's")
    if state == "fenced":
        mend = "See docs/recovering.md, restored backup: it may have to begin a new log."
        found.append(error("cluster", f"this node takes part no more: {reason}", mend))
    elif not cluster.get("ready", True) and state == "serving" and DIVERGED not in reason:
        # It holds what there is to hold, so what is wrong is what it made of it.
        mend = "Find out what differs: aimem-node verify --deep, on the other members too."
        said = f"this node is not ready: {reason}"
        found.append(error("cluster", said, mend))
    elif not cluster.get("ready", True) and DIVERGED not in reason:
        mend = "Nothing need be done if it is catching up: aimem-node status --watch"
        found.append(warning("cluster", f"this node is not ready ({state}): {reason}", mend))
    address = str(cluster.get("address") or "")
    if address and not is_alone(cluster) and not _answering([address])[address]:
        mend = "Give the address that others can reach: aimem-node run --advertise HOST:PORT"
        said = f"the others are told {plain(address)}, which does not answer even from here"
        found.append(warning("cluster", said, mend))
    return found


def _histories(cluster: Mapping[str, Any], members: list[dict[str, Any]]) -> list[Finding]:
    """Forks, and states that differ though they were made from the same ops."""
    found = [
        error(
            "cluster", f"two histories exist of the log {plain(log)}",
            "A machine ran twice, from a copy or a backup. See docs/recovering.md, fork.",
        )
        for log in cluster.get("forked") or ()
    ]  # fmt: skip
    reasons = [(called(one), plain(one.get("reason") or "")) for one in members]
    reasons.append(("this node", plain(cluster.get("reason") or "")))
    for who, reason in reasons:
        if DIVERGED in reason:
            mend = "Find out which: aimem-node verify --deep on both; then with --repair."
            found.append(error("cluster", f"{who}: {reason}", mend))
    return found


def _reach(members: list[dict[str, Any]], up_ms: int) -> list[Finding]:
    """Members that are out of reach, and for how long."""
    away = [one for one in members if one.get("state") == "unreachable"]
    answering = _answering(str(one["address"]) for one in away if one.get("address"))
    found: list[Finding] = []
    for one in away:
        # Who was never heard of has been away at least since this node started.
        away_ms = up_ms if one.get("heard_ms") is None else int(one["heard_ms"])
        who = called(one)
        how_long = "never heard of" if one.get("heard_ms") is None else f"away for {since(away_ms)}"
        if one.get("heard_ms") is None and up_ms:
            how_long += f" since this node started {since(up_ms)} ago"
        if away_ms > GONE_MS:
            mend = f"If it does not come back: aimem-node evict {str(one['node_id'])[:ID_CHARS]}"
            found.append(
                warning("cluster", f"{who} is {how_long}; until it is evicted logs grow", mend)
            )
        elif away_ms > ABSENT_MS:
            mend = "Start it. While it is away, no log can be shortened."
            found.append(warning("cluster", f"{who} is {how_long}", mend))
        else:
            found.append(warning("cluster", f"{who} is {how_long}", _way(one, answering)))
    voters = [one for one in members if one.get("role") == "voter"]
    near = sum(1 for one in voters if one not in away)
    majority = len(voters) // 2 + 1
    if near < majority:
        said = f"{near} of {len(voters)} voters in reach, {majority} are needed: writes wait"
        mend = (
            "Bring back the others; if they are lost for good, docs/recovering.md, lost majority."
        )
        found.append(error("cluster", said, mend))
    return found


def _way(member: Mapping[str, Any], answering: Mapping[str, bool]) -> str:
    address = str(member.get("address") or "")
    if not address:
        return "It only dials: look on its machine with aimem-node status."
    if answering.get(address):
        return f"{plain(address)} answers: compare keys there with aimem-node members --pins."
    return f"{plain(address)} does not answer: see that its machine runs and lets us in."


def _clocks(members: list[dict[str, Any]]) -> list[Finding]:
    found: list[Finding] = []
    for one in members:
        off_ms = int(one.get("clock_offset_ms") or 0)
        # Of a member that is away it is what its clock was, and may long have been set.
        if abs(off_ms) > CLOCK_OFF_MS and one.get("state") != "unreachable":
            mend = "Set the clocks (timedatectl set-ntp true on both)."
            said = f"the clock of {called(one)} is {offset(off_ms)} from the one here"
            found.append(warning("cluster", said, mend))
    return found


def _pending(cluster: Mapping[str, Any]) -> list[Finding]:
    oldest_ms = int(cluster.get("pending_oldest_ms") or 0)
    if not cluster.get("pending_writes") or oldest_ms <= PENDING_OLD_MS:
        return []
    said = (
        f"{cluster['pending_writes']} writes are on too few disks, the oldest for "
        f"{since(oldest_ms)}"
    )
    mend = "They spread by themselves once enough members are in reach: aimem-node status"
    return [warning("cluster", said, mend)]


def _answering(addresses: Iterable[str]) -> dict[str, bool]:
    """Which addresses somebody listens at. All are tried at once."""
    wanted = sorted(set(addresses))[:KNOCKS_MAX]
    if not wanted:
        return {}
    with ThreadPoolExecutor(len(wanted)) as pool:
        return dict(zip(wanted, pool.map(answers, wanted), strict=True))


def answers(address: str) -> bool:
    """Whether somebody listens at host:port. A port that is no number is nobody's."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCK_S):
            return True
    except (OSError, ValueError, OverflowError):
        return False
