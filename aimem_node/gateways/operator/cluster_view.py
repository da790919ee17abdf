"""A cluster on one screen: who belongs, how far each is, and what waits for somebody.

What a row of the table cannot say (why a member is not in sync, a knock, a fork) stands below it
in words, with the command that helps.
"""

from collections.abc import Mapping
from typing import Any

from aimem_node.gateways.cli.look import Look, moment, plain, size, wrapped
from aimem_node.gateways.operator.peer_pins import REVOKED, PeerPin
from aimem_node.gateways.operator.tables import Column, milliseconds, offset, since, table

ID_CHARS = 8
FINGERPRINT_CHARS = 12
"""Enough to tell two keys apart by eye; approve takes as little as 8."""

_STANDING = (
    Column("member", gives_way=True), Column("role"), Column("state"),
    Column("lag ops", right=True), Column("behind", right=True), Column("ack", right=True),
    Column("clock", right=True), Column("heard", right=True),
)  # fmt: skip
_MEMBERS = (
    Column("name", gives_way=True), Column("node"), Column("role"),
    Column("address", gives_way=True), Column("key"), Column("state"),
)  # fmt: skip
_ORIGINS = (
    Column("member", gives_way=True), Column("log of", gives_way=True),
    Column("has", right=True), Column("lacks", right=True),
)  # fmt: skip


def is_alone(cluster: Mapping[str, Any]) -> bool:
    """Whether this node has no other members."""
    return len(cluster.get("members") or ()) <= 1


def called(member: Mapping[str, Any]) -> str:
    """What people call a member."""
    return plain(member.get("name") or str(member.get("node_id"))[:ID_CHARS])


def standing(cluster: Mapping[str, Any], look: Look, origins: bool = False) -> list[str]:
    """How the cluster is: a few facts, the table, and what needs somebody."""
    facts = _facts(cluster)
    lines = [f"  {name.ljust(10)}{said}" for name, said in facts]
    if not is_alone(cluster):
        inner = Look(look.colours, look.width - 2)
        lines += ["", *(f"  {line}" for line in _standing_table(cluster, inner))]
        if origins:
            lines += ["", *(f"  {line}" for line in _origin_table(cluster, inner))]
    notes = _notes(cluster)
    if notes:
        lines.append("")
        for note in notes:
            lines += [f"  {look.paint('warn', line)}" for line in wrapped(note, look.width - 2)]
    return lines


def _facts(cluster: Mapping[str, Any]) -> list[tuple[str, str]]:
    short = plain(str(cluster.get("cluster_id") or ""))[:ID_CHARS]
    if is_alone(cluster):
        return [("cluster", f"{short}, alone (to add a machine: aimem-node invite)")]
    said = (
        f"{short}, epoch {cluster.get('epoch')}, N={cluster.get('voters')}, "
        f"W={cluster.get('needed')}, {cluster.get('in_sync')} in sync"
    )
    facts = [("cluster", said)]
    if cluster.get("address"):
        facts.append(("peers at", plain(cluster["address"])))
    pending = int(cluster.get("pending_writes") or 0)
    oldest = since(int(cluster.get("pending_oldest_ms") or 0))
    facts.append(
        ("pending", f"{_count(pending, 'write')}, the oldest {oldest}" if pending else "0")
    )
    return facts


def _standing_table(cluster: Mapping[str, Any], look: Look) -> list[str]:
    rows: list[list[str]] = []
    for one in cluster["members"]:
        itself = one.get("state") == "self"
        rows.append(
            [
                called(one) + (" *" if itself else ""),
                _text(one, "role"),
                _text(one, "state"),
                "" if itself else f"{int(one.get('lag_ops') or 0):,}",
                "" if itself else size(one.get("lag_bytes")),
                "" if itself else milliseconds(one.get("ack_ms")),
                "" if itself else offset(one.get("clock_offset_ms")),
                "" if itself else since(one.get("heard_ms")),
            ]
        )
    return table(_STANDING, rows, look)


