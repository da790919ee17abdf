"""The cluster demo's parts, in the order in which an operator would doubt them.

Do three nodes become one with a line of text? Do writes go on when one is shot? Does it come back
by itself, and can a new machine join what is already full? And then, the only question that
counts: do all of them hold the same, and was anything lost on the way?
"""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from aimem_node.contract.values import NodeStatusRequest
from aimem_node.gateways.demo import agreement, cluster_screen, commands, own_node, relay
from aimem_node.gateways.demo.asking import spread
from aimem_node.gateways.demo.conversation import Conversation
from aimem_node.gateways.demo.ledger import CountingTool, together
from aimem_node.gateways.demo.own_team import OwnTeam
from aimem_node.gateways.demo.promises import Promises
from aimem_node.gateways.demo.screen import Screen, Tone
from aimem_node.gateways.demo.tool import Tool, connected

FOUNDERS = "abc"
SHOT = "c"
FOURTH = "d"
TOOLS = {"a": "desk-assistant", "b": "code-editor"}
"""Which tool writes at which node. The node that is shot has none: a tool loses its own node with
its machine; what is shown here is that it need not care about others."""

PAUSE_SECONDS_MAX = 2.0
"""Promised: writes are acknowledged again within this time after a node is gone."""
LEVEL_SECONDS_MAX = 20.0
POLL_SECONDS = 0.05
QUESTIONS_EACH_MAX = 30
"""About each conversation."""
ASKING_SECONDS_MAX = 10.0
VERIFY_FOUND_FAULTS = 7
"""What `aimem-node verify` exits with then. The demo tells them itself."""


