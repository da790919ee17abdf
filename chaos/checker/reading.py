"""What a read was shown, whatever kind of read it was.

A read is *about* some records: those that it would have to show if it knew of them. Of a Get that
is one memory, of a List all that was put into a namespace, of a Search what has the word in its
title. The simulator's reads show everything.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.checker.case import Case
from chaos.history import Event


@dataclass(frozen=True, slots=True)
class Shown:
    """What a read brought."""

    ids: frozenset[str]
    fields: Mapping[str, Mapping[str, Any]]
    "Per record: what was shown of it, if more than its id."
    about: frozenset[str]
    "Records that it would have shown if its node knew of them and they lived."
    archive_too: bool
    "Whether what is in the archive is shown as well."


class Reads:
    """What was put where, so that it can be said what a read was about."""

    def __init__(self, case: Case) -> None:
        self._in_namespace: dict[str, set[str]] = defaultdict(set)
        self._by_word: dict[str, set[str]] = defaultdict(set)
        self._all: frozenset[str] = frozenset(case.ops_of)
        for deed in case.deeds:
            if deed.f == "put" and deed.end == "ok":
                self._in_namespace[str(deed.value.get("namespace"))].add(deed.key)
                words = str(deed.value.get("title", "")).split()
                if words:
                    self._by_word[words[0]].add(deed.key)

    def shown(self, asked: Event, told: Event) -> Shown:
        """What an answer showed."""
        wanted = asked.value if isinstance(asked.value, Mapping) else {}
        value = told.value if isinstance(told.value, Mapping) else {}
        seen = told.seen or ()
        if isinstance(seen, Mapping):
            return Shown(frozenset(seen), seen, self._all, archive_too=True)
        ids = frozenset(map(str, seen if isinstance(seen, Sequence) else ()))
        if "get" in wanted:
            key = str(wanted["get"])
            fields = {key: value} if key in ids else {}
            return Shown(ids, fields, frozenset((key,)), archive_too=True)
        about: set[str] = set()
        if "list" in wanted and not value.get("more"):
            about = self._in_namespace[str(wanted["list"])]
        elif "search" in wanted:
            about = self._by_word[str(wanted["search"])]
        return Shown(ids, {}, frozenset(about), archive_too=False)


def visibility(case: Case) -> str:
    """How soon puts were to be seen by anybody, with or without a token, as Jepsen's set-full
    counts it: a put is *stale* if a read that began after its acknowledgement missed it, and was
    *never read* if no read that was about it came after it at all."""
    reads = Reads(case)
    seen_by: dict[str, list[tuple[int, bool]]] = defaultdict(list)
    for asked, told in case.reads:
        shown = reads.shown(asked, told)
        for record in shown.about:
            seen_by[record].append((asked.t_ns, record in shown.ids))
    stale, never, waits_ms = 0, 0, []
    for deed in case.deeds:
        if deed.f != "put" or deed.end != "ok" or _ends(case, deed.key):
            continue
        after = [(at, there) for at, there in seen_by[deed.key] if at >= deed.ok_ns]
        missed = [at for at, there in after if not there]
        never += not any(there for _, there in after)
        stale += bool(missed)
        waits_ms.append((max(missed) - deed.ok_ns) / 1e6 if missed else 0.0)
    return (
        f"stale {stale}, never read {never} of {len(waits_ms)} puts;"
        f" visible after p50 {rank(waits_ms, 0.5):.0f} ms, p99 {rank(waits_ms, 0.99):.0f} ms"
    )


def _ends(case: Case, record: str) -> bool:
    return any(case.done_to(record, "delete", "archive", "purge"))


def rank(values: Sequence[float], share: float) -> float:
    """The value that so large a share of all does not exceed; 0 of nothing."""
    ordered = sorted(values)
    if not ordered:
        return 0.0
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]
