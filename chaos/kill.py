"""Kill a real node again and again while clients store memories; then count what is there.

Nothing is simulated: the node is a process of its own, the kill is SIGKILL at a moment drawn
from a seed, the clients are ordinary gRPC clients that do what the documentation tells them to,
which is to send a write of unknown outcome again with the same request key. Before anything is
counted the node is killed once more, so that what is read was on the disk.

    make chaos-kill                              # 1,000 stores, 12 kills
    make chaos-kill ARGS="--seed 7 --kills 40"   # the same moments again on the same machine

Exit code: 0 everything holds, 1 a check is broken, 2 the run could not be made.
"""

import argparse
import asyncio
import random
import signal
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    HistoryRequest,
    ListRequest,
    OnConflict,
    StoreRequest,
    StoreResponse,
    Tier,
    VerifyRequest,
    WriteOptions,
)
from aimem_node.gateways.demo.own_node import NodeError, OwnNode
from chaos.checker.check import table
from chaos.verdict import Answer, Evidence, Found, Kill, Wish, judge

NAMESPACE = "chaos/kill"
PAGE = 500
STORE_SECONDS_MAX = 10.0
"""A store that hangs longer than this across a restart is sent again."""
ATTEMPTS_MAX = 200
"""Of one store. Far above the number of kills, so running out of them means a node that is lost."""
HESITATION_SECONDS_MAX = 0.015
"""Between the acknowledgement that triggers a kill and the kill: several commits long, so that
kills fall before, inside and after a transaction."""
AGAIN = frozenset({Code.UNAVAILABLE, Code.UNKNOWN_OUTCOME, Code.DEADLINE, Code.INTERNAL})
"""What a client answers with the same request key: nothing was done, or nobody knows."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. The same plan draws the same moments."""

    memories: int
    clients: int
    kills: int
    seed: int
    seconds_max: float

    def wishes(self) -> dict[str, Wish]:
        """What is to be stored, by request key."""
        return {
            f"kill-{self.seed}-{n}": Wish(f"memory {n} of run {self.seed}", f"It says {n * n}.")
            for n in range(self.memories)
        }

    def moments(self) -> list[tuple[int, float]]:
        """For each kill: after how many acknowledgements, and how many seconds later still."""
        # Room at both ends: something must have been acknowledged, something still be to come.
        room = range(self.clients + 1, self.memories - 2 * self.clients)
        chance = random.Random(self.seed)
        counts = sorted(chance.sample(room, self.kills))
        return [(count, chance.uniform(0, HESITATION_SECONDS_MAX)) for count in counts]


@dataclass(slots=True)
class Run:
    """What the clients and the killer share."""

    plan: Plan
    node: OwnNode
    up: asyncio.Event = field(default_factory=asyncio.Event)
    "Set while the node is thought to answer."
    moved: asyncio.Condition = field(default_factory=asyncio.Condition)
    "Notified at each acknowledgement and at the end."
    finished: bool = False
    "No client has anything left to store."
    in_flight: int = 0
    retries: int = 0
    answers: dict[str, Answer] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)
    kills: list[Kill] = field(default_factory=list)

    def client(self) -> GrpcClient:
        """A connection of its own: several clients are several callers."""
        return GrpcClient.unix(self.node.socket("grpc"), timeout_s=STORE_SECONDS_MAX)


def _request(key: str, wish: Wish) -> StoreRequest:
    return StoreRequest(
        title=wish.title,
        content=wish.content,
        namespace=NAMESPACE,
        tier=Tier.LONG,
        # Another memory with this title would be stored beside it, and so be counted.
        on_conflict=OnConflict.NEW,
        options=WriteOptions(request_key=key),
    )


def _answer(response: StoreResponse) -> Answer:
    assert response.write is not None
    return Answer(response.id, response.write.write_ids, response.write.replayed)


async def store_all(run: Run, todo: deque[tuple[str, Wish]]) -> None:
    """One client: take a wish, send it until it is answered, take the next."""
    async with run.client() as client:
        while todo:
            key, wish = todo.popleft()
            try:
                answer = await _store(run, client, _request(key, wish))
            except Failure as failure:
                run.refused[key] = str(failure)
                continue
            async with run.moved:
                run.answers[key] = answer
                run.moved.notify_all()


async def _store(run: Run, client: GrpcClient, request: StoreRequest) -> Answer:
    for attempt in range(ATTEMPTS_MAX):
        await run.up.wait()
        run.in_flight += 1
        try:
            return _answer(await client.call("Store", request))
        except Failure as failure:
            if failure.code not in AGAIN:
                raise
            run.retries += 1
        finally:
            run.in_flight -= 1
        await client.close()  # the next call opens a new connection, without any back-off
        await asyncio.sleep(0.01 * min(attempt, 10))
    raise Failure(Code.UNAVAILABLE, f"not answered in {ATTEMPTS_MAX} attempts")


async def kill_at_moments(run: Run) -> None:
    """The nemesis: at each moment of the plan, SIGKILL and start again."""
    for count, hesitation_s in run.plan.moments():
        async with run.moved:
            while len(run.answers) < count and not run.finished:
                await run.moved.wait()
        if len(run.answers) < count:
            return  # it cannot come any more; the verdict counts the kills that were made
        await asyncio.sleep(hesitation_s)
        while run.in_flight == 0 and not run.finished:  # noqa: ASYNC110 - a turn of the loop away
            await asyncio.sleep(0)  # a kill between two stores would show nothing
        struck = run.in_flight, len(run.answers)
        restart_ms = await _kill(run)
        run.kills.append(Kill(*struck, restart_ms))
        print(
            f"  kill {len(run.kills):>3}: {struck[0]} in flight, {struck[1]} acknowledged, "
            f"answering again after {restart_ms} ms",
            flush=True,
        )


