"""The results of bench-recall as tables: for a terminal, and as a part of docs/PERFORMANCE.md."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aimem_node.gateways.operator.bench import report
from aimem_node.gateways.operator.bench.figures import Figure
from aimem_node.gateways.operator.bench.quality.measures import MEASURES

MARKS = report.Marks(
    "<!-- made by `make bench-recall ARGS=--write-doc`: do not edit below -->",
    "<!-- end of what bench-recall made -->",
)

METHOD = """\
Every turn of a conversation is one memory: its text (with the caption of a picture that was sent),
a title of its first words, the speaker as agent, the session and its date, in order. Every question
is asked as it stands, for 50 memories, of a fresh copy of the store; turns are scored by the first
ten, sessions by the 50 collapsed to each session's first appearance. All measures are averages over
questions; a question whose evidence names no turn is dropped. Latency is the client's, from the
call to the decoded answer of 50 memories; bytes are those of that answer on the wire."""

Row = Sequence[str]
Rows = Sequence[Row]


def scores(series: Sequence[Mapping[str, Any]]) -> Rows:
    """One line for each series and grain."""
    head = ("kept in", "asked by", "grain", "questions", *MEASURES)
    lines = [
        (one["stores"], one["way"], grain, f"{one['questions']:,}", *_percents(one[grain]))
        for one in series
        for grain in ("turn", "turn, asked for ten", "session")
    ]
    return [head, *lines]


def kinds(series: Sequence[Mapping[str, Any]]) -> Rows:
    """One line for each kind of question, of turns."""
    head = ("kept in", "asked by", "category", "questions", *MEASURES)
    lines = [
        (one["stores"], one["way"], name or "-", str(found["questions"]), *_percents(found["turn"]))
        for one in series
        for name, found in one["categories"].items()
    ]
    return [head, *lines]


def costs(series: Sequence[Mapping[str, Any]]) -> Rows:
    """What an answer took, and whether it is always the same."""
    head = (
        "kept in", "asked by", "p50 ms", "p95 ms", "p99 ms", "bytes", "no answer",
        "other when asked again", "other first ten of ten",
    )  # fmt: skip
    lines = [
        (
            one["stores"], one["way"], *(f"{one['latency_ms'][p]:.1f}" for p in _PERCENTILES),
            f"{one['answer_bytes']['mean']:,}", str(one["without_an_answer"]),
            str(one["not_the_same_again"]), str(one["other_first_ten_when_asked_for_ten"]),
        )
        for one in series
    ]  # fmt: skip
    return [head, *lines]


_PERCENTILES = ("p50", "p95", "p99")


def folds(one: Mapping[str, Any], names: Mapping[int, str]) -> Rows:
    """Each conversation left out: R@10 with shipped weights and with those chosen without it."""
    head = ("left out", "questions", "as shipped", "chosen on the rest", "weights chosen otherwise")
    lines = [
        (
            names.get(fold["conversation"], str(fold["conversation"])),
            str(fold["questions"]),
            _percent(fold["shipped"]),
            _percent(fold["chosen"]),
            ", ".join(f"{n} x{s:g}" for n, s in fold["scales"].items() if s != 1) or "none",
        )
        for fold in one["weights"]["folds"]
    ]
    return [head, *lines]


def curve(one: Mapping[str, Any]) -> Rows:
    """R@10 over all questions when a single weight is another."""
    found = one["weights"]["curve"]
    scales = list(next(iter(found.values())))
    head = ("term", *(f"x{scale}" for scale in scales))
    return [head, *((name, *map(_percent, along.values())) for name, along in found.items())]


def verdict(one: Mapping[str, Any]) -> str:
    """What the cross-validation says, in a sentence."""
    weights = one["weights"]
    gained, error = 100 * weights["gained"], 100 * weights["gained_error"]
    plain = (
        f"Chosen without the conversation, weights gain {gained:+.2f} points of R@10 on it"
        f" (standard error {error:.2f}): "
        + (
            "within noise of the shipped ones."
            if weights["within_noise"]
            else "more than noise; the shipped ones "
            + ("are too good here to be unfitted." if gained < 0 else "are not the best.")
        )
    )
    strange = weights["unexplained"]
    return plain + (
        f" For {strange} of the questions the explained factors give other first ten."
        if strange
        else ""
    )


def sections(
    result: Mapping[str, Any], names: Mapping[int, str], figures: Sequence[Figure]
) -> Iterator[tuple[str, str | Rows]]:
    """Title and body of each part, in order."""
    series = result["series"]
    yield "How much is found (%)", scores(series)
    yield "By kind of question (turns, %)", kinds(series)
    yield "What it takes", costs(series)
    for one in series:
        if "weights" in one:
            title = f"Weights, {one['way']}, {one['stores']}"
            yield f"{title}: cross-validated turn R@10 (%)", folds(one, names)
            yield "", verdict(one)
            yield f"{title}: turn R@10 when one term weighs otherwise (%)", curve(one)
    if figures:
        yield "Goals", _goals(figures)


def text(result: Mapping[str, Any], names: Mapping[int, str], figures: Sequence[Figure]) -> str:
    """For a terminal."""
    parts = []
    for title, body in sections(result, names, figures):
        shown = body if isinstance(body, str) else _aligned(body)
        parts.append(f"{title}\n{shown}" if title else shown)
    return "\n\n".join(parts)


def markdown(result: Mapping[str, Any], names: Mapping[int, str], figures: Sequence[Figure]) -> str:
    """The made part of the page."""
    facts = "\n".join(f"- {name}: {fact}" for name, fact in result["facts"].items())
    parts = [facts, METHOD]
    for title, body in sections(result, names, figures):
        shown = body if isinstance(body, str) else _piped(body)
        parts.append(f"### {title}\n\n{shown}" if title else shown)
    return "\n\n".join(parts) + "\n"


def _goals(figures: Sequence[Figure]) -> Rows:
    head = ("what", "goal", "figure", "")
    return [
        head,
        *(
            (one.what, report.goal(one), f"{report.amount(one.value)} {one.unit}".strip(),
             report.verdict(one))
            for one in figures
        ),
    ]  # fmt: skip


def _percents(score: Mapping[str, float]) -> Iterator[str]:
    return (_percent(score[name]) for name in MEASURES)


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


def _aligned(rows: Rows) -> str:
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = ["  ".join(_padded(row, widths)).rstrip() for row in rows]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def _padded(row: Row, widths: Sequence[int]) -> Iterator[str]:
    for cell, width in zip(row, widths, strict=True):
        number = cell[:1].isdigit() or cell[:1] in "+-"
        yield cell.rjust(width) if number else cell.ljust(width)


def _piped(rows: Rows) -> str:
    head, *lines = (f"| {' | '.join(row)} |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *lines])
