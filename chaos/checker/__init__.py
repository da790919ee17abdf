"""Judge what a run left: pure, from files, for real clusters and for the simulator alike.

    python -m chaos.checker DIR [--json]

Checks are lettered as in the specification of chaos runs: (a) set-full, (b) refused, (c) unknown,
(d) equality, (e) counters, (f) sessions, (g) survivors, (h) what nodes told one another, (i)
traffic, (j) progress. Each can be shown a bad history and be seen to fail: see tests/chaos/checker.
"""

from chaos.checker.check import Check, table
from chaos.checker.evidence import Evidence, Unreadable, load, parsed
from chaos.checker.judging import LEFT_OUT, judge
from chaos.checker.progress import Healing, healing
from chaos.checker.tallying import Tally, tally

__all__ = [
    "LEFT_OUT",
    "Check",
    "Evidence",
    "Healing",
    "Tally",
    "Unreadable",
    "healing",
    "judge",
    "load",
    "parsed",
    "table",
    "tally",
]
