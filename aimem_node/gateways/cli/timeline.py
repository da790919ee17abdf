"""The versions of a memory as a timeline: when, who, and what became of what.

A version carries whole values and not differences. What it changed is found by comparing it
with the latest value before it in the same page; the oldest entry of a page that is not the
last therefore shows its values without what they were.
"""

from __future__ import annotations

from aimem_node.gateways.cli.look import EMPTY, Look, cells, clock, cut, moment, plain, short

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

QUIET = frozenset({
    "updated_at", "accessed_at", "facts.author", "facts.created_at", "life.at", "life.by",
    "life.seen",
})  # fmt: skip
"""What changes along with everything else, or is in the entry's first line already."""
TIMES = frozenset({"expires_at", "facts.happened_at", "life.expires_at"})
"""Values in microseconds since the epoch."""
NAMES = {
    "expires_at": "ends", "facts.happened_at": "happened", "facts.session": "session",
    "facts.source": "source", "facts.agent_id": "said by", "body.title": "title",
    "body.content": "content", "body.metadata": "metadata", "life.is": "life",
    "life.reason": "because", "life.expires_at": "ended",
}  # fmt: skip
AT_FIRST = {"life.is": "live", "confidence": 1.0, "scope": "private", "expires_at": None}
"""What a first version need not say."""
ORDER = ("title", "content", "life", "because", "namespace", "tier", "ends", "priority", "tags")
CONTEXT_CHARS = 16
"""What stays before a change in a long text."""
ABSENT = object()


def lines(versions: list[dict[str, Any]], look: Look, more: bool) -> list[str]:
    """The timeline, in the order of the versions (newest first). more: there are older ones."""
    entries: list[list[str]] = []
    known: dict[str, Any] = {}
    for number, version in enumerate(reversed(versions)):
        first = number == 0 and not more
        entries.append(_entry(version, known, look, first))
    shown: list[str] = []
    for entry in reversed(entries):
        shown += ([""] if shown else []) + entry
    return shown


def _entry(version: dict[str, Any], known: dict[str, Any], look: Look, first: bool) -> list[str]:
    change = version.get("change") or {}
    changes = _changes(change, known, first)
    verb = "stored" if first else {"edit": "changed"}.get(str(version.get("kind")), "")
    verb = verb or plain(version.get("kind"))
    life = change.get("set", {}).get("life") if isinstance(change.get("set"), dict) else None
    if isinstance(life, dict) and life.get("is") in ("archived", "deleted"):
        verb = str(life["is"])
        changes = [one for one in changes if one[0] != "life"]
    head = [
        look.paint("bold", moment(version.get("written_at"), seconds=True)),
        verb,
        "by " + plain(version.get("author") or "?"),
    ]
    said = ["  ".join(head)]
    width = max((len(name) for name, *_ in changes), default=0)
    room = max(20, look.width - width - 4)
    for name, old, new in changes:
        label = look.paint("dim", name.ljust(width))
        both = new if old is None else f"{old} → {new}"
        if cells(both) <= room:
            said.append(f"  {label}  {both}")
            continue
        if old is None:
            said.append(f"  {label}  {cut(new, room)}")
            continue
        before, after = around_change(old, new)
        said.append(f"  {label}  {cut(before, room)}")
        said.append(f"  {' ' * width}→ {cut(after, room)}")
    if change.get("erased"):
        said.append("  " + look.paint("dim", "its text has been erased"))
    if version.get("conflicting"):
        named = ("content" if name == "body" else name for name in version["conflicting"])
        fields = ", ".join(plain(name) for name in named)
        text = f"conflict in {fields}: written beside another version without having seen it"
        said.append("  " + look.paint("warn", "! " + cut(text, max(20, look.width - 4))))
    return said


def _changes(
    change: dict[str, Any], known: dict[str, Any], first: bool
) -> list[tuple[str, str | None, str]]:
    """Name, old value (None where unknown) and new value of what differs; remembers the new."""
    found: list[tuple[str, str | None, str]] = []
    for path, value in _flat(change.get("set") or {}):
        before = known.get(path, ABSENT)
        known[path] = value
        if path in QUIET or value == before:
            continue
        if before is ABSENT and AT_FIRST.get(path, ABSENT) == value:
            continue
        if first and value in EMPTY:
            continue
        old = None if before is ABSENT else _said(path, before)
        found.append((NAMES.get(path, path.replace("_", " ")), old, _said(path, value)))
    tags = [sign + plain(name) for word, sign in (("tag", "+"), ("untag", "-"))
            for name in change.get(word) or ()]  # fmt: skip
    if tags:
        found.append(("tags", None, " ".join(tags)))
    counted = change.get("count") or {}
    if isinstance(counted, dict):
        for name, number in counted.items():
            before = known.get(f"count.{name}")
            known[f"count.{name}"] = number
            found.append((plain(name), None if before is None else short(before), short(number)))
    return sorted(found, key=lambda one: ORDER.index(one[0]) if one[0] in ORDER else len(ORDER))


def _flat(values: dict[str, Any]) -> list[tuple[str, Any]]:
    """The registers with what some of them hold, one level down: body.title, life.is."""
    pairs: list[tuple[str, Any]] = []
    for name, value in values.items():
        if name in ("body", "facts", "life") and isinstance(value, dict):
            pairs += [(f"{name}.{inner}", part) for inner, part in value.items()]
        else:
            pairs.append((name, value))
    return pairs


def _said(path: str, value: Any) -> str:
    if path in TIMES:
        return clock(value) if isinstance(value, int) else "never"
    text = short(value, path.rpartition(".")[2])
    return " ".join(text.split()) or "(none)"


def around_change(old: str, new: str) -> tuple[str, str]:
    """Two long texts from shortly before the place where they begin to differ."""
    same = 0
    while same < min(len(old), len(new)) and old[same] == new[same]:
        same += 1
    start = max(0, same - CONTEXT_CHARS)
    if start:
        # From the beginning of a word, if one begins near.
        space = old.find(" ", start, same)
        start = space + 1 if space >= 0 else start
    lead = "…" if start else ""
    return lead + old[start:], lead + new[start:]
