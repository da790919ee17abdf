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

SECONDS_MAX = 60.0
"""Promised in the README; a machine that cannot keep it is told so instead of hanging."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


INTERRUPTED = 130


def main() -> int:
    """Tell the story; 0 when every promise in it was kept, 130 when interrupted, else 1."""
    try:
        return _tell()
    except KeyboardInterrupt:
        print("demo: interrupted", file=sys.stderr)
        return INTERRUPTED


def _tell() -> int:
    # Here, so that Ctrl-C while the MCP client loads is as quiet as later on.
    from aimem_node.gateways.demo import conversation, own_node, screen, story

    out = screen.standard()
    try:
        found, path, is_sample = conversation.here()
    except conversation.ConversationError as error:
        print(f"demo: {error}", file=sys.stderr)
        return 2
    source = "the sample that ships with aimem" if is_sample else f"from {path.name}"
    began = time.monotonic()
    out.line(("aimem", screen.Tone.STRONG), "  one memory for all your AI tools", indent=1)
    failure = ""
    with own_node.OwnNode("aimem-demo-") as node:
        try:
            asyncio.run(_interruptible(story.tell(out, node, found[0], source)))
        except (asyncio.CancelledError, KeyboardInterrupt):
            failure = "interrupted"
        except TimeoutError:
            failure = f"not done within {SECONDS_MAX:.0f} s"
        except Exception as error:
            failure = f"{_reason(error)}\nThe node's last words:\n{node.last_words()}"
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
    if failure:
        print(f"demo: {failure}\nEverything it made is removed.", file=sys.stderr)
        return INTERRUPTED if failure == "interrupted" else 1
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
    own = type(error).__module__.startswith("aimem_node.")
    return str(error) if own else f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    sys.exit(main())
