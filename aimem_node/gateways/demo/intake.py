"""Take a conversation in through a tool, and lose none of it when the node is shot half-way.

Every store carries a request key. A turn whose answer never came is simply sent again with the
same key: if the first attempt had reached the disk it gives the first answer again, otherwise
it is stored now. So "at most once" and "at least once" meet, and the sender keeps no books
beyond which turns are unanswered.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aimem_node.gateways.demo.conversation import Conversation, Turn
from aimem_node.gateways.demo.tool import Tool

IN_FLIGHT = 6
"""Stores under way at once, so that a kill finds some without their answer."""


@dataclass(slots=True)
class Intake:
    """How far the taking in has come."""

    conversation: Conversation
    waiting: deque[Turn]
    ids: dict[str, str] = field(default_factory=dict)
    """Memory ids by turn id, of the turns that were answered."""
    replayed: int = 0
    """Turns sent again that were found to be on disk already."""

    @classmethod
    def of(cls, conversation: Conversation) -> "Intake":
        """Nothing taken in yet."""
        return cls(conversation, deque(conversation.turns))

    @property
    def namespace(self) -> str:
        """Where the conversation is kept."""
        return namespace_of(self.conversation)

    @property
    def turn_of(self) -> dict[str, Turn]:
        """Turns by the id of the memory that holds them."""
        turns = {turn.turn_id: turn for turn in self.conversation.turns}
        return {memory_id: turns[turn_id] for turn_id, memory_id in self.ids.items()}


def namespace_of(conversation: Conversation) -> str:
    """A namespace that any name of a conversation fits into."""
    leaf = re.sub(r"[^a-z0-9-]+", "-", conversation.name.lower()).strip("-")
    return f"demo/{leaf or 'conversation'}"


def store_arguments(turn: Turn, namespace: str) -> dict[str, Any]:
    """One turn as one memory: who said it, in which session, and when it happened."""
    return {
        "title": turn.title,
        "content": turn.text,
        "namespace": namespace,
        "tier": "long",
        "agent_id": turn.agent_id,
        "session": turn.session,
        "happened_at": turn.happened_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "metadata": {"turn": turn.turn_id},
        "on_conflict": "new",
        "options": {"request_key": f"{namespace}/{turn.turn_id}"},
    }


class Shot(Exception):  # noqa: N818 - not a fault: the demo pulled the trigger itself
    """The node was ended half-way, on purpose."""


async def take_in(
    intake: Intake,
    tool: Tool,
    answered: Callable[[int], None],
    shoot: Callable[[int], bool] = lambda _: False,
) -> int:
    """Store what is waiting. Ends early once `shoot` says it has shot the node.

    Gives how many stores were in flight at that moment, 0 when all went through. Their turns
    are waiting again, as are those whose call failed.
    """
    in_flight: set[str] = set()

    async def work() -> None:
        while intake.waiting:
            turn = intake.waiting.popleft()
            in_flight.add(turn.turn_id)
            try:
                answer = await tool.call("store", **store_arguments(turn, intake.namespace))
            except BaseException:
                intake.waiting.appendleft(turn)
                raise
            in_flight.discard(turn.turn_id)
            intake.ids[turn.turn_id] = str(answer["id"])
            intake.replayed += bool((answer.get("write") or {}).get("replayed"))
            answered(len(intake.ids))
            if shoot(len(intake.ids)):
                raise Shot

    workers = [asyncio.create_task(work()) for _ in range(IN_FLIGHT)]
    try:
        await asyncio.gather(*workers)
    except Shot:
        return len(in_flight)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
    return 0


async def unlike(intake: Intake, tool: Tool) -> list[str]:
    """Turn ids of answered turns that cannot be read back word for word."""
    asked = deque(intake.turn_of.items())
    wrong: list[str] = []

    async def work() -> None:
        while asked:
            memory_id, turn = asked.popleft()
            answer = await tool.call("get", id=memory_id)
            if answer["memory"]["content"] != turn.text:
                wrong.append(turn.turn_id)

    await asyncio.gather(*(work() for _ in range(IN_FLIGHT)))
    return wrong


async def listed(intake: Intake, tool: Tool) -> list[str]:
    """The ids of every memory in the conversation's namespace, page by page."""
    found: list[str] = []
    cursor = ""
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = await tool.call("list", namespace=intake.namespace, limit=1000, **more)
        found.extend(str(memory["id"]) for memory in page["memories"])
        cursor = str(page.get("next_cursor") or "")
        if not cursor:
            return found
