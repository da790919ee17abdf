"""(i) What it cost, (j) that anything was done at all, (k) how long healing took.

A cluster that acknowledges nothing loses nothing; a run is only worth something if clients were
served before anything was broken and after all was whole again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from chaos.checker.case import Case
from chaos.checker.check import Check
from chaos.checker.evidence import Evidence
from chaos.checker.reading import rank

RATE_MIN: Final = 1.0
"""Acknowledged writes a second. All clients with their pauses make about five."""
WINDOW_S_MIN: Final = 1.0
"""A rate over less time than this is taken over this much."""

MESSAGES_PER_COPY_MAX: Final = 12.0
"""For one op and one receiver. Two are needed, an Append and its ack; loss, duplication and
partitions repeat some."""
BYTES_PER_COPY_MAX: Final = 64 * 1024
"""As above. An op of the workload takes less than 2 KiB; a snapshot for a machine that joins, and
what a cut connection has to send once more, count among them."""
MESSAGES_PER_PAIR_S: Final = 12.0
"""Between two nodes in one direction while nobody writes: two beats, and what asks whether they
still agree. Much more is a loop that nothing is written in."""
BYTES_PER_PAIR_S: Final = 32 * 1024
"""As above: a beat names the head of every log."""

EDGES_S: Final = 10.0
"""Nodes talk before the first client does, and after the last one."""


def traffic(case: Case) -> Check:
    """I17: messages and bytes stay in proportion to ops, receivers and time."""
    heads = [state.head for state in case.seen.states.values()]
    told = [head["traffic"] for head in heads if head.get("traffic")]
    messages = sum(int(one.get("messages", 0)) for one in told)
    size = sum(int(one.get("bytes", 0)) for one in told)
    receivers = max(1, len(heads) - 1)
    copies = len(case.ops) * receivers
    idle = _seconds(case) * receivers * (receivers + 1)
    broken = []
    if messages > copies * MESSAGES_PER_COPY_MAX + idle * MESSAGES_PER_PAIR_S:
        broken.append(f"{messages} messages for {copies} copies of ops in {_seconds(case):.0f} s")
    if size > copies * BYTES_PER_COPY_MAX + idle * BYTES_PER_PAIR_S:
        broken.append(f"{size} bytes for {copies} copies of ops in {_seconds(case):.0f} s")
    each = max(1, len(case.ops))
    note = f"{messages / each:.1f} messages and {size / each:.0f} bytes an op, beats and all"
    return Check("(i) traffic is bounded (I17)", len(case.ops), tuple(broken), note)


def _seconds(case: Case) -> float:
    times = [event.t_ns for event in case.seen.events] + [one.t_ns for one in case.seen.faults]
    return EDGES_S + ((max(times) - min(times)) / 1e9 if times else 0.0)


def progress(case: Case, rate_min_before: float, rate_min_after: float) -> Check:
    """Writes are acknowledged, before the first fault and after the last one has healed."""
    acks = sorted(deed.ok_ns for deed in case.deeds if deed.f != "count" and deed.end == "ok")
    asked = [deed.asked_ns for deed in case.deeds if deed.f != "count"]
    begins = [one.t_ns for one in case.seen.faults if one.phase == "begin"]
    wholes = [one.t_ns for one in case.seen.faults if one.phase == "healed"]
    if not acks:
        return Check("(j) clients are served", len(case.deeds), ("nothing was acknowledged",))
    first, last = min(asked), max(asked)
    broken, told = [], []
    before = _rate(acks, first, min(begins, default=last))
    told.append(f"{before:.1f}/s before")
    if before < rate_min_before:
        broken.append(f"{before:.2f} acknowledged writes a second before the first fault")
    if begins:
        after = _rate(acks, max(wholes), last) if wholes else 0.0
        told.append(f"{after:.1f}/s after")
        if after < rate_min_after:
            broken.append(f"{after:.2f} acknowledged writes a second after the last fault")
    note = f"{len(acks)} acknowledged, {', '.join(told)}"
    times = healing(case.seen)
    if times:
        healed = rank([one.healed_s for one in times if one.healed_s is not None], 0.95)
        level = rank([one.level_s for one in times if one.level_s is not None], 0.95)
        note += f"; writes again after p95 {healed:.2f} s, level after p95 {level:.2f} s"
    return Check("(j) clients are served", len(acks), tuple(broken), note)


def _rate(acks: Iterable[int], first_ns: int, last_ns: int) -> float:
    count = sum(first_ns <= at <= last_ns for at in acks)
    return count / max(WINDOW_S_MIN, (last_ns - first_ns) / 1e9)


@dataclass(frozen=True, slots=True)
class Healing:
    """How long one fault was felt after it had been taken away."""

    fault: str
    healed_s: float | None
    "Until every node confirmed a write; None if that never came."
    level_s: float | None
    "Until all nodes held the same."


def healing(seen: Evidence) -> list[Healing]:
    """(k) Every fault that was taken away, in the order in which that happened."""
    found: list[Healing] = []
    ended: dict[str, int] = {}
    healed: dict[str, float] = {}
    for one in seen.faults:
        if one.phase == "end":
            if one.fault in ended:
                found.append(Healing(one.fault, healed.pop(one.fault, None), None))
            ended[one.fault] = one.t_ns
        elif one.fault in ended and one.phase == "healed":
            healed[one.fault] = (one.t_ns - ended[one.fault]) / 1e9
        elif one.fault in ended and one.phase == "level":
            level_s = (one.t_ns - ended.pop(one.fault)) / 1e9
            found.append(Healing(one.fault, healed.pop(one.fault, None), level_s))
    found += [Healing(fault, healed.get(fault), None) for fault in ended]
    return found
