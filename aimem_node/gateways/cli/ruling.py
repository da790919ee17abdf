"""Rules in words, and what waits for approval: who asked for what, by which rule, what to type."""

from __future__ import annotations

from aimem_node.gateways.cli.look import EMPTY, Look, duration, moment, plain, short, wrapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ID_CHARS = 8
"""Enough of an id to give it to a command."""
VALUE_CHARS_MAX = 60
"""Of each thing that was asked for. The whole is in --json."""


def rule(said: dict[str, Any]) -> str:
    """`delete: approve (human), may be loosened below`."""
    who = f" ({said['approver']})" if said.get("approver") else ""
    below = ", may be loosened below" if said.get("delegated") else ""
    return plain(f"{said.get('action')}: {said.get('level')}{who}{below}")


def policy(row: dict[str, Any], look: Look) -> list[str]:
    """What is set for one namespace: a line for each rule."""
    by = look.paint("dim", f"set by {plain(row['author'])}") if row.get("author") else ""
    said = [rule(one) for one in row.get("rules") or ()]
    quota = row.get("quota") or {}
    limits = [f"{short(most)} {name.replace('_', ' ')}" for name, most in quota.items()]
    said += [f"at most {', '.join(limits)}"] if limits else []
    said += [f"secrets: {plain(row['secrets'])}"] if row.get("secrets") else []
    if row.get("pending_secs"):
        said.append(f"what waits for approval waits {duration(int(row['pending_secs']))}")
    head = f"{look.paint('bold', plain(row['namespace']))}  {by}".rstrip()
    return [head, *(f"  {line}" for line in said or ["nothing"])]


def verdict(value: dict[str, Any], look: Look) -> list[str]:
    """Whether something may be done, why, and what each rule on the way says."""
    where = f", says {plain(value['set_at'])}" if value.get("set_at") else ""
    head = look.paint("bold", plain(value["verdict"]))
    lines = wrapped(f"{head}: {plain(value.get('reason') or '')}{where}", look.width)
    for one in value.get("rules") or ():
        counts = "" if one.get("counts") else "; loosened below, so it does not count"
        line = f"{plain(one['namespace'])}  {rule(one['rule'])}"
        lines.append(f"  {line}  {look.paint('dim', plain(one['verdict']) + counts)}")
    return lines


def waiting(row: dict[str, Any], look: Look, mark: str = "") -> list[str]:
    """One request: what, of whom, by which rule, until when; and while it waits, what to type."""
    indent = " " * len(mark)
    waits = row.get("status") == "pending"
    what = [plain(row["action_type"]).replace("_", " ")]
    what += [plain(row["memory_id"])[:ID_CHARS]] if row.get("memory_id") else []
    what += [f"in {plain(row['namespace'])}"] if row.get("namespace") else []
    state = look.paint("warn" if waits else "dim", plain(row.get("status") or ""))
    lines = [f"{mark}{look.paint('bold', ' '.join(what))}  {state}"]
    lines += wrapped(_asked(row.get("payload")), look.width, indent)
    facts = wrapped(" · ".join(_facts(row, waits)), look.width, indent)
    lines += [look.paint("dim", line) for line in facts]
    name = plain(row["id"])
    if not waits:
        return [*lines, indent + look.paint("dim", name)]
    words = [f"aimem pending {verb} {name[:ID_CHARS]}" for verb in ("approve", "reject")]
    return [*lines, indent + "  or  ".join(words)]


def _asked(payload: Any) -> str:
    said = payload.items() if isinstance(payload, dict) else ()
    parts = []
    for name, value in said:
        text = " ".join(short(value, name).split())
        text = text if len(text) <= VALUE_CHARS_MAX else text[: VALUE_CHARS_MAX - 1] + "…"
        if value not in EMPTY:
            parts.append(f"{plain(name).replace('_', ' ')}: {text}")
    return ", ".join(parts)


def _facts(row: dict[str, Any], waits: bool) -> list[str]:
    votes, quorum = len(row.get("approvals") or ()), int(row.get("quorum") or 1)
    decided = row.get("decided_by")
    facts = [
        f"asked by {who(row.get('requested_by'))} {moment(row.get('requested_at'))}",
        f"by the rule {plain(row.get('asking_rule'))}, set at {plain(row.get('set_at'))}",
        f"{votes} of {quorum} votes" if quorum > 1 else "",
        f"waits until {moment(row.get('expires_at'))}" if waits else "",
        f"decided by {who(decided)} {moment(row.get('decided_at'))}" if decided else "",
    ]
    return [fact for fact in facts if fact]


def who(principal: Any) -> str:
    """`user:ann@2c37545c`: a principal with enough of its node's id to tell it from others."""
    name, at, node = plain(principal or "").rpartition("@")
    is_node = len(node) == 32 and all(char in "0123456789abcdef" for char in node)
    return f"{name}@{node[:ID_CHARS]}" if at and is_node else plain(principal or "")
