"""The demo's four parts, in the order in which a newcomer would doubt them.

Does it start by itself? Does it keep what it answered, even when it is shot? Does it find
things, and how fast? And do two tools really share one memory without overwriting each other?
"""

import statistics
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aimem_node.gateways.demo import asking
from aimem_node.gateways.demo.conversation import Conversation
from aimem_node.gateways.demo.intake import Intake, listed, take_in, unlike
from aimem_node.gateways.demo.own_node import OwnNode
from aimem_node.gateways.demo.screen import Screen, Tone
from aimem_node.gateways.demo.tool import Tool, connected

FIRST_TOOL = "desk-assistant"
SECOND_TOOL = "code-editor"
VERSIONS_SHOWN = 3


class DemoError(Exception):
    """Something the demo promises did not happen. The product is wrong, not the reader."""


async def tell(screen: Screen, node: OwnNode, conversation: Conversation, source: str) -> None:
    """Run the whole demo. Raises DemoError when a promise is broken."""
    await start(screen, node)
    intake = Intake.of(conversation)
    await remember(screen, node, intake, source)
    async with connected(node, SECOND_TOOL, profile="full") as second:
        await recall(screen, second, intake)
        async with connected(node, FIRST_TOOL) as first:
            await share(screen, first, second, intake)


async def start(screen: Screen, node: OwnNode) -> None:
    """A node that nobody configured."""
    began = time.perf_counter()
    node.spawn()
    await node.answering()
    took = time.perf_counter() - began
    resident = node.resident_bytes() / 1_000_000
    screen.step("A node of your own", (str(node.data_dir), Tone.QUIET))
    screen.line(
        "up in ", (f"{took:.2f} s", Tone.FIGURE), ", holding ", (f"{resident:.0f} MB", Tone.FIGURE),
        "; one SQLite file, no server, no account, no model to load",
    )  # fmt: skip


async def remember(screen: Screen, node: OwnNode, intake: Intake, source: str) -> None:
    """Take the conversation in, shooting the node half-way."""
    conversation = intake.conversation
    total = len(conversation.turns)
    people = " and ".join(conversation.speakers)
    sessions = len(conversation.sessions)
    screen.step("It remembers", (f"{people}: {total} turns, {sessions} sessions", Tone.PLAIN))
    screen.line((f"{source}, through a real MCP client and `aimem mcp`", Tone.QUIET))
    began = time.perf_counter()
    waited: list[float] = []
    with screen.bar("taking in", total) as moved:
        async with connected(node, FIRST_TOOL) as tool:
            in_flight = await take_in(intake, tool, moved, lambda done: shot(node, done, total))
            waited += tool.waited_ms["store"]
    answered = len(intake.ids)
    screen.line(
        ("kill -9", Tone.BAD), f" after {answered} answers, with {in_flight} more on their way …"
    )
    shot_at = time.perf_counter()
    node.spawn()
    await node.answering()
    back = time.perf_counter() - shot_at
    with screen.bar("taking in", total) as moved:
        async with connected(node, FIRST_TOOL) as tool:
            wrong = await unlike(intake, tool)
            if wrong:
                raise DemoError(f"answered, and gone or changed after the kill: {wrong[:5]}")
            screen.line(
                ("✓ ", Tone.GOOD), "back in ", (f"{back:.2f} s", Tone.FIGURE),
                f": all {answered} answered memories are there, word for word",
            )  # fmt: skip
            await take_in(intake, tool, moved)
            waited += tool.waited_ms["store"]
            kept = await listed(intake, tool)
    if sorted(kept) != sorted(intake.ids.values()):
        raise DemoError(f"{total} turns were stored, and {len(kept)} memories are listed")
    screen.line(
        ("✓ ", Tone.GOOD), f"the unanswered were sent again: {total} turns, {len(kept)} memories,"
        f" none twice ({intake.replayed} had landed already)",
    )  # fmt: skip
    screen.line(
        "  ", (f"{time.perf_counter() - began:.1f} s", Tone.FIGURE), " in all; a store, on disk,"
        " seen from the tool: median ", (f"{statistics.median(waited):.1f} ms", Tone.FIGURE),
    )  # fmt: skip