def _origin_table(cluster: Mapping[str, Any], look: Look) -> list[str]:
    names = names_of(cluster)
    rows = [
        [called(one), log_of(str(log.get("origin")), names), f"{int(log.get('have') or 0):,}",
         f"{int(log.get('lag_ops') or 0):,}"]
        for one in cluster["members"]
        for log in one.get("origins") or ()
    ]  # fmt: skip
    return table(_ORIGINS, rows, look) if rows else []


def names_of(cluster: Mapping[str, Any]) -> dict[str, str]:
    """What people call each member, by node id."""
    return {str(one.get("node_id")): called(one) for one in cluster.get("members") or ()}


def log_of(origin: str, names: Mapping[str, str]) -> str:
    """An origin with its node's name in the place of the id."""
    node_id = next((known for known in names if origin.startswith(known)), "")
    return f"{names[node_id]}{plain(origin[len(node_id) :])}" if node_id else plain(origin)


def _notes(cluster: Mapping[str, Any]) -> list[str]:
    notes: list[str] = []
    state, reason = str(cluster.get("state") or "serving"), plain(cluster.get("reason") or "")
    if state != "serving":
        notes.append(f"{state}: {reason}" if reason else state)
    elif not cluster.get("ready", True):
        notes.append("not ready" + (f": {reason}" if reason else ""))
    for one in cluster.get("members") or ():
        if one.get("reason") and one.get("state") not in ("self", "in sync"):
            notes.append(f"{called(one)}: {plain(one['reason'])}")
        if one.get("ahead_ops"):
            lacks = _count(int(one["ahead_ops"]), "op")
            notes.append(f"{called(one)} has {lacks} that this node lacks")
    forked = cluster.get("forked") or ()
    notes += [f"two histories of {plain(log)}: see docs/recovering.md, fork" for log in forked]
    return notes + [_knock(knock) for knock in cluster.get("knocks") or ()]


def _knock(knock: Mapping[str, Any]) -> str:
    fingerprint = _text(knock, "fingerprint")[:16]
    who = f"{plain(knock.get('name') or 'a machine')} at {plain(knock.get('address') or '?')}"
    when = moment(knock.get("at"))
    return f"{who} knocked{f' at {when}' if when else ''}: aimem-node approve {fingerprint}"


def members(cluster: Mapping[str, Any], look: Look, everyone: bool = False) -> list[str]:
    """The list of members and their keys. `everyone`: the revoked ones too."""
    rows: list[list[str]] = []
    for one in cluster.get("members") or ():
        keys = [plain(key)[:FINGERPRINT_CHARS] for key in one.get("fingerprints") or ("",)]
        rows.append(
            [
                _text(one, "name"), _text(one, "node_id")[:ID_CHARS],
                _text(one, "role"), _text(one, "address") or "(only dials)", keys[0],
                _text(one, "state"),
            ]
        )  # fmt: skip
        rows += [["", "", "", "", key, ""] for key in keys[1:]]
    lines = table(_MEMBERS, rows, look) if rows else []
    revoked = cluster.get("revoked") or ()
    if everyone:
        lines += ["", f"{_count(len(revoked), 'key')} revoked for ever"]
        lines += [f"  {plain(key)}" for key in revoked]
    return lines


def pins(cluster: Mapping[str, Any], everyone: bool = False) -> list[PeerPin]:
    """The keys of all members; `everyone`: the revoked ones too."""
    found = [
        PeerPin(
            str(key), str(one.get("role")), str(one.get("name") or ""),
            str(one.get("node_id")), str(one.get("address") or ""),
        )
        for one in cluster.get("members") or ()
        for key in one.get("fingerprints") or ()
    ]  # fmt: skip
    if everyone:
        found += [PeerPin(str(key), REVOKED) for key in cluster.get("revoked") or ()]
    return sorted(found)


def _text(value: Mapping[str, Any], name: str) -> str:
    return plain(value.get(name) or "")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
