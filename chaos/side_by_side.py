"""Several runs at a time, each in a process of its own.

A run mostly waits, for a fault to last and for a cluster to heal, so a machine can make several.
Each process has its own namespaces and its own router; nothing is shared but the processor.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import FrameType
from typing import Final, TypeAlias

from chaos.checker import Check
from chaos.report import RunResult
from chaos.run import Plan, make

TOLD_TO_END: Final = (signal.SIGTERM, signal.SIGHUP)
TIDY_S_MAX: Final = 60.0
"""For a run that is told to end: its clients, its nodes and its namespaces go first."""

Made: TypeAlias = tuple[Plan, RunResult, tuple[Check, ...]]


class RunDied(Exception):  # noqa: N818 - it says what happened
    """The process of a run ended without a word."""


def side_by_side(plans: Iterable[Plan], jobs: int) -> Iterator[Made]:
    """Make these runs, so many at a time; each as soon as it is made. The next plan is drawn when
    there is room for it. Ended early, it ends the runs that are under way, and waits for them to
    leave nothing behind. What a run raises is raised here."""
    if jobs <= 1:
        for plan in plans:
            yield (plan, *make(plan))
        return
    before = {number: signal.signal(number, _interrupt) for number in TOLD_TO_END}
    under_way: dict[Connection, tuple[Plan, BaseProcess]] = {}
    rest = iter(plans)
    try:
        while True:
            while len(under_way) < jobs and (coming := next(rest, None)) is not None:
                ours, process = _begin(coming)
                under_way[ours] = coming, process
            if not under_way:
                return
            for ended in wait(list(under_way)):
                assert isinstance(ended, Connection)
                plan, process = under_way[ended]
                made = _heard(ended, plan)
                del under_way[ended]
                process.join()
                yield (plan, *made)
    finally:
        _end([process for _, process in under_way.values()])
        for number, handler in before.items():
            signal.signal(number, handler)


def _begin(plan: Plan) -> tuple[Connection, BaseProcess]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(plan, theirs))
    process.start()
    theirs.close()  # so that its end is heard here if the process dies
    return ours, process


def _run(plan: Plan, tell: Connection) -> None:
    try:
        tell.send(make(plan))
    except BaseException as error:
        tell.send(error)
        raise SystemExit(1) from None


def _heard(connection: Connection, plan: Plan) -> tuple[RunResult, tuple[Check, ...]]:
    try:
        said = connection.recv()
    except EOFError:
        raise RunDied(f"the process of {plan.title}, seed {plan.seed}, has died") from None
    if isinstance(said, BaseException):
        raise said
    result, checks = said
    return result, checks


def _end(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(TIDY_S_MAX)
        if process.is_alive():
            process.kill()
            process.join()


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
