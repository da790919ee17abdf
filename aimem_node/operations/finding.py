"""Find what fits a question: candidates by words and by meaning, ranked as one.

The model is asked first and answers while the words are looked up. It has a budget: what it has
not said by then goes unsaid, and the answer tells.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aimem_node.operations.call import ReadCall
from aimem_node.operations.dates import asked_dates
from aimem_node.operations.evidence import EACH_WAY, Pool, evidence, most, preliminary
from aimem_node.operations.ranking import Ranked, rank
from aimem_node.store.gathering import Gathered
from aimem_node.store.listing import Filter
from aimem_node.store.view_company import Around, Light

if TYPE_CHECKING:
    from aimem_node.store.vectors import Numbers

POOL: Final = 64
"""Candidates by words. The pool is the same however many hits are asked for, so that more hits are
never other hits."""
NEAREST: Final = 50
"""Candidates by meaning: as many as a recall may give."""
CANDIDATES: Final = 64
"""Of both together, that are weighed."""
WITH_COMPANY: Final = 20
"""Of these the best, whose neighbours become candidates too. More are slower, and nothing better is
found: see docs/PERFORMANCE.md."""
MODEL_BUDGET_S: Final = 0.25
"""How long the vector of a question is waited for, all in all."""
CONTEXT_SHARE: Final = 0.3
"""Of the question's meaning, what its context makes up."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What is looked for."""

    text: str
    wanted: Filter
    leaf: str
    "The namespace from which distance counts; empty for none."
    also: Sequence[str] = ()
    "Words that may stand for some of the question's."
    by_meaning: bool = True
    context: str = ""
    "What is being talked about."


@dataclass(slots=True)
class Found:
    """What was found, best first."""

    ranked: list[Ranked]
    mode: str
    pools: dict[str, int]
    unavailable: list[str] = field(default_factory=list)
    beside: frozenset[str] = frozenset()
    "Those that are here for what stands beside them, and neither for words nor for meaning."


def find(call: ReadCall, wish: Wish) -> Found:
    """Rank what fits. Changes nothing."""
    question = call.view.asked(wish.text, wish.also)
    meant = _Meaning(call, wish)
    if wish.by_meaning:
        meant.ask(question.telling)
    gathered = call.view.gather(question, wish.wanted, POOL)
    pools = {"keyword": len(gathered.rids)}
    company = _Company(call, wish, gathered)  # while the model is still reading
    meant.look()
    pool = company.pool(meant)
    if meant.used:
        pools["semantic"] = len(meant.rids)
    own = {*gathered.rids, *meant.rids}
    beside = frozenset(pool.lights[rid].record_id for rid in pool.candidates if rid not in own)
    pools["neighbours"] = len(beside)
    whole = most(pool)
    ranked = [
        rank(pool.lights[rid], terms, whole, call.now_us, wish.leaf)
        for rid, terms in evidence(pool).items()
    ]
    ranked.sort(key=lambda one: one.order)
    words = "keyword" if gathered.rids or not meant.used else ""
    mode = "hybrid" if words and meant.used else words or "semantic"
    return Found(ranked, mode, pools, meant.unavailable, beside)


class _Company:
    """Candidates, their neighbours as further ones, and the neighbours of all of these."""

    def __init__(self, call: ReadCall, wish: Wish, gathered: Gathered) -> None:
        """Begins with those by words."""
        self._call = call
        self._wish = wish
        self._gathered = gathered
        self._lights: dict[int, Light] = {}
        self._around: dict[int, Around] = {}
        self._know(gathered.rids)
        self._look_around(preliminary(gathered.question, {}, self._lights)[:WITH_COMPANY])

    def pool(self, meant: _Meaning) -> Pool:
        """All that is known, with those by meaning."""
        question, view, lights = self._gathered.question, self._call.view, self._lights
        self._know(meant.rids)
        every = {*self._gathered.rids, *meant.rids}
        seen = {rid: lights[rid] for rid in every & lights.keys()}
        first = preliminary(question, meant.near, seen)[:CANDIDATES]
        best = first[:WITH_COMPANY]
        self._look_around(best)
        around = with_neighbours({rid: self._around[rid] for rid in best})
        around |= {rid: self._around[rid] for rid in first if rid in self._around}
        around |= view.around({rid: lights[rid] for rid in first if rid not in around}, EACH_WAY)
        beside = _all_in(around)
        self._know(beside)
        near = meant.of(beside | around.keys())
        return Pool(question, asked_dates(self._wish.text), lights, around, near)

    def _know(self, rids: Iterable[int]) -> None:
        missing = [rid for rid in rids if rid not in self._lights]
        self._lights |= self._call.view.lights(missing, self._wish.wanted)

    def _look_around(self, rids: Iterable[int]) -> None:
        some = {rid: self._lights[rid] for rid in rids if rid not in self._around}
        found = self._call.view.around(some, EACH_WAY)
        self._around |= found
        self._know(_all_in(found))


