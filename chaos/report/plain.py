"""What each check means, for somebody who has never seen the project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chaos.checker import LEFT_OUT, Check
from chaos.faults import CLASSES

MEANS: Final = {
    "the run came to its end": "Nothing kept the run itself from being made as planned.",
    "every fault struck": "Each fault was really injected, with a proof taken from where it struck,"
    " and the cluster was whole again after it.",
    "nobody was let in": "No stranger, and nobody who had been shut out, was answered.",
    "(a)": "Every write that a client was told is done is on every node at the end.",
    "(b)": "A write that was refused for certain never appears anywhere.",
    "(c) what is unknown": "Where nobody knows whether a write was done, all nodes agree on it.",
    "(c) one request key": "A write that was sent again was done once.",
    "(d) all nodes": "All nodes hold the same records, compared hash by hash.",
    "(d) it is the fold": "What they hold follows from their logs, worked out a second time by code"
    " that is not theirs.",
    "(d) logs": "Every log is whole, and its chain of hashes verifies.",
    "(e)": "Counters show each count that was acknowledged, and none twice.",
    "(f)": "A client that has seen something never sees an older state, whichever node it asks.",
    "(g)": "Take any W-1 nodes away for good: everything acknowledged is still there.",
    "(h) confirmations": "A node that confirmed a write to another one still has it.",
    "(h) one list": "Nodes never disagree about who belongs to the cluster in one epoch.",
    "(h) the evicted": "A node that was shut out is told nothing any more.",
    "(i)": "Messages and bytes stay in proportion to what was written: no storms, no loops.",
    "(j)": "Writes were acknowledged before the first fault and after the last one."
    " A cluster that does nothing would lose nothing.",
    LEFT_OUT: "What this run could not have, and was therefore not judged.",
}
"""By how a check's name begins."""


def meaning(name: str) -> str:
    """A check in a sentence; empty if there is none for it."""
    return next((told for begin, told in MEANS.items() if name.startswith(begin)), "")


def what_struck(fault: str) -> tuple[str, str]:
    """What a class of faults does, and what it proves; empty if it is none of ours."""
    known = CLASSES.get(fault)
    return (known.what, known.proves) if known else ("", "")


def holds(checks: Sequence[Check]) -> bool:
    """Whether everything does. A run that was not judged at all shows nothing."""
    return bool(checks) and all(check.holds for check in checks)


def seconds(value: float | None, missing: str = "–") -> str:
    """A duration, to the hundredth."""
    return missing if value is None else f"{value:.2f} s"


def counted(count: int, one: str, many: str = "") -> str:
    """1 write, 2 writes."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
