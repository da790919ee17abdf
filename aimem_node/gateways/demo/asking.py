"""Ask a conversation's own questions and say honestly whether the evidence came back.

The questions shown in full are taken at even distances through the whole list, not chosen for
how well they go; the tally under them is over every question there was time for.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aimem_node.gateways.demo.conversation import Question, Turn
from aimem_node.gateways.demo.intake import Intake
from aimem_node.gateways.demo.screen import Piece, Screen, Tone
from aimem_node.gateways.demo.tool import Tool

HITS_MAX = 10
HITS_SHOWN = 2
QUESTIONS_SHOWN = 4
TALLY_SECONDS_MAX = 12.0
"""The whole demo is promised in a minute; a slow machine asks fewer, and says so."""


@dataclass(frozen=True, slots=True)
class Recalled:
    """The answer to one question."""

    question: Question
    hits: tuple[Mapping[str, Any], ...]
    """Memories as the tool got them, best first."""
    place: int
    """Where the first piece of evidence stands, from 1; 0 when it did not come back."""
    took_ms: float


@dataclass(frozen=True, slots=True)
class Tally:
    """How all the questions went."""

    asked: int
    first: int
    """The best hit was evidence."""
    found: int
    """Evidence was among the hits."""


def spread(questions: Sequence[Question], count: int) -> list[Question]:
    """`count` questions at even distances, the first one included."""
    if len(questions) <= count:
        return list(questions)
    return [questions[index * len(questions) // count] for index in range(count)]


def place_of(evidence: frozenset[str], turn_ids: Sequence[str]) -> int:
    """Where the first piece of evidence stands, from 1; 0 when it is not there."""
    return next((at for at, turn_id in enumerate(turn_ids, 1) if turn_id in evidence), 0)


async def ask(
    tool: Tool, intake: Intake, question: Question, turns: Mapping[str, Turn]
) -> Recalled:
    """One recall, as an assistant would make it: the question as it stands."""
    started = time.perf_counter()
    answer = await tool.call(
        "recall", context=question.text, namespace=intake.namespace, limit=HITS_MAX
    )
    took_ms = (time.perf_counter() - started) * 1000
    hits = tuple(answer["memories"])
    found = [turns[hit["id"]].turn_id if hit["id"] in turns else "" for hit in hits]
    return Recalled(question, hits, place_of(question.evidence, found), took_ms)


async def tally(tool: Tool, intake: Intake, turns: Mapping[str, Turn], screen: Screen) -> Tally:
    """Ask everything there is time for."""
    questions = intake.conversation.questions
    deadline = time.monotonic() + TALLY_SECONDS_MAX
    places: list[int] = []
    with screen.bar("asking every question", len(questions)) as done:
        for question in questions:
            if time.monotonic() > deadline:
                break
            places.append((await ask(tool, intake, question, turns)).place)
            done(len(places))
    return Tally(len(places), places.count(1), sum(place > 0 for place in places))


def show(screen: Screen, recalled: Recalled, turns: Mapping[str, Turn]) -> None:
    """One question with what came back first, and whether that is where the answer stands."""
    screen.line(("? ", Tone.NAME), (recalled.question.text, Tone.STRONG))
    screen.line(*verdict(recalled), indent=5)
    shown = list(enumerate(recalled.hits[:HITS_SHOWN], start=1))
    if recalled.place > HITS_SHOWN:
        shown.append((recalled.place, recalled.hits[recalled.place - 1]))
    for at, hit in shown:
        turn = turns.get(str(hit["id"]))
        is_evidence = turn is not None and turn.turn_id in recalled.question.evidence
        screen.line(*hit_line(at, hit, is_evidence), indent=5)


def verdict(recalled: Recalled) -> list[Piece]:
    """Hit or miss, the answer that was looked for, and how long it took."""
    time_taken = (f"  {recalled.took_ms:.1f} ms", Tone.FIGURE)
    answer = (f"  answer: {recalled.question.answer}", Tone.QUIET)
    if recalled.place == 0:
        miss = f"✗ not among the first {len(recalled.hits)}"
        return [(miss, Tone.BAD), time_taken, answer]
    return [(f"✓ evidence at {recalled.place}", Tone.GOOD), time_taken, answer]


def hit_line(at: int, hit: Mapping[str, Any], is_evidence: bool) -> list[Piece]:
    """Place, score, who said it when, and what."""
    score = hit.get("score")
    words = " ".join(str(hit.get("content", "")).split())
    who = str(hit.get("agent_id") or hit.get("author") or "")
    return [
        (f"{at:>2} ", Tone.QUIET),
        (f"{score:5.2f} " if isinstance(score, int | float) else "      ", Tone.FIGURE),
        (f"{who}, {day(hit)}: ", Tone.NAME),
        (words, Tone.GOOD if is_evidence else Tone.PLAIN),
    ]


def day(hit: Mapping[str, Any]) -> str:
    """The day on which it happened; the day it was stored when that is not known."""
    at = hit.get("happened_at") or hit.get("created_at")
    if not at:
        return "undated"
    return f"{datetime.fromisoformat(str(at)):%-d %b %Y}"