def with_neighbours(known: Mapping[int, Around]) -> dict[int, Around]:
    """What stands beside each of these, and beside those that stand there, as far as that is known
    from where these stand: nobody is asked again."""
    found = dict(known)
    for rid, around in known.items():
        line = [*reversed(around.before), rid, *around.after]
        for at, one in enumerate(line):
            if one not in found:
                found[one] = Around(
                    tuple(reversed(line[max(0, at - EACH_WAY) : at])),
                    tuple(line[at + 1 : at + 1 + EACH_WAY]),
                )
    return found


def _all_in(around: Mapping[int, Around]) -> set[int]:
    return {rid for one in around.values() for side in (one.before, one.after) for rid in side}


class _Meaning:
    """The part of a search that goes by vectors; nothing if there are none."""

    def __init__(self, call: ReadCall, wish: Wish) -> None:
        self._call = call
        self._wish = wish
        self._later: list[Callable[[float], Any]] = []
        self._vectors: dict[str, Numbers] = {}
        self._nearest: dict[str, float] = {}
        self.near: dict[int, float] = {}
        "How near each candidate by meaning is, 1 for the nearest."
        self.unavailable: list[str] = []

    @property
    def rids(self) -> Sequence[int]:
        """Candidates by meaning."""
        return list(self.near)

    @property
    def used(self) -> bool:
        """Whether there is a vector of the question and an index to look it up in."""
        return bool(self._vectors)

    def ask(self, telling: str) -> None:
        """Have the model turn the question into vectors, and go on meanwhile."""
        embedding = self._call.embedding
        self._later.append(embedding.query_later(telling, quick=True))
        if self._wish.context:
            self._later.append(embedding.query_later(self._wish.context, quick=True))

    def look(self) -> None:
        """Take the vectors, if there are any by now, and look for what is near."""
        ends_s = time.monotonic() + MODEL_BUDGET_S
        asked = [later(max(0.0, ends_s - time.monotonic())) for later in self._later]
        for each, what in zip(asked, ("semantic", "context"), strict=False):
            if each.unavailable:
                self.unavailable.append(f"{what}: {each.unavailable}")
        for fingerprint, vector in asked[0].vectors.items() if asked else ():
            moved = _moved(vector, asked[1].vectors.get(fingerprint) if asked[1:] else None)
            result = self._call.view.nearest(fingerprint, moved, self._wish.wanted, NEAREST)
            if result.missing:
                self.unavailable.append(f"semantic: {result.missing}")
            if not result.hits:
                continue
            self._vectors[fingerprint] = moved
            self._nearest[fingerprint] = max(1e-6, result.hits[0].similarity)
            for hit in result.hits:
                self.near.setdefault(hit.rid, self._share(fingerprint, hit.similarity))

    def of(self, rids: Iterable[int]) -> dict[int, float]:
        """How near these are, those with a vector."""
        found = dict(self.near)
        for fingerprint, vector in self._vectors.items():
            others = [rid for rid in rids if rid not in found]
            held = self._call.view.similarities(fingerprint, vector, others)
            found |= {rid: self._share(fingerprint, near) for rid, near in held.items()}
        return found

    def _share(self, fingerprint: str, similarity: float) -> float:
        return max(0.0, similarity) / self._nearest[fingerprint]


def _moved(vector: Numbers, context: Numbers | None) -> Numbers:
    """The question's vector, moved towards its context; of length 1 again."""
    if context is None:
        return vector
    mixed: Numbers = (1 - CONTEXT_SHARE) * vector + CONTEXT_SHARE * context
    length: float = max(1e-9, float(mixed @ mixed) ** 0.5)
    moved: Numbers = mixed / length
    return moved
