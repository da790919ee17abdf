"""How a demo ends, whatever ends it: what it made is removed before its process goes.

The first signal cancels the story, which then tidies up as it unwinds; later signals are heard and
not obeyed, so that an impatient second Ctrl-C does not leave nodes behind.
"""

import asyncio
import signal
import sys
from collections.abc import Callable, Coroutine
from typing import TypeVar

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
INTERRUPTED = 130
"""What a shell calls the end by Ctrl-C."""

Told = TypeVar("Told")


async def interruptible(telling: Coroutine[None, None, Told], seconds_max: float) -> Told:
    """Run it as a task that the first signal cancels. TimeoutError when it takes too long."""
    task = asyncio.ensure_future(telling)
    loop = asyncio.get_running_loop()

    def end() -> None:
        if not task.cancelling():
            task.cancel()

    for each in SIGNALS:
        loop.add_signal_handler(each, end)
    async with asyncio.timeout(seconds_max):
        return await task


def deafen() -> None:
    """From here to the end of the process no signal interrupts the tidying."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def quietly(name: str, demo: Callable[[], int]) -> int:
    """What a demo exits with; 130 if Ctrl-C comes where the demo itself does not hear it."""
    try:
        return demo()
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        return INTERRUPTED


def told(
    telling: Coroutine[None, None, None], seconds_max: float, last_words: Callable[[], str]
) -> str:
    """Why a story did not come to its end; "" if it did. No signal is obeyed any more then."""
    failure = ""
    try:
        asyncio.run(interruptible(telling, seconds_max))
    except (asyncio.CancelledError, KeyboardInterrupt):
        failure = "interrupted"
    except TimeoutError:
        failure = f"not done within {seconds_max:.0f} s"
    except Exception as error:
        failure = f"{reason(error)}\n{last_words()}"
    deafen()
    return failure


def failed(name: str, failure: str) -> int:
    """Say so, once everything is removed; what to exit with."""
    print(f"{name}: {failure}\nEverything it made is removed.", file=sys.stderr)
    return INTERRUPTED if failure == "interrupted" else 1


def reason(error: BaseException) -> str:
    """What to tell the reader: the first plain cause inside a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    own = type(error).__module__.startswith("aimem_node.")
    return str(error) if own else f"{type(error).__name__}: {error}"
