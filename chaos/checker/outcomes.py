"""(b) fail means never, (c) unknown means the same for everybody, and one key means one deed.

What an attempt was told binds that attempt alone: a refusal says nothing about earlier attempts
with the same key. So a key is held to "never" only if nobody was ever told anything else.
"""

from __future__ import annotations

from itertools import pairwise

from chaos.checker.case import Case, Deed
from chaos.checker.check import Check
from chaos.checker.evidence import LogOp


def refused(case: Case) -> Check:
    """(b) Nothing stands in any log that every attempt was told was not done."""
    keyed = [deed for deed in case.deeds if deed.idem]
    failed = [deed for deed in keyed if deed.end == "fail"]
    broken = tuple(
        f"{deed} was refused, and is in the log as {case.name_of(ops[0].dot)}"
        for deed in failed
        for ops in case.made_by.get(deed.idem, {}).values()
    )
    return Check(
        "(b) what was refused is nowhere", len(keyed), broken, f"{len(failed)} were refused"
    )


def unknown(case: Case) -> Check:
    """(c) What may have been done is done on all nodes or on none."""
    keyed = [deed for deed in case.deeds if deed.idem]
    open_ones = [deed for deed in keyed if deed.end == "info"]
    broken, done = [], 0
    for deed in open_ones:
        ops = [op for group in case.made_by.get(deed.idem, {}).values() for op in group]
        done += bool(ops)
        for op in ops:
            absent = [state.name for state in case.members if not state.has(op.dot)]
            if absent:
                broken.append(f"{deed}: {case.name_of(op.dot)} is not at {', '.join(absent)}")
    return Check(
        "(c) what is unknown is the same everywhere", len(keyed), tuple(broken),
        f"{len(open_ones)} stayed unknown, {done} of them were done",
    )  # fmt: skip


def once(case: Case) -> Check:
    """I10: one key has at most one group of ops in each log, and makes one record."""
    keyed = [deed for deed in case.deeds if deed.idem]
    broken = [f"{deed}: {why}" for deed in keyed if (why := _repeated(case, deed))]
    return Check("(c) one request key, one deed (I10)", len(keyed), tuple(broken))


def _repeated(case: Case, deed: Deed) -> str:
    named = {told.key for told in deed.oks if told.key}
    if len(named) > 1 and deed.f == "put":
        return f"answers name {len(named)} records: {', '.join(sorted(named))}"
    groups = case.made_by.get(deed.idem, {})
    for origin, group in groups.items():
        if not _is_one_write(group) or _is_more_than_told(deed, origin, group):
            return f"done {len(group)} times over in one log, at {case.name_of(group[0].dot)}"
    about = [{op.record for op in group} for group in groups.values()]
    if len(about) > 1 and not set.intersection(*about):
        return f"made {len(set.union(*about))} records on {len(about)} nodes"
    return ""


def _is_one_write(group: tuple[LogOp, ...]) -> bool:
    """Whether these ops were written together: they follow one another, and at one moment."""
    follows = all(b.seq == a.seq + 1 for a, b in pairwise(group))
    return follows and len({op.wall_us for op in group}) == 1


def _is_more_than_told(deed: Deed, origin: str, group: tuple[LogOp, ...]) -> bool:
    """Whether more was written in this log than any answer named."""
    answers = [a.told.write_ids for a in deed.attempts if a.told is not None]
    told = [sum(dot.startswith(f"{origin}:") for dot in dots) for dots in answers]
    return 0 < max(told, default=0) < len(group)
