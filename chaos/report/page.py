"""The report of one run as one file: it needs no network, no script and nobody to explain it.

First whether it holds, then what was tried, then what was done and how long it was felt. Nothing
on it is worked out in the browser, so what is printed is what was judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from chaos.checker import LEFT_OUT, Check
from chaos.report import plain
from chaos.report.drawing import drawn, legend
from chaos.report.facts import UNKNOWN, Facts
from chaos.report.markup import Markup, cell, document, element, joined, table
from chaos.report.strikes import Strike, words
from chaos.report.style import STYLE
from chaos.report.timeline import OpenDeed, Timeline

EXAMPLES_SHOWN: Final = 5
EXAMPLE_CHARS: Final = 400
"""An example may quote a whole record."""
NOTHING_HAPPENED: Final = (
    "Nothing was recorded: no client asked for anything and nothing was broken. This shows nothing."
)
ENDS: Final = {
    "ok": "acknowledged",
    "info": "never known",
    "fail": "refused",
}


def run_page(facts: Facts, checks: Sequence[Check], line: Timeline) -> str:
    """The whole page."""
    body = (
        element("h1", facts.title),
        verdict_box(checks),
        _cards(checks, line),
        facts_list(facts),
        element("h2", "What had to hold"),
        _checks(checks),
        element("h2", "What happened, and when"),
        _timeline(line),
        element("h2", "What was broken"),
        _strikes(line),
        element("h2", "Writes that stayed open longest"),
        _longest(line),
    )
    return document(f"{facts.title}: {'holds' if plain.holds(checks) else 'BROKEN'}", STYLE, body)


def verdict_box(checks: Sequence[Check]) -> Markup:
    """In a word, and why."""
    judged = [check for check in checks if check.name != LEFT_OUT]
    broken = [check for check in judged if not check.holds]
    if plain.holds(checks):
        said = f"All {plain.counted(len(judged), 'check')} hold."
        return _verdict("HOLDS", said, "verdict")
    if not judged:
        return _verdict("BROKEN", "Nothing was judged, so nothing is shown.", "verdict broken")
    named = "; ".join(check.name for check in broken)
    said = f"{len(broken)} of {plain.counted(len(judged), 'check')} do not hold: {named}."
    return _verdict("BROKEN", said, "verdict broken")


def _verdict(word: str, said: str, kind: str) -> Markup:
    return element("div", element("b", word), element("span", said), class_=kind)


def facts_list(facts: Facts) -> Markup:
    """Where it comes from, and how to do it again."""
    entries = (
        ("faults", facts.fault),
        ("nodes", f"{facts.nodes}" + (f", W = {facts.w} confirm a write" if facts.w else "")),
        ("seed", UNKNOWN if facts.seed < 0 else facts.seed),
        ("commit", facts.commit),
        ("hardware", facts.hardware),
        ("made", f"{facts.date}, in {facts.seconds:.0f} s"),
    )
    again = (
        element("p", "To do it again: the same seed draws the same faults.", class_="faint small"),
        element("pre", element("code", facts.command)),
    )
    listed = element("dl", [(element("dt", name), element("dd", said)) for name, said in entries])
    return joined((listed, again if facts.command else None))


def card(value: str, what: str, more: str = "") -> Markup:
    """One figure, large."""
    return element("div", element("b", value), what, element("span", more), class_="card")


def _cards(checks: Sequence[Check], line: Timeline) -> Markup:
    there = next((check for check in checks if check.name.startswith("(a)")), None)
    own = [one for one in line.strikes if not one.within]
    whole = sum(one.whole for one in own)
    broken = "–" if there is None or not there.tried else str(len(there.broken))
    return element(
        "div",
        card(f"{line.acknowledged:,}", "writes acknowledged", f"{line.refused:,} refused"),
        card(broken, "findings against what was acknowledged", "goal: 0"),
        card(f"{line.unknown:,}", "writes never known", "judged all the same"),
        card(str(len(own)), "faults begun", f"{whole} taken away and healed"),
        _longest_card([one.writes_again_after_s for one in own], "until writes again"),
        _longest_card([one.level_after_s for one in own], "until all nodes level"),
        class_="cards",
    )


def _longest_card(times: Sequence[float | None], what: str) -> Markup:
    """The longest of these times: never, if it never came to one of them."""
    known = [time for time in times if time is not None]
    missing = len(times) - len(known)
    longest = plain.seconds(max(known, default=None))
    if not missing:
        return card(longest, what, "the longest")
    return card("never", what, f"{missing} of {len(times)}; else {longest} at most")


def _checks(checks: Sequence[Check]) -> Markup:
    if not checks:
        return element("p", "Nothing was judged.", class_="bad")
    rows = [
        (
            cell(
                element("b", check.name), element("br"), plain.meaning(check.name),
                element("div", check.note, class_="faint small") if check.note else None,
                _examples(check),
            ),
            cell(f"{check.tried:,}", number=True),
            cell(f"{len(check.broken):,}", number=True),
            cell(holds_word(check), kind="short"),
        )
        for check in checks
    ]  # fmt: skip
    return table(("check", "tried", "broken", ""), rows, (1, 2))


def holds_word(check: Check) -> Markup:
    """In words too: colours are not for everybody, and not for every printer."""
    if check.name == LEFT_OUT:
        return element("span", "not judged", class_="faint")
    if not check.tried and not check.broken:
        return element("span", "NOT TRIED", class_="bad")
    if check.holds:
        return element("span", "holds", class_="ok")
    return element("span", "BROKEN", class_="bad")


def _examples(check: Check) -> Markup | None:
    if not check.broken:
        return None
    shown = [element("li", _short(one)) for one in check.broken[:EXAMPLES_SHOWN]]
    more = len(check.broken) - len(shown)
    if more:
        shown.append(element("li", f"and {more:,} more, all of them in verdict.json"))
    return element("ul", shown, class_="small")


def _short(told: str) -> str:
    return told if len(told) <= EXAMPLE_CHARS else told[:EXAMPLE_CHARS] + " …"


def _timeline(line: Timeline) -> Markup:
    if not line.end_s:
        return element("p", NOTHING_HAPPENED, class_="bad")
    said = (
        "Each node has a lane. The number in a bar is that of the fault in the table below; the "
        "pale bands repeat below the lanes when faults lasted. The curves are of writes alone, "
        "of all clients of all nodes."
    )
    return joined((element("p", said, class_="faint small"), legend(), drawn(line)))


def _strikes(line: Timeline) -> Markup:
    if not line.strikes:
        return element("p", "Nothing was broken in this run.")
    heads = ("#", "fault", "at", "from", "lasted", "writes again", "all level", "proof, and more")
    rows = [_strike(one) for one in line.strikes]
    parts = [element("div", table(heads, rows, (0, 3, 4, 5, 6)), class_="wide")]
    if line.notes:
        noted = [f"{plain.seconds(at)}, {fault}: {said}" for at, fault, said in line.notes]
        parts.append(element("ul", [element("li", one) for one in noted], class_="small"))
    said = (
        "Both times count from when the fault was taken away: until every single node confirmed "
        "a write again, and until every node held what any node held at that moment."
    )
    return joined((element("p", said, class_="faint small"), parts))


def _strike(one: Strike) -> tuple[Markup, ...]:
    what, _ = plain.what_struck(one.fault)
    healed: Markup = cell(plain.seconds(one.writes_again_after_s), number=True)
    level: Markup = cell(plain.seconds(one.level_after_s), number=True)
    if one.within:
        healed = level = cell(f"see {one.within}", number=True, kind="faint")
    lasted: Markup = element("span", "never ended", class_="bad")
    if one.end_s is not None:
        lasted = joined(plain.seconds(one.end_s - one.begin_s))
        never = cell(element("span", "never", class_="bad"), number=True)
        if not one.within:
            healed = never if one.healed_s is None else healed
            level = never if one.level_s is None else level
    return (
        cell(str(one.number), number=True),
        cell(element("b", one.fault), element("div", what, class_="faint small") if what else None),
        cell(", ".join(one.nodes) or "the cluster", kind="short" if len(one.nodes) < 6 else ""),
        cell(plain.seconds(one.begin_s), number=True),
        cell(lasted, number=True),
        healed,
        level,
        cell(_short(words(one.detail)), kind="small"),
    )


def _longest(line: Timeline) -> Markup:
    if not line.longest:
        return element("p", "No client asked for a write.")
    heads = ("open for", "deed", "record", "asked", "tries", "became", "during", "written as")
    said = (
        "From the first question until a client knew, its pauses between tries included. What was "
        "never known is open to the end of the run."
    )
    rows = [_deed(one) for one in line.longest]
    return joined(
        (
            element("p", said, class_="faint small"),
            element("div", table(heads, rows, (0, 4)), class_="wide"),
        )
    )


def _deed(one: OpenDeed) -> tuple[Markup, ...]:
    became = element("span", ENDS[one.end], class_="bad" if one.end == "info" else None)
    during = ", ".join(map(str, one.during)) or "–"
    return (
        cell(plain.seconds(one.open_s), number=True),
        cell(one.f, kind="short"),
        cell(element("code", one.key)),
        cell(f"{plain.seconds(one.asked_s)} at {one.node}, {one.via}", kind="short"),
        cell(str(one.attempts), number=True),
        cell(became, kind="short"),
        cell(during),
        cell([element("code", dot, " ") for dot in one.write_ids] or "–", kind="small"),
    )
