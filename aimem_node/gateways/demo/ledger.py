"""What two tools were answered while they wrote: every outcome, and when each answer came.

A cluster promises that writes go on while a node is away. The only honest witness of that is the
writer: the longest time in which it had stores under way and no answer. So the ledger keeps the
moment of each answer, and an outcome is counted as the tool was told it, never as it turned out.
"""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from aimem_node.gateways.demo.tool import Tool, ToolError

RETRY_SECONDS = 0.05
"""After a refusal. The same request key is sent, so nothing is stored twice."""
REFUSALS_MAX = 200
"""In a row, about ten seconds; then the tool gives up and the demo has failed."""

COMMITTED = "committed"


@dataclass(slots=True)
class Ledger:
    """The answers that one tool was given."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """How many stores were told so: committed, pending."""
    refused: int = 0
    """Answers that nothing was written. Each of these stores was sent again."""
    refusal: str = ""
    """The last of them, in the node's words."""
    answered_s: list[float] = field(default_factory=list)
    """When each store was answered, on the monotonic clock."""

    def note(self, write: Mapping[str, Any], at_s: float) -> None:
        """A store was answered."""
        self.outcomes[str(write.get("outcome") or "untold").lower()] += 1
        self.answered_s.append(at_s)


@dataclass(slots=True)
class CountingTool(Tool):
    """A tool that writes down what becomes of its stores, and sends a refused one again."""

    ledger: Ledger = field(default_factory=Ledger)

    @classmethod
    def of(cls, tool: Tool) -> "CountingTool":
        """The same connection, with books kept."""
        return cls(tool.name, tool.client, tool.tables)

    async def call(self, operation: str, **arguments: Any) -> Mapping[str, Any]:
        """As Tool.call; a refused store is sent again for some seconds."""
        if operation != "store":
            return await Tool.call(self, operation, **arguments)
        for _ in range(REFUSALS_MAX):
            try:
                answer = await Tool.call(self, operation, **arguments)
            except ToolError as refusal:
                self.ledger.refused += 1
                self.ledger.refusal = str(refusal)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            self.ledger.note(answer.get("write") or {}, time.monotonic())
            return answer
        raise ToolError(f"refused {REFUSALS_MAX} times in a row: {self.ledger.refusal}")


@dataclass(frozen=True, slots=True)
class Books:
    """The ledgers of all tools together."""

    outcomes: Mapping[str, int]
    refused: int

    @property
    def answered(self) -> int:
        """Stores that were answered at all."""
        return sum(self.outcomes.values())

    @property
    def committed(self) -> int:
        """Stores whose tool was told that enough disks hold them."""
        return self.outcomes.get(COMMITTED, 0)

    @property
    def others(self) -> str:
        """The other outcomes and the refusals, in words."""
        known = {"pending": 0} | dict(self.outcomes)
        said = [f"{count} {word}" for word, count in known.items() if word != COMMITTED]
        return ", ".join([*said, f"{self.refused} refused"])


def together(ledgers: Iterable[Ledger]) -> Books:
    """The sum of what several tools were told."""
    each = list(ledgers)
    outcomes: Counter[str] = Counter()
    for ledger in each:
        outcomes.update(ledger.outcomes)
    return Books(dict(outcomes), sum(ledger.refused for ledger in each))


def longest_pause_s(answered_s: Sequence[float], from_s: float, until_s: float) -> float:
    """The longest time without an answer between two moments, both ends counted as answers.

    A pause that began before `from_s` is counted from there: what the kill did is to be told
    apart from what was slow already.
    """
    inside = sorted(at for at in answered_s if from_s < at < until_s)
    moments = [from_s, *inside, until_s]
    return max(later - earlier for earlier, later in itertools.pairwise(moments))
