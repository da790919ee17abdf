"""Links as lines: what is said of what, from when until when, and who says so. And what was done
to them and to memories, step by step.

A link knows ids and not titles. Titles stand beside it, in the row itself or among the memories
that came with the answer, and are told where they are known; an id is told always, for the next
command needs it. One that was followed against its direction is still told the way it was said.
"""

from __future__ import annotations

from aimem_node.gateways.cli.look import Look, moment, plain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

ID_CHARS = 8
"""Enough of an id to give it to a command."""


def is_fact(row: Mapping[str, Any]) -> bool:
    """Whether a row says something of a memory."""
    return "target_id" in row and "relation" in row


def lines(rows: list[dict[str, Any]], look: Look, around: Mapping[str, Any]) -> list[str]:
    """One line a link. `around` is the answer that they are part of."""
    titles = _titles(rows, around)
    source = str(around.get("source_id") or "")
    return [_line(row, titles, source, look) for row in rows]


def is_step(row: Mapping[str, Any]) -> bool:
    """Whether a row is a step that was done to memories and can be undone."""
    return "action" in row and "sources" in row and "done_at" in row


def step(row: dict[str, Any], look: Look) -> list[str]:
    """When, what, of which memories, and the id to undo it with."""
    made = plain(row.get("result_id") or "")[:ID_CHARS]
    of = [plain(one)[:ID_CHARS] for one in row["sources"] if one != row.get("result_id")]
    what = " → ".join(part for part in (", ".join(of), made) if part)
    undone = moment(row.get("reversed_at"))
    where = [f"in {plain(row['namespace'])}"] if row.get("namespace") else []
    where += [f"by {plain(row.get('agent_id') or row.get('author') or '')}"]
    where += [f"undone {undone}"] if undone else []
    verb = look.paint("bold", plain(row["action"]).replace("_", " "))
    head = f"{moment(row['done_at'])}  {verb}  {what}  {look.paint('dim', ', '.join(where))}"
    return [head, "  " + look.paint("dim", plain(row["id"]))]


def is_pair(row: Mapping[str, Any]) -> bool:
    """Whether a row is two memories that say nearly the same."""
    return isinstance(row.get("keep"), dict) and isinstance(row.get("other"), dict)


def pair(row: dict[str, Any], look: Look) -> str:
    """How alike, and which of the two to keep."""
    kept, other = row["keep"], row["other"]
    where = [plain(one.get("namespace") or "") for one in (kept, other)]
    places = look.paint("dim", " · ".join(dict.fromkeys(where)))
    names = [f"{plain(one['title'])} ({plain(one['id'])[:ID_CHARS]})" for one in (kept, other)]
    return f"{row['similarity']:>4.0%} alike  keep {names[0]}, not {names[1]}  {places}"


def _titles(rows: list[dict[str, Any]], around: Mapping[str, Any]) -> dict[str, str]:
    """What is known of titles, by id."""
    known = {str(row["target_id"]): str(row["title"]) for row in rows if row.get("title")}
    for those in around.values():
        for one in those if isinstance(those, list) else ():
            if isinstance(one, dict) and "id" in one and one.get("title"):
                known[str(one["id"])] = str(one["title"])
    return known


def _line(row: dict[str, Any], titles: dict[str, str], source: str, look: Look) -> str:
    about = str(row["target_id"])
    says = str(row.get("source_id") or source)
    if row.get("direction") == "in":
        says, about = about, says
    relation = plain(row.get("relation") or "").replace("_", " ")
    said = f"{_named(says, titles)} {relation} {_named(about, titles)}".strip()
    return f"{said}  {look.paint('dim', ', '.join(_when_and_who(row)))}".rstrip()


def _named(record_id: str, titles: dict[str, str]) -> str:
    title = titles.get(record_id)
    cut = plain(record_id)[:ID_CHARS]
    return f"{plain(title)} ({cut})" if title else cut


def _when_and_who(row: dict[str, Any]) -> list[str]:
    since, until = moment(row.get("valid_from")), moment(row.get("valid_until"))
    before = moment(row.get("previous_valid_until"))
    steps = [step[:ID_CHARS] for step in plain(row.get("path") or "").split("->")]
    signs = ", ".join(plain(sign) for sign in row.get("signs") or ())
    facts = [
        f"from {since}" if since else "",
        f"until {until}" if until else "",
        f"before: until {before}" if before else "",
        f"says {plain(row['observed_by'])}" if row.get("observed_by") else "",
        "said by nobody" if row.get("synthesized") else "",
        f"seen by: {signs}" if signs else "",
        plain(row.get("state") or ""),
        f"{len(steps) - 1} steps: {' → '.join(steps)}" if len(steps) > 2 else "",
    ]
    return [fact for fact in facts if fact]
