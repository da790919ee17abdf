"""The report of a campaign: as a document to be read with the source, and as a page.

Both say the same, from the same tables of words. What missed a goal stands beside what met it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Final

from chaos.report import plain
from chaos.report.adding import (
    GOALS,
    LEVEL_P95_S_MAX,
    Spread,
    Sum,
    by_check,
    by_class,
    command,
    missed,
    seconds,
    share,
    undisturbed,
)
from chaos.report.facts import hardware
from chaos.report.markup import Inside, Markup, cell, document, element, joined, table
from chaos.report.result import RunResult
from chaos.report.style import STYLE

TITLE: Final = "Chaos campaign"
WHOLE: Final = 200
"""Cycles of every class in a campaign that was not cut short."""
NO_RUNS: Final = "No run was made, so nothing is shown."
GOAL_HEADS: Final = ("goal", "promised", "measured", "")
HEADS: Final = (
    "fault", "nodes", "runs", "cycles", "acked writes", "lost", "converged",
    "writes again, s (p50 / p95 / max)", "all level, s (p50 / p95 / max)", "runs broken", "goals",
)  # fmt: skip
CLASS_NUMBERS: Final = range(1, 10)
"""Which columns are figures."""
HOW: Final = (
    "Every cycle breaks a cluster of real processes under load, takes the fault away, and waits "
    "until it is whole. Both times count from when the fault was taken away: until every node "
    "confirmed a write again, and until every node held what any node held at that moment. "
    "Percentiles are nearest-rank; durations are rounded up, shares down. "
    "A cycle has no time if the cluster never came so far or the run ended first; a goal is then "
    "missed. What is lost and what converges is judged by all runs; how long it takes by those "
    "that had the machine to themselves, if there are some of every class and size, and else by "
    "all. The times in the table by class are of all runs, also of those that shared a processor."
)

Rows = list[tuple[str, ...]]


def campaign_markdown(results: Sequence[RunResult]) -> str:
    """The whole document."""
    lines = [f"# {TITLE}", ""]
    if not results:
        return "\n".join([*lines, NO_RUNS, ""])
    total = Sum.of(results)
    word = "BROKEN" if total.broken else "HOLDS"
    lines += [f"**{word}.** {_verdict(total)}", "", HOW, ""]
    lines += [f"- {name}: {_escaped(said)}" for name, said in _facts(results, total)]
    lines += ["", "## Goals", "", *_markdown(GOAL_HEADS, _goals(total))]
    lines += ["", "## By class of faults", "", *_markdown(HEADS, _classes(results, total))]
    lines += ["", "## By check", "", *_markdown(CHECK_HEADS, _checks(results))]
    lines += ["", "## What each class proves", ""]
    lines += _markdown(("fault", "what is done", "what holds if it holds"), _proofs(results))
    lines += ["", "## Runs that do not hold", ""]
    broken = _broken(results)
    lines += _markdown(BROKEN_HEADS, broken) if broken else ["None."]
    lines += [
        "",
        "## Seeds",
        "",
        *(f"- {_escaped(name)}: {seeds}" for name, seeds in _seeds(results)),
        "",
    ]
    return "\n".join(lines)


def campaign_page(results: Sequence[RunResult]) -> str:
    """The whole page."""
    if not results:
        return document(TITLE, STYLE, element("h1", TITLE), element("p", NO_RUNS, class_="bad"))
    total = Sum.of(results)
    good = total.broken == 0
    box = element(
        "div", element("b", "HOLDS" if good else "BROKEN"), element("span", _verdict(total)),
        class_="verdict" if good else "verdict broken",
    )  # fmt: skip
    listed = [(element("dt", name), element("dd", said)) for name, said in _facts(results, total)]
    broken = _broken(results)
    return document(
        f"{TITLE}: {'holds' if good else 'BROKEN'}", STYLE,
        element("h1", TITLE), box, element("p", HOW), element("dl", listed),
        element("h2", "Goals"), _table(GOAL_HEADS, _goals(total), (1, 2)),
        element("h2", "By class of faults"),
        element("div", _table(HEADS, _classes(results, total), CLASS_NUMBERS), class_="wide small"),
        element("h2", "How long until all nodes hold the same"), _spreads(by_class(results)),
        element("h2", "By check"), _table(CHECK_HEADS, _checks(results), range(2, 6)),
        element("h2", "What each class proves"),
        _table(("fault", "what is done", "what holds if it holds"), _proofs(results)),
        element("h2", "Runs that do not hold"),
        _table(BROKEN_HEADS, broken, (1, 2)) if broken else element("p", "None."),
        element("h2", "Seeds"),
        element("dl", [(element("dt", name), element("dd", said))
                       for name, said in _seeds(results)], class_="small"),
    )  # fmt: skip


def _verdict(total: Sum) -> str:
    runs = plain.counted(total.runs, "run")
    if total.broken:
        return f"{total.broken} of {runs} do not hold."
    miss = missed(total)
    goals = f" Missed: {'; '.join(one.what for one in miss)}." if miss else " Every goal is met."
    return f"All {runs} with {plain.counted(total.cycles, 'cycle')} hold.{goals}"


def _facts(results: Sequence[RunResult], total: Sum) -> list[tuple[str, str]]:
    dates = sorted(one.date for one in results)
    sizes = sorted({(one.nodes, one.w) for one in results})
    lasted = f"{total.seconds / 3600:.1f} hours" if total.seconds >= 3600 else (
        f"{total.seconds / 60:.1f} minutes"
    )  # fmt: skip
    return [
        ("runs", f"{total.runs:,}, {total.cycles:,} cycles, {lasted} in all"),
        ("of each class", _of_each(results)),
        ("writes", f"{total.acknowledged:,} acknowledged, {total.unknown:,} never known"),
        ("clusters", ", ".join(f"{nodes} nodes with W = {w}" for nodes, w in sizes)),
        ("commit", ", ".join(dict.fromkeys(one.commit for one in results))),
        ("side by side", _side_by_side(results)),
        ("faults lasted", _held(results)),
        ("hardware", f"{hardware()} (where this report was made)"),
        ("made", f"{dates[0]} to {dates[-1]}"),
    ]


def _of_each(results: Sequence[RunResult]) -> str:
    cycles: Counter[str] = Counter()
    for one in results:
        cycles[one.fault] += one.cycles
    least, most = min(cycles.values()), max(cycles.values())
    told = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    whole = "" if least >= WHOLE else f"; a whole campaign has {WHOLE} of each"
    classes = plain.counted(len(cycles), "class", "classes")
    return f"{told} cycles of each of {classes}{whole}"


def _side_by_side(results: Sequence[RunResult]) -> str:
    """How many runs shared the machine, and by which the goals of time are judged."""
    most = max(one.jobs for one in results)
    if most == 1:
        return "no: each run had the machine to itself"
    quiet = undisturbed(results)
    if len(quiet) == len(results):
        return f"{most} runs at a time: durations say as much about the machine as about the nodes"
    cycles = plain.counted(sum(one.cycles for one in quiet), "cycle")
    return (
        f"up to {most} runs at a time, but for {cycles} of all classes and sizes that had the"
        f" machine to themselves: by these the goals of time are judged"
    )


def _held(results: Sequence[RunResult]) -> str:
    """How long a fault could last, where its class draws a time: `--hold` of the campaign."""
    cycles: Counter[float] = Counter()
    for one in results:
        cycles[one.hold_s_max] += one.cycles
    return ", ".join(f"at most {most:g} s in {cycles[most]:,} cycles" for most in sorted(cycles))


def _goals(total: Sum) -> Rows:
    rows: Rows = [
        (one.what, one.promised, one.figure(total), "met" if one.met(total) else "MISSED")
        for one in GOALS
    ]
    also = f"all {total.cycles:,} cycles, also where runs shared the machine"
    if total.quiet_level != total.level:
        rows.append((f"all nodes hold the same, {also}", *_unjudged(total.level)))
    if total.quiet_healed != total.healed:
        rows.append((f"every node confirms writes again, {also}", *_unjudged(total.healed)))
    return rows


def _unjudged(spread: Spread) -> tuple[str, str, str]:
    """Of a row by which nothing is judged."""
    return "not promised", f"{_spread(spread)} s (p50 / p95 / max)", ""


def _classes(results: Sequence[RunResult], total: Sum) -> Rows:
    return [_class(one) for one in (*by_class(results), total)]


def _class(one: Sum) -> tuple[str, ...]:
    miss = ", ".join(goal.short for goal in missed(one))
    return (
        one.fault, str(one.nodes or "all"), f"{one.runs:,}", f"{one.cycles:,}",
        f"{one.acknowledged:,}", f"{one.lost:,}", share(one.convergence), _spread(one.healed),
        _spread(one.level), f"{one.broken:,}", f"MISSED: {miss}" if miss else "met",
    )  # fmt: skip


def _spread(one: Spread) -> str:
    told = " / ".join(seconds(value).removesuffix(" s") for value in (one.p50, one.p95, one.max))
    return f"{told}, no time in {one.missing:,}" if one.missing else told


CHECK_HEADS: Final = ("check", "what it means", "runs", "tried", "broken", "runs broken")


def _checks(results: Sequence[RunResult]) -> Rows:
    return [
        (
            one.name, plain.meaning(one.name), f"{one.runs:,}", f"{one.tried:,}",
            f"{one.broken:,}", f"{one.failed_runs:,}",
        )
        for one in by_check(results)
    ]  # fmt: skip


def _proofs(results: Sequence[RunResult]) -> Rows:
    faults = dict.fromkeys(one.fault for one in results)
    return [(fault, *plain.what_struck(fault)) for fault in faults]


BROKEN_HEADS: Final = ("fault", "nodes", "seed", "what does not hold", "to make it again")


def _broken(results: Sequence[RunResult]) -> Rows:
    return [
        (
            one.fault, str(one.nodes), str(one.seed),
            "; ".join(filter(None, (*(c["name"] for c in one.checks if not c["holds"]), one.note))),
            command(one) + (f" (evidence: {one.directory})" if one.directory else ""),
        )
        for one in results if not one.holds
    ]  # fmt: skip


def _seeds(results: Sequence[RunResult]) -> list[tuple[str, str]]:
    found: dict[str, set[int]] = {}
    for one in results:
        found.setdefault(f"{one.fault}, {one.nodes} nodes", set()).add(one.seed)
    return [(name, _ranges(sorted(seeds))) for name, seeds in found.items()]


def _ranges(seeds: Sequence[int]) -> str:
    """Those that follow one another as first to last."""
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][1] + 1:
            spans[-1][1] = seed
        else:
            spans.append([seed, seed])
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in spans)


# ---- as Markdown, as HTML ------------------------------------------------------------------------


def _escaped(text: str) -> str:
    """Of a cell: no line ends it, no bar divides it, and what looks like markup is none."""
    told = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return told.replace("&", "&amp;").replace("<", "&lt;")


def _markdown(heads: Sequence[str], rows: Rows) -> list[str]:
    lines = [f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
    return lines + [f"| {' | '.join(map(_escaped, row))} |" for row in rows]


def _table(heads: Sequence[str], rows: Rows, numbers: Collection[int] = ()) -> Markup:
    cells = [[_cell(told, at, at in numbers) for at, told in enumerate(row)] for row in rows]
    return table(heads, cells, numbers)


def _cell(told: str, at: int, number: bool) -> Markup:
    if told == "met":
        return cell(element("span", told, class_="ok"))
    if told.startswith("MISSED"):
        word, _, rest = told.partition(":")
        return cell(element("span", word, class_="bad"), rest)
    if told.startswith("python "):
        return cell(element("code", told))
    return cell(told, number=number, kind="" if at else "short")


ROW: Final = 18.0
LEFT: Final = 190.0
WIDTH: Final = 1000.0


def _spreads(sums: Sequence[Sum]) -> Markup:
    """p50 to p95 as a bar, to the longest as a line; the goal across all of them."""
    longest = max([LEVEL_P95_S_MAX, *(one.level.max or 0.0 for one in sums)])
    height = ROW * len(sums)

    def x(value: float) -> float:
        return LEFT + (WIDTH - LEFT - 60) * value / longest

    parts: list[Inside] = []
    for at, one in enumerate(sums):
        y = at * ROW + 4
        parts.append(_text(LEFT - 10, y + 10, f"{one.fault}, {one.nodes}", "end"))
        spread = one.level
        if spread.p50 is None or spread.p95 is None or spread.max is None:
            parts.append(_text(LEFT + 4, y + 10, "never", None))
            continue
        line = element("line", x1=x(spread.p50), x2=x(spread.max), y1=y + 6, y2=y + 6,
                       class_="spread")  # fmt: skip
        width = max(3.0, x(spread.p95) - x(spread.p50))
        bar = element("rect", x=x(spread.p50), y=y + 1, width=width, height=10, class_="share")
        told = element("title", f"{one.fault}, {one.nodes} nodes: {_spread(spread)} s")
        parts.append(element("g", told, line, bar))
    goal = x(LEVEL_P95_S_MAX)
    parts += [
        element("line", x1=goal, x2=goal, y1=0, y2=height + 6, class_="goal"),
        _text(goal, height + 18, f"goal for p95: {LEVEL_P95_S_MAX:g} s", "middle"),
        _text(LEFT, height + 18, "0 s", "middle"),
    ]
    said = "Bars from p50 to p95 of all cycles, lines on to the longest."
    picture = element("svg", parts, viewBox=f"0 0 {WIDTH:.0f} {height + 26:.0f}", role="img")
    return joined((element("p", said, class_="faint small"), picture))


def _text(x: float, y: float, told: str, anchor: str | None) -> Markup:
    return element("text", told, x=x, y=y, text_anchor=anchor)
