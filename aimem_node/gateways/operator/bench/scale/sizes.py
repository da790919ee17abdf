"""What is stored at each size, and what was promised for it.

A hundred projects share the memories evenly, ten to a team, so a project holds one per cent of the
store. One namespace holds a single memory, stored half-way, and it is made of the most ordinary
words there are: whoever ranks first and filters afterwards never gets to see it.
"""

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from aimem_node.contract.values import StoreRequest, Tier
from aimem_node.gateways.operator.bench.words import Words

SIZES = (1_000, 10_000, 100_000, 1_000_000)
RECALL_P95_MS = {1_000: 10.0, 10_000: 15.0, 100_000: 25.0, 1_000_000: 50.0}
RESTART_S = {100_000: 2.0, 1_000_000: 10.0}
COMPOSED_ABOVE = 10_000
"""Up to here the model makes every vector, about a hundred a second. Beyond, the vector of a memory
is the normalised sum of those of its sentences, which is near it and takes no day."""

PROJECTS = 100
PROJECTS_PER_TEAM = 10
ALONE = "bench/alone"
ALONE_MEMORY = StoreRequest(
    title="A good time",
    content="We had a really good time with the kids last week, it was so great to see you all.",
    namespace=ALONE,
    tier=Tier.LONG,
)
ALONE_QUESTIONS = (
    "Did we have a good time with the kids last week?",
    "When was it great to see you all?",
    "What was really good about last week?",
    "Who had a great time with the kids?",
    "good time",
    "kids",
    "Was it good to see the kids?",
    "So what did we do last week with you all?",
)


@dataclass(frozen=True, slots=True)
class Goals:
    """What was promised for one size; None where nothing was."""

    recall_p95_ms: float | None
    restart_s: float | None

    @classmethod
    def of(cls, size: int) -> "Goals":
        """The goals of a size, or of the next larger one that has any."""
        larger = [at for at in RECALL_P95_MS if at >= size]
        recall = RECALL_P95_MS[min(larger)] if larger else None
        slower = [at for at in RESTART_S if at >= size]
        return cls(recall, RESTART_S[min(slower)] if slower else None)


def project(number: int) -> str:
    """The namespace of one project: bench/team-3/project-37."""
    assert 0 <= number < PROJECTS
    return f"bench/team-{number // PROJECTS_PER_TEAM}/project-{number}"


def memories(words: Words, size: int) -> Iterator[StoreRequest]:
    """Exactly `size` memories, the same for the same words each time; the lone one half-way."""
    assert size >= 2
    for at, made in enumerate(words.memories(size)):
        if at == size // 2:
            yield ALONE_MEMORY
        else:
            yield dataclasses.replace(made, namespace=project(at % PROJECTS))
