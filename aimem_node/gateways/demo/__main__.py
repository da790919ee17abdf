"""`python -m aimem_node.gateways.demo`: the product in under a minute, and nothing left behind.

Whatever ends it (the end of the story, an error, Ctrl-C, a hang-up), the node is ended and its
directory removed before this process goes. A second Ctrl-C does not cut the tidying short.
"""

import asyncio
import signal
import sys
import time
from collections.abc import Coroutine
from typing import Any

from aimem_node.gateways.demo import conversation, own_node, screen, story
from aimem_node.gateways.demo.tool import ToolError

SECONDS_MAX = 60.0
"""Promised in the README; a machine that cannot keep it is told so instead of hanging."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main() -> int:
    """Tell the story; 0 when every promise in it was kept, 130 when interrupted, else 1."""
    out = screen.standard()
    try:
        found, path, is_sample = conversation.here()
    except conversation.ConversationError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    source = "the sample that ships with aimem" if is_sample else f"from {path.name}"
    began = time.monotonic()
    out.line(("aimem", screen.Tone.STRONG), "  memory for AI agents that outlives them", indent=1)
    failure = ""
    with own_node.OwnNode("aimem-demo-") as node:
        try:
            asyncio.run(_interruptible(story.tell(out, node, found[0], source)))
        except (asyncio.CancelledError, KeyboardInterrupt):
            failure = "interrupted"
        except TimeoutError:
            failure = f"not done within {SECONDS_MAX:.0f} s"
        except Exception as error:
            failure = _reason(error)
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        words = node.last_words() if failure not in {"", "interrupted"} else ""
    if failure:
        print(f"demo: {failure}; everything it made is removed", file=sys.stderr)
        if words:
            print(f"the node's last words:\n{words}", file=sys.stderr)
        return 130 if failure == "interrupted" else 1
    story.farewell(out, node.home, time.monotonic() - began)
    return 0


async def _interruptible(telling: Coroutine[Any, Any, None]) -> None:
    """Run it as a task that the first signal cancels and later ones leave to its tidying."""
    task = asyncio.ensure_future(telling)
    loop = asyncio.get_running_loop()

    def end() -> None:
        if not task.cancelling():
            task.cancel()

    for each in SIGNALS:
        loop.add_signal_handler(each, end)
    async with asyncio.timeout(SECONDS_MAX):
        await task


def _reason(error: BaseException) -> str:
    """What to tell the reader: the first plain cause inside a group of them."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, ToolError | own_node.NodeError | story.DemoError):
        return str(error)
    return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