def shot(node: OwnNode, done: int, total: int) -> bool:
    """Shoot the node when half of the turns have been answered; whether that was now."""
    if done != max(1, total // 2):
        return False
    node.kill()
    return True


async def recall(screen: Screen, tool: Tool, intake: Intake) -> None:
    """Ask a few questions in full and all of them for the tally."""
    turns = intake.turn_of
    questions = intake.conversation.questions
    screen.step("It finds", ("another tool, another process, the same memory", Tone.PLAIN))
    for question in asking.spread(questions, asking.QUESTIONS_SHOWN):
        asking.show(screen, await asking.ask(tool, intake, question, turns), turns)
    if not questions:
        return
    result = await asking.tally(tool, intake, turns, screen)
    waited = sorted(tool.waited_ms["recall"])
    every = "every question" if result.asked == len(questions) else "questions in the time there is"
    screen.line(
        ("Σ ", Tone.NAME), f"{every} ({result.asked}): evidence among the first"
        f" {asking.HITS_MAX} for ", (f"{result.found / result.asked:.0%}", Tone.FIGURE),
        ", on top for ", (f"{result.first / result.asked:.0%}", Tone.FIGURE),
        "; median ", (f"{statistics.median(waited):.1f} ms", Tone.FIGURE),
    )  # fmt: skip


async def share(screen: Screen, first: Tool, second: Tool, intake: Intake) -> None:
    """One tool changes a memory, the other sees it, and the history keeps both versions."""
    screen.step(
        "It is shared, and forgets nothing", (f"{FIRST_TOOL} and {SECOND_TOOL}", Tone.PLAIN)
    )
    memory_id, turn = changed_turn(intake)
    addition = f"[{datetime.now(UTC):%-d %b %Y}: checked, still so] {turn.text}"
    await first.call("update", id=memory_id, content=addition, agent_id=FIRST_TOOL)
    seen = await second.call("get", id=memory_id)
    if seen["memory"]["content"] != addition:
        raise DemoError(f"{SECOND_TOOL} does not see what {FIRST_TOOL} wrote")
    screen.line(f"{FIRST_TOOL} amended a memory; {SECOND_TOOL} sees it, and its history:")
    versions = (await second.call("history", id=memory_id))["versions"]
    for age, version in enumerate(versions[:VERSIONS_SHOWN]):
        show_version(screen, version, is_newest=age == 0)


def changed_turn(intake: Intake) -> tuple[str, Any]:
    """The turn that answers the first question, or the first turn when nothing is asked."""
    turns = {turn.turn_id: turn for turn in intake.conversation.turns}
    asked = intake.conversation.questions
    turn_id = min(asked[0].evidence) if asked else next(iter(turns))
    return intake.ids[turn_id], turns[turn_id]


def show_version(screen: Screen, version: Mapping[str, Any], *, is_newest: bool) -> None:
    """One write: who made it, when, and what it set."""
    at = datetime.fromisoformat(str(version["written_at"]))
    text = " ".join(str(words_of(version.get("change") or {})).split())
    screen.line(
        ("now     " if is_newest else "before  ", Tone.GOOD if is_newest else Tone.QUIET),
        (f"{version.get('author', '')}, {at:%H:%M:%S} ", Tone.NAME),
        (text, Tone.PLAIN if is_newest else Tone.QUIET),
        indent=5,
    )


def words_of(change: Any) -> str:
    """The content a write set, wherever in the change it stands; empty when it set none."""
    if isinstance(change, Mapping):
        if "content" in change:
            return str(change["content"])
        for inner in change.values():
            found = words_of(inner)
            if found:
                return found
    return ""


def farewell(screen: Screen, home: Path, took_s: float) -> None:
    """What is left (nothing) and what to do next."""
    screen.step("Gone", (f"node stopped, {home} removed, {took_s:.0f} s in all", Tone.PLAIN))
    screen.line("keep one of your own:  ", ("aimem install claude-code", Tone.STRONG))
    screen.line("or from a shell:       ", ("aimem help", Tone.STRONG))
