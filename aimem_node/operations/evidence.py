"""What speaks for a candidate, as numbers that can be added: the ranking of a recall.

Each kind of evidence is brought to a scale from 0 to 1 within the pool before it is weighed, so
that none drowns another: a sum of such scales keeps how far ahead the first is, which ranks (as in
reciprocal rank fusion) forget. The weights are round numbers; bench-recall shows that leaving any
conversation out of the data would choose nearly the same.

The surprising part is how much a memory's neighbours say. In a conversation an answer seldom
repeats the words of its question, so "what did she research?" is found by the line before it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from aimem_node.operations.dates import AskedDates
from aimem_node.store.gathering import TITLED, Question, leaf_of, name_of
from aimem_node.store.view_company import Around, Light, Thread

EACH_WAY: Final = 2
"""Neighbours before and after a memory that count."""
NEAR: Final = (1.0, 0.5, 0.25)
"""What a word counts for in the memory itself, beside it, and one further."""
SATURATION: Final = 0.5
"""k1 of BM25 (Robertson and Zaragoza 2009): the second time a word says little that is new."""

WEIGHTS: Final[Mapping[str, float]] = {
    "words": 1.0,
    "meaning": 0.7,
    "around": 0.25,
    "thread": 0.5,
    "speaker": 0.3,
    "company": 0.3,
    "place": 0.3,
    "answers": 0.35,
    "asks": -0.3,
    "date": 0.8,
}
"""words: what it shares with the question, its neighbours counting less. meaning: how near its
vector is. around: how near its neighbours' vectors are. thread: the best of its conversation or
document. speaker: an agent named in the question said it. company: or said something beside it.
place: the question names the namespace it is in. answers: it follows a question that shares words
with this one. asks: it is a question itself, and tells nothing. date: it is of the day, month or
year that the question names."""
QUESTION_MARKS: Final = ("?", "？", "؟", "՞")


@dataclass
class Pool:
    """Candidates and all that is known of them and of those beside them."""

    question: Question
    dates: AskedDates
    lights: Mapping[int, Light]
    around: Mapping[int, Around]
    "Of the candidates at least."
    near: Mapping[int, float] = field(default_factory=dict)
    "How near vectors are to the question, 1 for the nearest; empty without vectors."

    @cached_property
    def candidates(self) -> list[int]:
        """Those that are wanted and whose company is known."""
        return [rid for rid in self.around if rid in self.lights and self.lights[rid].is_wanted]

    @cached_property
    def places_named(self) -> set[str]:
        """The namespaces in sight that the question names."""
        places = {light.thread[0] for light in self.lights.values()}
        leaves = {place: leaf_of(place) for place in places}
        return {place for place, leaf in leaves.items() if leaf and leaf <= self.question.spoken}


def evidence(pool: Pool) -> dict[int, dict[str, float]]:
    """Of each candidate what speaks for it, weighed: names of WEIGHTS, those that are not 0."""
    candidates = pool.candidates
    beside = {rid: _seen_beside(pool, rid) for rid in candidates}
    words = _scaled(_words_nearby(pool.question, beside))
    alone = _scaled(_words_alone(pool.question, candidates))
    scales: dict[str, Mapping[int, float]] = {
        "words": words,
        "meaning": {rid: pool.near.get(rid, 0.0) for rid in candidates},
        "around": _meaning_nearby(pool, beside) if pool.near else {},
        "thread": _threads(pool, alone, candidates),
        "asks": {rid: 1.0 for rid in candidates if _asks(pool.lights[rid])},
        "answers": _answers(pool, words, candidates),
    }
    if pool.question.names:
        called = {light.agent_id for light in pool.lights.values()}
        called = {agent_id for agent_id in called if _is_named(agent_id, pool.question)}
        said = {rid for rid, light in pool.lights.items() if light.agent_id in called}
        scales["speaker"] = {rid: 1.0 for rid in candidates if rid in said}
        scales["company"] = {
            rid: 1.0 for rid in candidates if any(one in said for one, _ in beside[rid])
        }
    scales["place"] = {
        rid: 1.0 for rid in candidates if pool.lights[rid].thread[0] in pool.places_named
    }
    if pool.dates:
        scales["date"] = {rid: pool.dates.fit(_when_us(pool.lights[rid])) for rid in candidates}
    found: dict[int, dict[str, float]] = {rid: {} for rid in candidates}
    for name, weight in WEIGHTS.items():
        for rid, scale in scales.get(name, {}).items():
            if scale and rid in found:
                found[rid][name] = weight * scale
    return found


def most(pool: Pool) -> float:
    """The sum of all weights that this question can earn: what scores are measured by."""
    missing: set[str] = set()
    if not pool.near:
        missing |= {"meaning", "around"}
    if not pool.question.names:
        missing |= {"speaker", "company"}
    if not pool.places_named:
        missing.add("place")
    if not pool.dates:
        missing.add("date")
    return sum(max(0.0, weight) for name, weight in WEIGHTS.items() if name not in missing)


def preliminary(
    question: Question, near: Mapping[int, float], lights: Mapping[int, Light]
) -> list[int]:
    """Candidates by what they hold and mean themselves: best first, of equals the newest, in the
    same order on every node that has them: rows are numbered as they came there."""
    alone = _scaled(_words_alone(question, list(lights)))
    scores = {rid: round(alone.get(rid, 0.0) + near.get(rid, 0.0), 9) for rid in lights}

    def order(rid: int) -> tuple[float, int, str]:
        return (-scores[rid], -lights[rid].created_us, lights[rid].record_id)

    return sorted(lights, key=order)


def _seen_beside(pool: Pool, rid: int) -> list[tuple[int, float]]:
    """A memory and those beside it that the caller sees, with what they count for."""
    around = pool.around[rid]
    found = [(rid, NEAR[0])]
    for side in (around.before, around.after):
        found += [
            (one, share)
            for one, share in zip(side[:EACH_WAY], NEAR[1:], strict=False)
            if one in pool.lights
        ]
    return found


def _words_nearby(
    question: Question, beside: Mapping[int, Sequence[tuple[int, float]]]
) -> dict[int, float]:
    """BM25 over each candidate and its neighbours, these at a lower share."""
    counted_by: dict[int, list[tuple[int, float]]] = defaultdict(list)
    for rid, those in beside.items():
        for one, share in those:
            counted_by[one].append((rid, share))
    scores: dict[int, float] = defaultdict(float)
    for held in question.words:
        counts: dict[int, float] = defaultdict(float)
        few, many = sorted((held.rows, counted_by.keys()), key=len)
        for one in few:
            if one in many:
                times = 1 + TITLED if one in held.headed else 1.0
                for rid, share in counted_by[one]:
                    counts[rid] += share * times
        for rid, count in counts.items():
            scores[rid] += held.weight * count * (SATURATION + 1) / (count + SATURATION)
    return scores


def _words_alone(question: Question, rids: Sequence[int]) -> dict[int, float]:
    scores: dict[int, float] = {}
    for held in question.words:
        for rid in rids:
            if rid in held.rows:
                more = TITLED if rid in held.headed else 0.0
                scores[rid] = scores.get(rid, 0.0) + held.weight * (1 + more)
    return scores


def _meaning_nearby(
    pool: Pool, beside: Mapping[int, Sequence[tuple[int, float]]]
) -> dict[int, float]:
    whole = 2 * sum(NEAR[1:])
    return {
        rid: sum(share * pool.near.get(one, 0.0) for one, share in those[1:]) / whole
        for rid, those in beside.items()
    }


def _threads(pool: Pool, alone: Mapping[int, float], candidates: Sequence[int]) -> dict[int, float]:
    """The best of each thread; what belongs to no session is a thread by itself."""
    both = 2.0 if pool.near else 1.0
    own = {rid: (alone.get(rid, 0.0) + pool.near.get(rid, 0.0)) / both for rid in candidates}
    best: dict[Thread, float] = defaultdict(float)
    for rid, score in own.items():
        thread = pool.lights[rid].thread
        if thread[2]:
            best[thread] = max(best[thread], score)
    return _scaled({rid: best.get(pool.lights[rid].thread, own[rid]) for rid in candidates})


def _answers(pool: Pool, words: Mapping[int, float], candidates: Sequence[int]) -> dict[int, float]:
    found: dict[int, float] = {}
    for rid in candidates:
        before = pool.around[rid].before
        light = pool.lights.get(before[0]) if before else None
        if light is not None and _asks(light):
            found[rid] = words.get(light.rid, 0.0)
    return found


def _asks(light: Light) -> bool:
    return light.ending.rstrip().rstrip("\"'»”’)").endswith(QUESTION_MARKS)


def _is_named(agent_id: str, question: Question) -> bool:
    called = name_of(agent_id)
    return bool(called) and called <= question.names


def _when_us(light: Light) -> int:
    return light.created_us if light.happened_us is None else light.happened_us


def _scaled(scores: Mapping[int, float]) -> dict[int, float]:
    highest = max(scores.values(), default=0.0)
    return {rid: score / highest for rid, score in scores.items()} if highest > 0 else {}
