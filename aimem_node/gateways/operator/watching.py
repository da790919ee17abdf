"""Show something again and again until Ctrl-C: over itself at a terminal, one after the other else.

The screen is never cleared between two pictures, only written over, so that it does not flicker.
"""

import time
from collections.abc import Callable
from typing import TextIO

from aimem_node.gateways.cli import failures

HOME, REST_OF_LINE, REST_OF_SCREEN, WHOLE = "\x1b[H", "\x1b[K", "\x1b[J", "\x1b[2J"


def watch(picture: Callable[[], tuple[int, str]], every_s: float, out: TextIO) -> int:
    """Draw `picture()` every so often; the exit code of the last one. Ends by Ctrl-C alone.

    A picture that fails is shown as its failure, since the node may be on its way back.
    """
    on_terminal = out.isatty()
    code = 0
    if on_terminal:
        out.write(WHOLE)
    try:
        while True:
            try:
                code, text = picture()
            except failures.CallFailure as failure:
                code, text = failure.exit_code, f"{failure.sentence()}\n"
            out.write(_over(text) if on_terminal else text)
            out.flush()
            time.sleep(every_s)
    except KeyboardInterrupt:
        return code


def _over(text: str) -> str:
    """Text that takes the place of what is on the screen."""
    lines = text.splitlines()
    return HOME + "".join(f"{line}{REST_OF_LINE}\n" for line in lines) + REST_OF_SCREEN
