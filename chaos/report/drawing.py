"""The timeline as a picture: a lane for each node, and below it what clients felt.

All of it hangs on one axis, so that a dip of the rate stands under the fault that made it. Bars
carry the numbers that strikes have in the tables; hovering over one tells the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from chaos.report.markup import Markup, element
from chaos.report.plain import seconds
from chaos.report.strikes import Strike
from chaos.report.timeline import Timeline

WIDTH: Final = 1000.0
LEFT: Final = 70.0
"""Room for the names of nodes and the scales."""
RIGHT: Final = 12.0
ROW: Final = 18.0
GAP: Final = 6.0
CURVE: Final = 90.0
HEAD: Final = 18.0
"""Above a curve, for what it is."""
BAR_MIN: Final = 2.0
"""Pixels: what is over at once is still to be seen."""
NUMBER_WIDTH: Final = 9.0
TICKS: Final = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600)
TICKS_MAX: Final = 14


class Axis:
    """Seconds to pixels."""

    def __init__(self, end_s: float) -> None:
        self.end_s = end_s or 1.0

    def x(self, at_s: float) -> float:
        """From the left edge of the picture."""
        return LEFT + (WIDTH - LEFT - RIGHT) * min(max(at_s / self.end_s, 0.0), 1.0)

    def ticks(self) -> list[float]:
        """Round times, few enough to be read."""
        step = next((one for one in TICKS if self.end_s / one <= TICKS_MAX), self.end_s / TICKS_MAX)
        return [step * count for count in range(int(self.end_s / step) + 1)]


def drawn(line: Timeline) -> Markup:
    """The whole picture."""
    axis = Axis(line.end_s)
    parts: list[Markup] = []
    y = 4.0
    for lane in line.lanes:
        height = max(1, len(lane.rows)) * ROW
        parts.append(_rect(axis.x(0), y, WIDTH - LEFT - RIGHT, height, "lane"))
        parts.append(_text(LEFT - 10, y + 13, lane.name, "name", anchor="end"))
        for at, row in enumerate(lane.rows):
            parts += [_bar(axis, strike, y + at * ROW, line.end_s) for strike in row]
        y += height + GAP
    y += 4
    top = y
    parts += _rate(axis, line, y)
    y += HEAD + CURVE + GAP
    parts += _pending(axis, line, y)
    y += HEAD + CURVE
    bands = [
        _rect(axis.x(one.begin_s), top, _width(axis, one, line.end_s), y - top, "band")
        for one in line.strikes
        if not one.within
    ]
    marks = [
        (
            element("line", x1=axis.x(at), x2=axis.x(at), y1=0, y2=y + 4, class_="axis"),
            _text(axis.x(at), y + 17, f"{at:g} s", "faint", anchor="middle"),
        )
        for at in axis.ticks()
    ]
    return element(
        "svg",
        element("title", "What struck which node when, and what clients felt of it"),
        marks, bands, parts,
        viewBox=f"0 0 {WIDTH:.0f} {y + 24:.0f}", role="img",
    )  # fmt: skip


def legend() -> Markup:
    """What the colours of the bars are, in words beside them."""
    entries = (
        ("strike", "the fault lasts"),
        ("healing", "taken away; not every node confirms writes yet"),
        ("leveling", "all confirm writes; not all hold the same yet"),
    )
    parts: list[Markup] = []
    x = LEFT
    for kind, told in entries:
        parts += [_rect(x, 4, 14, 10, kind), _text(x + 20, 13, told, "faint")]
        x += 50 + 5.6 * len(told)
    return element("svg", parts, viewBox=f"0 0 {WIDTH:.0f} 18", aria_hidden="true")


def _width(axis: Axis, strike: Strike, end_s: float) -> float:
    until = end_s if strike.end_s is None else strike.end_s
    return max(BAR_MIN, axis.x(until) - axis.x(strike.begin_s))


def _bar(axis: Axis, strike: Strike, y: float, end_s: float) -> Markup:
    """One strike, in up to three colours. One that was never taken away, or that the cluster never
    got over, reaches the end of the axis and is ragged there."""
    top, height = y + 2, ROW - 4
    x, width = axis.x(strike.begin_s), _width(axis, strike, end_s)
    parts = [_rect(x, top, width, height, "strike")]
    since = strike.end_s
    for reached, kind in ((strike.healed_s, "healing"), (strike.level_s, "leveling")):
        until = end_s if reached is None and not strike.whole else reached
        if since is not None and until is not None and until > since:
            start = max(axis.x(since), x + width)
            parts.append(_rect(start, top, max(1.0, axis.x(until) - start), height, kind))
            since = until
    if not strike.whole:
        edge = axis.x(end_s)
        parts.append(
            element("line", x1=edge, x2=edge, y1=top - 2, y2=top + height + 2, class_="endless")
        )
    number = str(strike.number)
    if width >= NUMBER_WIDTH * len(number):
        parts.append(_text(x + width / 2, top + 11, number, "bar-number", anchor="middle"))
    return element("g", element("title", _said(strike)), parts)


def _said(strike: Strike) -> str:
    where = f" at {', '.join(strike.nodes)}" if strike.nodes else ""
    lasted = (
        "never taken away"
        if strike.end_s is None
        else f"for {seconds(strike.end_s - strike.begin_s)}"
    )
    said = f"{strike.number}: {strike.fault}{where}, from {seconds(strike.begin_s)} on, {lasted}"
    if strike.writes_again_after_s is not None:
        said += f"; writes again after {seconds(strike.writes_again_after_s)}"
    if strike.level_after_s is not None:
        said += f"; level after {seconds(strike.level_after_s)}"
    elif strike.end_s is not None and not strike.whole:
        said += "; never whole again"
    return said


def _rate(axis: Axis, line: Timeline, y: float) -> Iterable[Markup]:
    most = max(line.rate, default=0.0)
    yield from _frame("acknowledged writes a second", f"{most:g}", y)
    base = y + HEAD + CURVE
    for at, rate in enumerate(line.rate):
        x, end = axis.x(at * line.bin_s), axis.x((at + 1) * line.bin_s)
        height = CURVE * rate / (most or 1.0)
        if rate:
            yield _rect(x, base - height, max(0.5, end - x - 0.6), height, "rate")


def _pending(axis: Axis, line: Timeline, y: float) -> Iterable[Markup]:
    most = max((count for _, count in line.pending), default=0)
    yield from _frame("writes asked for and not settled", f"{most}", y)
    base = y + HEAD + CURVE
    if not line.pending:
        return
    path = [f"M{axis.x(0):.1f} {base:.1f}"]
    for at, count in line.pending:
        path.append(f"H{axis.x(at):.1f}V{base - CURVE * count / (most or 1):.1f}")
    path.append(f"V{base:.1f}Z")
    yield element("path", d="".join(path), class_="pending")


def _frame(what: str, most: str, y: float) -> Iterable[Markup]:
    """Where a curve is, what it is, and its scale."""
    yield _text(LEFT, y + 12, what, "name")
    for at, value in ((y + HEAD, most), (y + HEAD + CURVE, "0")):
        yield element("line", x1=LEFT, x2=WIDTH - RIGHT, y1=at, y2=at, class_="axis")
        yield _text(LEFT - 10, at + 4, value, "faint", anchor="end")


def _rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    return element("rect", x=x, y=y, width=width, height=height, class_=kind)


def _text(x: float, y: float, told: str, kind: str, anchor: str | None = None) -> Markup:
    return element("text", told, x=x, y=y, class_=kind, text_anchor=anchor)
