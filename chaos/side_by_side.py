"""Several runs at a time, each in a process of its own.

A run mostly waits, for a fault to last and for a cluster to heal, so a machine can make several.
Each process has its own namespaces and its own router; nothing is shared but the processor.
"""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from types import FrameType
from typing import Final, TypeAlias

from chaos.checker import Check
from chaos.report import RunResult
from chaos.run import Plan, make

TOLD_TO_END: Final = (signal.SIGTERM, signal.SIGHUP)

Made: TypeAlias = tuple[Plan, RunResult, tuple[Check, ...]]


def side_by_side(plans: Iterable[Plan], jobs: int) -> Iterator[Made]:
    """Make these runs, so many at a time; each as soon as it is made. The next plan is drawn when
    there is room for it. Ended early, it ends the runs that are under way, and waits for them to
    leave nothing behind."""
    if jobs <= 1:
        for plan in plans:
            yield _made(plan)
        return
    before = {
        number: signal.signal(number, _interrupt) for number in (signal.SIGTERM, signal.SIGHUP)
    }
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, context, initializer=_leave_signals_to_runs)
    rest = iter(plans)
    under_way: set[Future[Made]] = set()
    try:
        while True:
            while len(under_way) < jobs and (plan := next(rest, None)) is not None:
                under_way.add(pool.submit(_made, plan))
            if not under_way:
                return
            ended, under_way = wait(under_way, return_when=FIRST_COMPLETED)
            for one in ended:
                yield one.result()
    finally:
        if under_way:
            for process in multiprocessing.active_children():
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def _made(plan: Plan) -> Made:
    return (plan, *make(plan))


def _leave_signals_to_runs() -> None:
    """Ctrl-C reaches every process of a terminal. A run that is under way handles it; a process
    that waits for one is ended by the one that made it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
