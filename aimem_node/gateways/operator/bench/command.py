"""How a command that measures begins and ends, whatever ends it."""

import signal
import sys
from collections.abc import Callable

CANNOT, INTERRUPTED = 2, 130


def ended(
    name: str, measure: Callable[[], int], refusals: tuple[type[Exception], ...], kept: str = ""
) -> int:
    """The exit code: what `measure` says, 2 if it cannot run, 130 if it was interrupted.

    Signals end it as Ctrl-C does, so that its node is ended with it. `kept`: what to say of what
    was done before an interruption.
    """
    for each in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.default_int_handler)
    try:
        return measure()
    except refusals as error:
        print(f"{name}: {error}", file=sys.stderr)
        return CANNOT
    except KeyboardInterrupt:
        print(f"{name}: interrupted{kept and f'; {kept}'}", file=sys.stderr)
        return INTERRUPTED
