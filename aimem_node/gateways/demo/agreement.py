"""Whether nodes agree: on their logs, on the state made of them, and on what they answer.

Nothing here believes a node that says of itself that it is in sync. Heads and digests of all nodes
are laid side by side, and every memory that a tool was told is kept is looked for on every node,
word for word.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aimem_node.contract.values import NodeStatusResponse
from aimem_node.gateways.demo.tool import Tool

PAGE_ROWS = 1000

Heads = Mapping[str, tuple[int, str]]
"""By log: how many ops of it a node has, and the hash of the last."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What one node has, as its own verify found it."""

    name: str
    heads: Heads
    digest: str
    records: int
    problems: tuple[str, ...] = ()
    """What verify found wrong."""

    @property
    def ops(self) -> int:
        """Over all logs."""
        return sum(have for have, _ in self.heads.values())


def heads_of(status: NodeStatusResponse) -> Heads:
    """The ends of a node's logs. A log without ops is no log."""
    return {one.origin: (one.have, one.head) for one in status.origins if one.have}


def lacking_ops(heads: Heads, than: Heads) -> int:
    """How many ops one node lacks of what another has."""
    return sum(max(0, have - heads.get(origin, (0, ""))[0]) for origin, (have, _) in than.items())


def differences(standings: Sequence[Standing]) -> list[str]:
    """How nodes differ from the first of them, in words; empty when they are equal and sound."""
    found = [f"verify on {one.name}: {problem}" for one in standings for problem in one.problems]
    first = standings[0]
    for other in standings[1:]:
        names = f"{first.name} and {other.name}"
        unequal = sorted(
            origin
            for origin in first.heads.keys() | other.heads.keys()
            if first.heads.get(origin) != other.heads.get(origin)
        )
        found += [f"{names} differ in the log {origin}" for origin in unequal]
        if first.digest != other.digest:
            found.append(f"{names} differ in the digest of their state")
        if first.records != other.records:
            found.append(f"{names} hold {first.records} and {other.records} records")
    return found


async def contents(tool: Tool, namespace: str) -> dict[str, str]:
    """What a node holds in a namespace: content by memory id, page by page."""
    found: dict[str, str] = {}
    cursor = ""
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await tool.call("list", namespace=namespace, limit=PAGE_ROWS, **more)
        found |= {str(one["id"]): str(one["content"]) for one in page["memories"]}
        cursor = str(page.get("next_cursor") or "")
        if not cursor:
            return found


def present(promised: Mapping[str, str], held: Mapping[str, str]) -> int:
    """How many of the promised memories are held word for word."""
    return sum(held.get(memory_id) == content for memory_id, content in promised.items())


Hits = Sequence[Mapping[str, Any]]
"""One answer to one question, best first."""


def same_answer(answers: Mapping[str, Hits]) -> bool:
    """Whether all nodes gave the same memories with the same words in the same order.

    Scores are left out: they hold the age of a memory, and no two nodes are asked at one moment.
    """
    told = {
        tuple((str(hit["id"]), str(hit.get("content"))) for hit in hits)
        for hits in answers.values()
    }
    return len(told) == 1


def odd_ones(answers: Mapping[str, Hits]) -> list[str]:
    """The nodes whose answer is not the first node's."""
    first = next(iter(answers))
    return [
        name for name in answers
        if not same_answer({first: answers[first], name: answers[name]})
    ]  # fmt: skip