class Story:
    """One run. It knows afterwards whether everything was as promised."""

    def __init__(self, screen: Screen, found: Sequence[Conversation], source: str) -> None:
        self.promises = Promises()
        self.last_words = ""
        """Of all nodes, when the story could not be told to its end."""
        self._screen = screen
        self._source = source
        self._relays = relay.shared_out(found, TOOLS)
        self.homes: list[Path] = []
        """Directories of the nodes, known once the story has ended."""

    async def tell(self) -> None:
        """Run the whole demo. Whatever happens, no node outlives it."""
        async with OwnTeam("aimem-cluster-demo-") as team:
            try:
                await self._form(team)
                await self._write(team)
                await self._come_back(team)
                await self._grow(team)
                await self._compare(team)
                await self._ask(team)
            except Exception:
                self.last_words = "\n".join(
                    f"Last words of {name}:\n{node.last_words()}"
                    for name, node in team.nodes.items()
                )
                raise
            finally:
                self.homes = [node.home for node in team.nodes.values()]
                _wave(team)

    async def _form(self, team: OwnTeam) -> None:
        """Three nodes that know nothing of each other, and two lines of text."""
        screen = self._screen
        screen.step("Three nodes", ("one cluster, all on this machine", Tone.PLAIN))
        began = time.perf_counter()
        async with asyncio.TaskGroup() as starting:
            for name in FOUNDERS:
                starting.create_task(team.start(name))
        started = time.perf_counter() - began
        screen.line(
            "a, b and c are up in ", (f"{started:.1f} s", Tone.FIGURE),
            ": a process, a directory and a key each, mutual TLS",
        )  # fmt: skip
        for name in FOUNDERS[1:]:
            took, _ = await team.join(name, FOUNDERS[0])
            screen.line(f"a invites {name}, {name} joins: ", (f"{took:.1f} s", Tone.FIGURE))
        for name in FOUNDERS:
            await team.in_sync(name, len(FOUNDERS))
        status = await team.status(FOUNDERS[0])
        self.promises.expect(
            status.voters == len(FOUNDERS), f"{status.voters} voters instead of {len(FOUNDERS)}"
        )
        screen.line(
            "a write is answered when ", (f"{status.needed} of {status.voters}", Tone.FIGURE),
            " have it on disk",
        )  # fmt: skip

    async def _write(self, team: OwnTeam) -> None:
        """Two tools at once; one node is shot in the middle."""
        screen, relays = self._screen, self._relays
        screen.step("Two tools write at once", (self._source, Tone.QUIET))
        for one in relays:
            screen.line(
                (f"{TOOLS[one.node]} at {one.node}: ", Tone.NAME),
                f"{len(one.intake.waiting)} turns of {one.said}",
            )
        total = sum(len(one.intake.waiting) for one in relays)
        async with AsyncExitStack() as open_now:
            for one in relays:
                tool = await open_now.enter_async_context(
                    connected(team.nodes[one.node], TOOLS[one.node])
                )
                one.tool = CountingTool.of(tool)
            with screen.bar("writing", total) as moved:
                written = await relay.run(
                    relays, moved, lambda: asyncio.to_thread(team.nodes[SHOT].kill)
                )
        self._tell_written(written)

    def _tell_written(self, written: relay.Written) -> None:
        screen, books = self._screen, together(one.ledger for one in self._relays)
        screen.line(
            (f"kill -9 {SHOT}", Tone.BAD), f" after {written.answered_at_kill} answers; ",
            f"a and b answered {books.answered - written.answered_at_kill} more without it",
        )  # fmt: skip
        self.promises.expect(
            written.pause_after_s <= PAUSE_SECONDS_MAX,
            f"a tool waited {written.pause_after_s:.1f} s for an answer after the kill",
        )
        self.promises.expect(
            written.answered_at_kill < books.answered, "nothing was written without the killed node"
        )
        screen.line(
            cluster_screen.mark(written.pause_after_s <= PAUSE_SECONDS_MAX),
            "longest time a tool had no answer: ",
            (f"{written.pause_before_s * 1000:.0f} ms", Tone.FIGURE), " before, ",
            (f"{written.pause_after_s * 1000:.0f} ms", Tone.FIGURE), " after",
        )  # fmt: skip
        screen.line(
            (f"{books.committed} committed", Tone.GOOD), f", {books.others}; ",
            (f"{books.answered / written.took_s:.0f}/s", Tone.FIGURE), ", median ",
            (f"{written.median_ms:.1f} ms", Tone.FIGURE),
        )  # fmt: skip
        for one in self._relays:
            if one.ledger.refusal:
                screen.line((f"refused at {one.node}: {one.ledger.refusal}", Tone.QUIET))

    async def _come_back(self, team: OwnTeam) -> None:
        """The node that was shot starts again; nobody tells it what it missed."""
        screen = self._screen
        screen.step(f"{SHOT} comes back", ("as it was left, in the middle of a write", Tone.PLAIN))
        began = time.perf_counter()
        await team.start(SHOT)
        up = time.perf_counter() - began
        lacked = await self._level(team, SHOT)
        level = time.perf_counter() - began
        screen.line(
            cluster_screen.mark(lacked is not None), "up in ", (f"{up:.1f} s", Tone.FIGURE),
            f", {lacked or 0} ops behind; level with the others ",
            (f"{level:.1f} s", Tone.FIGURE), " after its start",
        )  # fmt: skip

    async def _level(self, team: OwnTeam, name: str) -> int | None:
        """Wait until a node has all that the first has; how many ops it lacked when first asked.

        None when that took too long, which breaks a promise.
        """
        lacked: int | None = None
        async with team.client(FOUNDERS[0]) as first, team.client(name) as other:
            deadline = time.monotonic() + LEVEL_SECONDS_MAX
            theirs = agreement.heads_of(await first.call("NodeStatus", NodeStatusRequest()))
            own = agreement.heads_of(await other.call("NodeStatus", NodeStatusRequest()))
            lacked = agreement.lacking_ops(own, theirs)
            if not lacked:
                return 0
            with self._screen.bar(f"{name} catches up", lacked) as moved:
                while left := agreement.lacking_ops(own, theirs):
                    moved(lacked - left)
                    if time.monotonic() > deadline:
                        self.promises.expect(False, f"{name} still lacks {left} ops")
                        return None
                    await asyncio.sleep(POLL_SECONDS)
                    own = agreement.heads_of(await other.call("NodeStatus", NodeStatusRequest()))
        return lacked

    async def _grow(self, team: OwnTeam) -> None:
        """A fourth machine, with the commands that its owner would type."""
        screen = self._screen
        screen.step("A fourth joins", ("with the operator's own commands", Tone.PLAIN))
        sponsor = team.nodes[FOUNDERS[0]]
        invited = await commands.answer_of(sponsor, "invite", FOURTH)
        screen.line(("a$ ", Tone.NAME), "aimem-node invite")
        await team.start(FOURTH)
        screen.line(("d$ ", Tone.NAME), f"aimem-node join {invited['line']}")
        began = time.perf_counter()
        await commands.lines_of(
            team.nodes[FOURTH], "join", str(invited["line"]),
            told=lambda line: screen.line((line.strip(), Tone.QUIET), indent=6),
        )  # fmt: skip
        took = time.perf_counter() - began
        count = len(FOUNDERS) + 1
        for name in (*FOUNDERS, FOURTH):
            await team.in_sync(name, count)
        status = await team.status(FOURTH)
        self.promises.expect(status.voters == count, f"{status.voters} voters, not {count}")
        screen.line(
            cluster_screen.mark(status.voters == count), "it votes after ",
            (f"{took:.1f} s", Tone.FIGURE), f": N={status.voters}, W={status.needed}",
        )  # fmt: skip

    async def _compare(self, team: OwnTeam) -> None:
        """`status` and `verify --deep` on all four."""
        screen = self._screen
        screen.step("All equal", ("status as d sees it, verify --deep on each", Tone.PLAIN))
        cluster_screen.show_status(screen, await team.status(FOURTH))
        for name in team.nodes:
            await self._level(team, name)
        standings = [await _verified(team, name) for name in team.nodes]
        screen.gap()
        cluster_screen.show_standings(screen, standings)
        found = agreement.differences(standings)
        for difference in found:
            self.promises.expect(False, difference)
        if not found:
            screen.line(cluster_screen.mark(True), "every log, every digest is the same")

    async def _ask(self, team: OwnTeam) -> None:
        """The same questions to all four, and every memory looked for on each."""
        async with AsyncExitStack() as open_now:
            tools = {
                name: await open_now.enter_async_context(
                    connected(node, f"asker-{name}", profile="full")
                )
                for name, node in team.nodes.items()
            }
            await self._recall(tools)
            await self._count(tools)

    async def _recall(self, tools: dict[str, Tool]) -> None:
        screen = self._screen
        screen.step("The same answer everywhere", ("recall at a, b, c and d", Tone.PLAIN))
        wanted = [
            (one, question)
            for one in self._relays
            for question in spread(one.intake.conversation.questions, QUESTIONS_EACH_MAX)
        ]
        asked = unlike = 0
        deadline = time.monotonic() + ASKING_SECONDS_MAX
        with screen.bar("asking all four", len(wanted)) as moved:
            for one, question in wanted:
                if time.monotonic() > deadline:
                    break
                answers = await relay.ask_all(tools, one.intake.namespace, question)
                odd = agreement.odd_ones(answers)
                asked += 1
                unlike += bool(odd)
                self.promises.expect(
                    not odd, f"{', '.join(odd)} answered otherwise than a: {question.text}"
                )
                if asked in (1, 1 + len(wanted) // 2):
                    cluster_screen.show_answers(screen, question, answers, odd)
                moved(asked)
        screen.line(
            ("Σ ", Tone.NAME), (f"{asked}", Tone.FIGURE), " questions to each node, ",
            (f"{asked - unlike}", Tone.FIGURE), " answered alike by all",
        )  # fmt: skip

    async def _count(self, tools: dict[str, Tool]) -> None:
        """Nothing that was answered may be missing anywhere."""
        screen, books = self._screen, together(one.ledger for one in self._relays)
        promised = {key: text for one in self._relays for key, text in one.promised.items()}
        screen.step("Summary")
        screen.line(
            (f"{'acknowledged':<14}", Tone.QUIET), (f"{len(promised):>6}", Tone.FIGURE),
            f"   {books.committed} committed, {books.others}",
        )  # fmt: skip
        fewest, most = len(promised), 0
        for name, tool in tools.items():
            held: dict[str, str] = {}
            for namespace in sorted({one.intake.namespace for one in self._relays}):
                held |= await agreement.contents(tool, namespace)
            there = agreement.present(promised, held)
            fewest, most = min(fewest, there), max(most, len(held))
            screen.line(
                (f"{'present on ' + name:<14}", Tone.QUIET), (f"{there:>6}", Tone.FIGURE),
                "   word for word",
                "" if len(held) == there else f", and {len(held) - there} others",
            )  # fmt: skip
        lost = len(promised) - fewest
        screen.line((f"{'lost':<14}", Tone.QUIET), (f"{lost:>6}", Tone.BAD if lost else Tone.GOOD))
        self.promises.expect(not lost, f"{lost} acknowledged memories are not on every node")
        self.promises.expect(most <= len(promised), "some memories are there twice")

    def farewell(self, took_s: float) -> bool:
        """What is left (nothing), and whether every promise was kept."""
        left = [str(home) for home in self.homes if home.exists()]
        left += [f"process {pid}" for home in self.homes for pid in own_node.pids_at_work_in(home)]
        self.promises.expect(not left, f"left behind: {', '.join(left)}")
        screen, broken = self._screen, self.promises.broken
        said = "all nodes stopped, their directories removed" if not left else "not everything"
        screen.step("Gone", (f"{said}; {took_s:.0f} s in all", Tone.PLAIN))
        for one in broken:
            screen.line(("✗ ", Tone.BAD), one)
        if self.promises.more:
            screen.line(("✗ ", Tone.BAD), f"and {self.promises.more} more")
        if not broken:
            screen.line("three of your own, to play with:  ", ("make cluster", Tone.STRONG))
            screen.line("a second machine of yours:        ", ("aimem-node invite", Tone.STRONG))
        return not broken


async def _verified(team: OwnTeam, name: str) -> agreement.Standing:
    """What a node has, after it has folded its whole log again."""
    said = await commands.answer_of(
        team.nodes[name], "verify", "--deep", fine=(0, VERIFY_FOUND_FAULTS)
    )
    status = await team.call(name, "NodeStatus", NodeStatusRequest())
    return agreement.Standing(
        name,
        agreement.heads_of(status),
        str(said.get("digest") or ""),
        int(said.get("records") or 0),
        tuple(said.get("problems") or ()) or (() if said.get("ok") else ("it is not sound",)),
    )


def _wave(team: OwnTeam) -> None:
    """Ask all nodes to end before the team waits for each: they take their leave at once."""
    for node in team.nodes.values():
        if node.running:
            with contextlib.suppress(OSError):
                os.kill(node.pid, signal.SIGTERM)
