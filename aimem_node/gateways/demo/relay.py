"""Several tools that write at once, each at a node of its own, while a node is shot.

Each tool has books of its own: whether a tool can go on is seen from where it stands, and a pause
of one would hide in the answers of the others.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from aimem_node.gateways.demo.agreement import Hits
from aimem_node.gateways.demo.asking import HITS_MAX
from aimem_node.gateways.demo.conversation import Conversation, Question
from aimem_node.gateways.demo.intake import Intake, take_in
from aimem_node.gateways.demo.ledger import CountingTool, Ledger, longest_pause_s
from aimem_node.gateways.demo.tool import Tool

TURNS_MAX = 400
"""For one tool: enough to be shot in the middle of, and done in seconds."""
WRITING_SECONDS_MAX = 15.0
"""Then no new stores are begun; a slow machine writes less, and says how much."""
KILL_AT = 0.4
"""The part of all turns after which the node is shot."""


@dataclass(slots=True)
class Relay:
    """One tool and what it has to write."""

    node: str
    intake: Intake
    tool: CountingTool | None = None

    @property
    def ledger(self) -> Ledger:
        """Its answers."""
        return self.tool.ledger if self.tool else Ledger()

    @property
    def said(self) -> str:
        """Whose conversation it is."""
        return " and ".join(self.intake.conversation.speakers)

    @property
    def promised(self) -> dict[str, str]:
        """What was answered and must be everywhere: content by memory id."""
        return {key: turn.text for key, turn in self.intake.turn_of.items()}


def shared_out(
    found: Sequence[Conversation], nodes: Sequence[str] | Mapping[str, str]
) -> list[Relay]:
    """A conversation for each node; when there is one only, each takes its part of that."""
    names = list(nodes)
    if len(found) >= len(names):
        parts = [replace(one, turns=one.turns[:TURNS_MAX]) for one in found[: len(names)]]
    else:
        whole = found[0]
        parts = [
            replace(
                whole,
                turns=whole.turns[at :: len(names)][:TURNS_MAX],
                questions=whole.questions if at == 0 else (),
            )
            for at in range(len(names))
        ]
    return [Relay(name, Intake.of(part)) for name, part in zip(names, parts, strict=True)]


@dataclass(frozen=True, slots=True)
class Written:
    """How the writing went, as the tools felt it."""

    took_s: float
    answered_at_kill: int
    pause_before_s: float
    """The longest time in which one of the tools had no answer, up to the kill."""
    pause_after_s: float
    """The same from the kill on."""
    median_ms: float
    """From a store's call to its answer."""


async def run(
    relays: Sequence[Relay],
    moved: Callable[[int], None],
    kill: Callable[[], Awaitable[None]],
) -> Written:
    """Let all tools write, and shoot when a part is answered. Ends when all is answered."""
    total = sum(len(one.intake.waiting) for one in relays)
    began = time.monotonic()
    shot: list[tuple[float, int]] = []
    shooting: list[asyncio.Task[None]] = []

    async def shoot(answered: int) -> None:
        shot.append((time.monotonic(), answered))
        await kill()

    def answered(_: int) -> None:
        count = sum(len(one.intake.ids) for one in relays)
        moved(count)
        if not shooting and count >= KILL_AT * total:
            shooting.append(asyncio.ensure_future(shoot(count)))
        if time.monotonic() - began > WRITING_SECONDS_MAX:
            for one in relays:
                one.intake.waiting.clear()

    async def write(one: Relay) -> None:
        assert one.tool is not None, "give it a tool first"
        await take_in(one.intake, one.tool, answered)

    async with asyncio.TaskGroup() as writing:
        for one in relays:
            writing.create_task(write(one))
    if shooting:
        await asyncio.gather(*shooting)
    else:
        await shoot(sum(len(one.intake.ids) for one in relays))
    killed_s, count = shot[0]
    # A tool that has nothing left to write does not wait.
    return Written(
        time.monotonic() - began,
        count,
        max(_pause(one, began, killed_s) for one in relays),
        max(_pause(one, killed_s, _last(one)) for one in relays),
        statistics.median(
            [ms for one in relays if one.tool for ms in one.tool.waited_ms.get("store", [0.0])]
        ),
    )


def _last(one: Relay) -> float:
    return max(one.ledger.answered_s, default=0.0)


def _pause(one: Relay, from_s: float, until_s: float) -> float:
    return longest_pause_s(one.ledger.answered_s, from_s, max(from_s, until_s))


async def ask_all(tools: Mapping[str, Tool], namespace: str, question: Question) -> dict[str, Hits]:
    """The same question to every node at once."""
    given = await asyncio.gather(
        *(
            tool.call("recall", context=question.text, namespace=namespace, limit=HITS_MAX)
            for tool in tools.values()
        )
    )
    return {name: list(answer["memories"]) for name, answer in zip(tools, given, strict=True)}
