"""One run: a cluster, clients, faults one after the other, and at the end the verdict.

    python -m chaos.run --fault kill --cycles 5 --seed 7

The same seed draws the same faults at the same nodes for the same times; what the machine does in
between is its own. Everything that happened stays in the run's directory if asked for or if
anything is broken, so that it can be judged again: python -m chaos.checker DIR.

Exit code: 0 everything holds, 1 something is broken, 2 the run could not be made.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from aimem_node.contract.errors import Failure
from aimem_node.gateways.demo.own_node import NodeError
from chaos import needs
from chaos.checker import (
    Check,
    Evidence,
    Tally,
    Unreadable,
    healing,
    judge,
    load,
    table,
    tally,
)
from chaos.cluster import Build, Cluster
from chaos.dump import dump
from chaos.faults import CLASSES, NotInjected, Stage
from chaos.faults.upgrade import unpack
from chaos.history import Recorder
from chaos.report import Facts, RunResult, commit, hardware, write_report
from chaos.workload import Workload

FOUNDERS: Final = "abcde"
WARM_ACKS: Final = 20
"""Acknowledged writes before the first fault: a cluster that does nothing proves nothing."""
REST_S: Final = (0.4, 1.2)
"""Between two faults clients are left alone for so long."""
CYCLE_S_MAX: Final = 180.0
SETTLE_S_MAX: Final = 120.0


HOLDS, BROKEN, CANNOT, INTERRUPTED = 0, 1, 2, 130
LAST_WORDS: Final = "last-words.txt"


@dataclass(frozen=True, slots=True)
class Plan:
    """What one run does. The same plan draws the same faults."""

    faults: tuple[str, ...]
    "Names of classes, in the order in which they strike."
    size: int
    seed: int
    hold_s_max: float = 30.0
    clients_per_node: int = 3
    broken: str = ""
    "A mutant that all nodes are; empty for the real thing."

    @property
    def title(self) -> str:
        """What struck, in one word if it was always the same."""
        return self.faults[0] if len(set(self.faults)) == 1 else "mixed"

    @property
    def needed(self) -> int:
        """W: a majority."""
        return self.size // 2 + 1

    @property
    def build(self) -> Build:
        """What the nodes must be started as for these faults."""
        disk = any(CLASSES[name].build.disk for name in self.faults)
        return Build(broken=self.broken, disk=disk)

    @property
    def disk_mib(self) -> int:
        """How small their disks must be."""
        return max(CLASSES[name].disk_mib for name in self.faults)

    @property
    def command(self) -> str:
        """How to do this again."""
        counted = " ".join(f"--fault {name}" for name in dict.fromkeys(self.faults))
        cycles = len(self.faults) // len(dict.fromkeys(self.faults))
        return (
            f"python -m chaos.run {counted} --cycles {cycles} --size {self.size}"
            f" --seed {self.seed} --hold {self.hold_s_max:g}"
            + (f" --broken {self.broken}" if self.broken else "")
        )


@dataclass(slots=True)
class Played:
    """What became of a run, before it is judged."""

    cycles: int = 0
    problem: str = ""
    "Why it ended early; empty if it did not."
    not_injected: bool = False
    "It ended because a fault did not strike, or could not be made: a run that proves nothing."
    words: list[str] = field(default_factory=list)
    let_in: list[str] = field(default_factory=list)


async def play(plan: Plan, root: Path, evidence: Path) -> Played:
    """Make the run and leave its evidence. Raises nothing that a cluster can do."""
    played = Played()
    recorder = Recorder(evidence, time.monotonic_ns)
    build = plan.build
    cluster = Cluster(
        root, plan.size, seed=plan.seed, evidence=evidence, build=build, disk_mib=plan.disk_mib
    )
    names = FOUNDERS[: plan.size]
    try:
        async with cluster:
            try:
                await _found(cluster, names, plan, root)
                workload = Workload(
                    recorder, {name: cluster.endpoint(name) for name in names}, plan.seed,
                    clients_per_node=plan.clients_per_node,
                )  # fmt: skip
                chance = random.Random(f"nemesis {plan.seed}")
                stage = Stage(cluster, recorder, workload, chance, plan.hold_s_max, played.let_in)
                await workload.start()
                try:
                    await _strike(plan, stage, played)
                finally:
                    async with asyncio.timeout(SETTLE_S_MAX):
                        await workload.stop()
                await _settle(stage)
                await _put_to_rest(cluster)
            except (NotInjected, subprocess.SubprocessError) as error:
                played.problem, played.not_injected = str(error) or repr(error), True
            except (NodeError, Failure, OSError, TimeoutError, ExceptionGroup) as error:
                played.problem = _told(error)
            if played.problem:
                played.words = [
                    f"{name}: {machine.last_words()}" for name, machine in cluster.machines.items()
                ]
            await _write_down(cluster, evidence, played)
    finally:
        recorder.close()
    return played


def _told(error: BaseException) -> str:
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(one) for one in error.exceptions)
    return str(error) or repr(error)


async def _found(cluster: Cluster, names: str, plan: Plan, root: Path) -> None:
    if set(plan.faults) == {"upgrade"}:
        cluster.default = Build(source=await asyncio.to_thread(unpack, root))
    try:
        await cluster.found(names)
    finally:
        cluster.default = plan.build


async def _strike(plan: Plan, stage: Stage, played: Played) -> None:
    """One fault after the other, each with time to heal."""
    await _acknowledged(stage, WARM_ACKS, "clients are acknowledged before the first fault")
    for name in plan.faults:
        async with asyncio.timeout(CYCLE_S_MAX):
            await CLASSES[name].play(stage)
            healed_s, level_s = await stage.healed(name)
            print(f"    {name}: writes after {healed_s:.2f} s, level after {level_s:.2f} s",
                  file=sys.stderr, flush=True)  # fmt: skip
            await asyncio.sleep(stage.chance.uniform(*REST_S))
            more = len(stage.workload.acknowledged) + 1
            await _acknowledged(stage, more, f"clients are acknowledged after {name}")
        played.cycles += 1


async def _acknowledged(stage: Stage, count: int, what: str) -> None:
    async def enough() -> bool:
        return len(stage.workload.acknowledged) >= count

    await stage.cluster.until(enough, what)


async def _settle(stage: Stage) -> None:
    """Clients find out what became of what they do not know; all nodes come to hold the same."""
    async with asyncio.timeout(SETTLE_S_MAX):
        await stage.workload.settle()
    await stage.cluster.until(stage.cluster.are_level, "all nodes hold the same in the end")


async def _put_to_rest(cluster: Cluster) -> None:
    """Have all nodes log what they had in memory alone, which they do when they stop, and let the
    others have it; then end them so that nothing is left of them but what is on their disks."""
    names = cluster.names
    await asyncio.gather(
        *(asyncio.to_thread(machine.stop) for machine in cluster.machines.values())
    )
    for name in names:
        await cluster.spawn(name)
    await cluster.answering(names)
    await cluster.until(cluster.are_level, "all nodes hold the same after a restart")
    cluster.kill(*names)


async def _write_down(cluster: Cluster, evidence: Path, played: Played) -> None:
    """What each node holds. Those that still run are ended first."""
    for name, machine in cluster.machines.items():
        try:
            if machine.running:
                machine.go_on()
                await asyncio.to_thread(machine.stop)
            await asyncio.to_thread(dump, name, machine.data_dir, evidence)
        except (Failure, OSError, ValueError) as error:
            played.problem = played.problem or f"the store of {name} cannot be read: {error}"


def verdict(plan: Plan, played: Played, seen: Evidence | None) -> tuple[Check, ...]:
    """All checks: of the run itself first, then of what it left."""
    early = (played.problem,) if played.problem else ()
    short = () if played.cycles == len(plan.faults) else (f"{played.cycles} of {len(plan.faults)}",)
    made = Check("the run came to its end", 1, early)
    struck = Check("every fault struck, and the cluster healed", len(plan.faults), short)
    let_in = Check("nobody was let in who does not belong", 1, tuple(played.let_in))
    return (made, struck, let_in, *(judge(seen) if seen is not None else ()))


def result_of(
    plan: Plan, played: Played, checks: tuple[Check, ...], seen: Evidence | None, seconds: float
) -> RunResult:
    """What a campaign keeps of a run."""
    counts = tally(seen) if seen is not None else Tally()
    heals = healing(seen) if seen is not None else []
    return RunResult(
        fault=plan.title, seed=plan.seed, nodes=plan.size, w=plan.needed, cycles=played.cycles,
        acknowledged=counts.acknowledged, unknown=counts.unknown, lost=counts.lost,
        convergence=counts.convergence,
        healed_s=tuple(round(one.healed_s, 3) for one in heals if one.healed_s is not None),
        level_s=tuple(round(one.level_s, 3) for one in heals if one.level_s is not None),
        checks=tuple(
            {"name": one.name, "tried": one.tried, "broken": len(one.broken), "holds": one.holds,
             "note": one.note}
            for one in checks
        ),
        holds=all(check.holds for check in checks), seconds=round(seconds, 1), commit=commit(),
        hold_s_max=plan.hold_s_max, note=played.problem,
    )  # fmt: skip


def make(plan: Plan, keep: Path | None = None) -> tuple[RunResult, tuple[Check, ...]]:
    """Make a run and judge it. With `keep` its evidence and its report are left there, and
    without it only where something is broken, below the temporary directory."""
    began = time.monotonic()
    root = Path(tempfile.mkdtemp(prefix="aimem-chaos-"))
    evidence = root / "evidence"
    try:
        played = asyncio.run(_interruptible(plan, root, evidence))
        seen = _seen(evidence, played)
        checks = verdict(plan, played, seen)
        seconds = time.monotonic() - began
        result = result_of(plan, played, checks, seen, seconds)
        facts = Facts(
            title=f"{plan.size} nodes under {plan.title}", fault=plan.title, seed=plan.seed,
            nodes=plan.size, w=plan.needed, commit=result.commit, hardware=hardware(),
            date=result.date, seconds=result.seconds, command=plan.command,
        )  # fmt: skip
        (evidence / LAST_WORDS).write_text("\n\n".join(played.words) + "\n", encoding="utf-8")
        write_report(evidence, facts, checks)
        if keep is None and not result.holds:
            keep = Path(tempfile.gettempdir()) / f"aimem-chaos-{plan.title}-{plan.size}-{plan.seed}"
        if keep is not None:
            shutil.rmtree(keep, ignore_errors=True)
            shutil.copytree(evidence, keep)
            result = replace(result, directory=str(keep))
        return result, checks
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _seen(evidence: Path, played: Played) -> Evidence | None:
    """What was left to judge; None if the run ended before there was anything."""
    try:
        return load(evidence)
    except Unreadable as error:
        played.problem = played.problem or str(error)
        return None


async def _interruptible(plan: Plan, root: Path, evidence: Path) -> Played:
    """The run as a task that a signal cancels, so that it tidies up as it unwinds. A second signal
    would cut that short, and leave nodes and namespaces behind."""
    task = asyncio.ensure_future(play(plan, root, evidence))
    loop = asyncio.get_running_loop()
    told: list[int] = []

    def end(number: int) -> None:
        if not told:
            task.cancel()
        told.append(number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, end, number)
    return await task


def told(plan: Plan, result: RunResult, checks: tuple[Check, ...]) -> str:
    """The verdict for a terminal."""
    lines = [table(checks)]
    if not result.holds:
        lines += ["", f"BROKEN: {result.note or 'see above'}", f"to repeat it: {plan.command}"]
    if result.directory:
        lines.append(f"evidence and report: {result.directory}")
    return "\n".join(lines)


def exit_code(result: RunResult) -> int:
    """0 holds, 1 broken, 2 the run could not be made: nothing was struck at all."""
    return HOLDS if result.holds else BROKEN if result.cycles else CANNOT


def main(argv: list[str] | None = None) -> int:
    """See the module."""
    parser = argparse.ArgumentParser("python -m chaos.run", description=main.__doc__)
    parser.add_argument(
        "--fault", action="append", choices=list(CLASSES), required=True, metavar="CLASS",
        help=f"may be given several times; one of {', '.join(CLASSES)}",
    )  # fmt: skip
    parser.add_argument("--cycles", type=int, default=1, help="how often each of them strikes")
    parser.add_argument("--size", type=int, choices=(3, 5), default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--hold", type=float, default=30.0, help="seconds that a fault lasts at most"
    )
    parser.add_argument("--broken", default="", help="run a build with something wrong in it")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="leave evidence and report there")
    asked = parser.parse_args(argv)
    if needs.told_of_lacking(asked.fault):
        return CANNOT
    plan = Plan(
        tuple(asked.fault) * asked.cycles, asked.size, asked.seed, asked.hold, broken=asked.broken
    )
    try:
        result, checks = make(plan, asked.keep)
    except (asyncio.CancelledError, KeyboardInterrupt):
        print("interrupted: nothing is left of it", file=sys.stderr)
        return INTERRUPTED
    print(told(plan, result, checks))
    return exit_code(result)


if __name__ == "__main__":
    sys.exit(main())