async def _kill(run: Run) -> int:
    run.up.clear()
    run.node.kill()
    started = time.monotonic()
    run.node.spawn()
    await run.node.answering()
    run.up.set()
    return round((time.monotonic() - started) * 1000)


async def look(run: Run, wishes: dict[str, Wish]) -> Evidence:
    """Ask the node for everything it has, and send every acknowledged store once more."""
    async with run.client() as client:
        found = [await _found(client, memory) for memory in await _listed(client)]
        replays = {
            key: _answer(await client.call("Store", _request(key, wishes[key])))
            for key in run.answers
        }
        after = await _listed(client)
        verified = await client.call("Verify", VerifyRequest(deep=True))
    problems = list(verified.problems)
    if not verified.ok and not problems:
        problems.append("verify says that something is wrong, and not what")
    return Evidence(
        wishes=wishes,
        answers=run.answers,
        replays=replays,
        refused=run.refused,
        found=tuple(found),
        kills=tuple(run.kills),
        there_after_replays=len(after),
        problems=tuple(problems),
    )


async def _listed(client: GrpcClient) -> list[Any]:
    memories: list[Any] = []
    cursor = None
    while True:
        asked = ListRequest(namespace=NAMESPACE, limit=PAGE, cursor=cursor)
        page = await client.call("List", asked)
        memories += page.memories
        cursor = page.next_cursor
        if not cursor:
            return memories


async def _found(client: GrpcClient, memory: Any) -> Found:
    history = await client.call("History", HistoryRequest(id=memory.id))
    return Found(memory.id, memory.title, memory.content, len(history.versions))


async def play(plan: Plan, node: OwnNode) -> Evidence:
    """The whole run against a node that is not yet running."""
    wishes = plan.wishes()
    run = Run(plan, node)
    node.spawn()
    await node.answering()
    run.up.set()
    todo = deque(wishes.items())
    async with asyncio.TaskGroup() as together:
        together.create_task(kill_at_moments(run))
        clients = [together.create_task(store_all(run, todo)) for _ in range(plan.clients)]
        await asyncio.wait(clients)
        async with run.moved:
            run.finished = True
            run.moved.notify_all()
    await _kill(run)
    done_unseen = sum(answer.replayed for answer in run.answers.values())
    print(
        f"  {len(run.answers)} acknowledged, {run.retries} sent again, of which {done_unseen} had "
        "been done without an answer; looking ...",
        flush=True,
    )
    return await look(run, wishes)


async def main_async(plan: Plan) -> int:
    """Make the run within its time, judge it, print the verdict. Returns the exit code."""
    this = asyncio.current_task()
    assert this is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, this.cancel)
    print(
        f"seed {plan.seed}: {plan.memories} stores by {plan.clients} clients, {plan.kills} kills",
        flush=True,
    )
    with OwnNode("aimem-kill-") as node:
        try:
            async with asyncio.timeout(plan.seconds_max):
                evidence = await play(plan, node)
        except TimeoutError:
            return _failed(node, f"not done within {plan.seconds_max:.0f} s")
        except (NodeError, Failure, OSError) as error:
            return _failed(node, str(error))
        except ExceptionGroup as group:
            return _failed(node, "\n".join(map(repr, group.exceptions)))
    return verdict(plan, evidence)


def _failed(node: OwnNode, why: str) -> int:
    print(f"the run could not be made: {why}\nthe node's last words:", file=sys.stderr)
    print(node.last_words(), file=sys.stderr)
    return 2


def verdict(plan: Plan, evidence: Evidence) -> int:
    """Print what the run proves. Returns the exit code."""
    checks = judge(evidence)
    print("\n" + table(checks) + "\n")
    missing = plan.kills - len(evidence.kills)
    if missing:
        print(f"{missing} of {plan.kills} kills never came: nothing is proved without them.")
    if missing or not all(check.holds for check in checks):
        print(f'BROKEN. Once more: make chaos-kill ARGS="{again(plan)}"')
        return 1
    print("Nothing acknowledged was lost, and nothing was done twice.")
    return 0


def again(plan: Plan) -> str:
    """The arguments that make this run once more."""
    return (
        f"--seed {plan.seed} --memories {plan.memories} --clients {plan.clients} "
        f"--kills {plan.kills}"
    )


def main(argv: list[str] | None = None) -> int:
    """The command line. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m chaos.kill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--memories", type=int, default=1_000, help="how many are stored")
    parser.add_argument("--clients", type=int, default=8, help="how many store at once")
    parser.add_argument("--kills", type=int, default=12, help="how often the node is killed")
    parser.add_argument("--seed", type=int, default=1, help="where the moments are drawn from")
    parser.add_argument("--seconds-max", type=float, default=300, help="the whole run's time")
    plan = Plan(**vars(parser.parse_args(argv)))
    if plan.clients < 1 or plan.kills < 1 or plan.memories < 3 * plan.clients + 1 + plan.kills:
        parser.error("too few memories for so many clients and kills")
    try:
        return asyncio.run(main_async(plan))
    except (KeyboardInterrupt, asyncio.CancelledError):
        print("interrupted; the node is gone and so is its directory", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
