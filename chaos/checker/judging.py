"""All checks together.

What was never tried does not hold: a harness that forgets to write a file must not make a check
pass. Only what a run *cannot* have is left out, and a last line names it.
"""

from __future__ import annotations

from typing import Final

from chaos.checker import (
    counting,
    equality,
    outcomes,
    presence,
    progress,
    protocol,
    sessions,
)
from chaos.checker.case import Case
from chaos.checker.check import Check
from chaos.checker.evidence import Evidence

LEFT_OUT: Final = "not looked at"


def judge(
    evidence: Evidence,
    *,
    rate_min_before: float = progress.RATE_MIN,
    rate_min_after: float = progress.RATE_MIN,
) -> tuple[Check, ...]:
    """Every check, in the order of the letters; last, if there is any, what was not looked at.
    The rates are acknowledged writes a second, before the first fault and after the last."""
    case = Case(evidence)
    checks = (
        presence.set_full(case),
        outcomes.refused(case),
        outcomes.unknown(case),
        outcomes.once(case),
        equality.level(case),
        equality.folded(case),
        equality.logs(case),
        counting.counters(case),
        sessions.sessions(case),
        presence.survivors(case),
        protocol.acks(case),
        protocol.confirmed(case),
        protocol.configs(case),
        protocol.evictions(case),
        progress.traffic(case),
        progress.progress(case, rate_min_before, rate_min_after),
    )
    without = {check.name: why for check in checks if (why := _why_none(case, check))}
    looked = tuple(check for check in checks if check.name not in without)
    if not without:
        return looked
    named = "; ".join(f"{name}: {why}" for name, why in without.items())
    return (*looked, Check(LEFT_OUT, len(without), (), named))


def _why_none(case: Case, check: Check) -> str:
    """Why a check that was not tried could not be; empty if it was, or should have been."""
    if check.name.startswith("(i)"):
        told = any(state.head.get("traffic") for state in case.seen.states.values())
        return "" if told else "no head tells of traffic"
    if check.tried:
        return ""
    if check.name.startswith("(e)") and not any(
        deed.f == "count" and deed.end != "fail" for deed in case.deeds
    ):
        return "nothing was counted"
    if check.name.startswith("(d) it is the fold"):
        return equality.reach(case)
    if case.seen.is_simulated and check.name.startswith("(h)"):
        return "the simulator wrote none down"
    if "I12" in check.name and any(case.seen.served.values()):
        return "no head has the rosters of the epochs in which nodes answered"
    return ""
