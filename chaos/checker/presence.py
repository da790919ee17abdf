"""(a) Set-full and (g) survivors: what was acknowledged is there, whoever is asked.

What is not there must be explained by something else that a client wanted and that may have been
done: a record by a deed that takes records away, a tag by one that takes that tag away. Deeds that
were refused for certain explain nothing. Whether the explanation is the *right* one is for the
reference model to say; this check needs nobody's logs but to find the ops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any, Final

from chaos.checker.case import Case, Deed
from chaos.checker.check import Check
from chaos.checker.evidence import State
from chaos.checker.reading import visibility

DELETES: Final = ("delete", "purge")
ARCHIVES: Final = ("archive",)
TAGGING: Final = ("tag", "put", "update")
BRINGS_BACK: Final = ("update", "tag", "untag", "promote", "restore", "count")
"""A concurrent edit wins over a removal, on purpose."""


def set_full(case: Case) -> Check:
    """(a) Every acknowledged deed is in every log, and what it did is to be seen or explained."""
    lost = [
        f"{deed}: {case.name_of(dot)} is not at {', '.join(absent)}"
        for deed in case.written
        for dot in deed.write_ids
        if (absent := [state.name for state in case.members if not state.has(dot)])
    ]
    unexplained = [
        f"{deed}: {why} at {state.name}"
        for deed in case.written
        for state in case.members
        if (why := _missing(case, deed, state))
    ]
    tried = len(case.written) if case.members else 0
    return Check(
        "(a) what was acknowledged is there", tried, (*lost, *unexplained),
        f"lost {len(lost)}, not to be seen {len(unexplained)}; {visibility(case)}",
    )  # fmt: skip


def _missing(case: Case, deed: Deed, state: State) -> str:
    """What is not as this deed left it, and nobody has changed since; empty if all is."""
    if deed.f == "vote":
        return _no_trace(case, deed, state)
    record = state.records.get(deed.key)
    if deed.f in {*DELETES, *ARCHIVES}:
        return _not_gone(case, deed, record)
    if record is None:
        return "" if any(case.done_to(deed.key, "purge")) else "no such record"
    if deed.f == "count":
        return ""  # see counting
    if not record.get("alive", True):
        return "" if _may_be_gone(case, deed) else "gone, and nobody deleted it"
    if record.get("archived") and not any(case.done_to(deed.key, *ARCHIVES)):
        return "in the archive, and nobody put it there"
    return _wrong_text(case, deed, record) or _wrong_tags(case, deed, record)


def _no_trace(case: Case, deed: Deed, state: State) -> str:
    """A vote's key names what is asked for; what is kept of it, and what it made, say its ops."""
    named = (case.ops[dot].record for dot in deed.write_ids if dot in case.ops)
    absent = [record for record in named if record not in state.records]
    return f"no record {absent[0]}" if absent else ""


def _may_be_gone(case: Case, deed: Deed) -> bool:
    """Whether somebody may have taken it away, or an end of it if it is a link."""
    ends = [deed.value.get("source_id"), deed.value.get("target_id")] if deed.f == "link" else []
    return any(
        any(case.done_to(str(one), *DELETES, "invalidate")) for one in (deed.key, *ends) if one
    )


def _not_gone(case: Case, deed: Deed, record: Mapping[str, Any] | None) -> str:
    gone = record is None or not record.get("alive", True)
    if gone or (deed.f in ARCHIVES and record is not None and record.get("archived")):
        return ""
    if any(case.done_to(deed.key, *BRINGS_BACK)):
        return ""
    if deed.f in DELETES and any(case.done_to(deed.key, *ARCHIVES)):
        return ""
    return "it lives, and nobody brought it back"


def _wrong_text(case: Case, deed: Deed, record: Mapping[str, Any]) -> str:
    """Text that nobody wrote."""
    for name in ("title", "content"):
        if deed.f in {"put", "update"} and name in deed.value and name in record:
            said = {
                one.value[name]
                for one in case.done_to(deed.key, "put", "update")
                if name in one.value
            }
            if record[name] not in said:
                return f"{name} is {record[name]!r}, which nobody wrote"
    return ""


def _wrong_tags(case: Case, deed: Deed, record: Mapping[str, Any]) -> str:
    tags = record.get("tags", ())
    for tag in deed.value.get("add", ()):
        taken = any(tag in one.value.get("remove", ()) for one in case.done_to(deed.key, "untag"))
        if tag not in tags and not taken:
            return f"the tag {tag} is not there, and nobody took it away"
    for tag in deed.value.get("remove", ()):
        added = any(
            tag in (*one.value.get("add", ()), *one.value.get("tags", ()))
            for one in case.done_to(deed.key, *TAGGING)
        )
        if tag in tags and not added:
            return f"the tag {tag} is there, and nobody put it there"
    return ""


def survivors(case: Case) -> Check:
    """(g) Whichever W-1 nodes are taken away, the others hold all that was acknowledged."""
    groups: Counter[tuple[int, frozenset[str]]] = Counter()
    example: dict[tuple[int, frozenset[str]], str] = {}
    majority = len(case.members) // 2 + 1
    for deed in case.written:
        needed = max([told.w for told in deed.oks if told.w] or [majority])
        for dot in deed.write_ids:
            group = (needed, frozenset(s.name for s in case.members if s.has(dot)))
            groups[group] += 1
            example.setdefault(group, f"{deed}: {case.name_of(dot)}")
    tried, broken = 0, []
    for (needed, holders), count in sorted(groups.items(), key=str):
        for gone in _choices([state.name for state in case.members], needed - 1):
            tried += count
            if holders <= gone:
                without = f"without {', '.join(sorted(gone))}" if gone else "even with all nodes"
                broken.append(f"{count} ops are gone {without}, such as {example[needed, holders]}")
    return Check("(g) it survives any W-1 nodes", tried, tuple(broken))


def _choices(names: list[str], count: int) -> Iterator[frozenset[str]]:
    for gone in combinations(names, max(0, min(count, len(names) - 1))):
        yield frozenset(gone)
