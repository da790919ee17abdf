"""`python -m aimem_node.gateways.demo`: the product in under a minute, and nothing left behind.

Whatever ends it (the end of the story, an error, Ctrl-C, a hang-up), the node is ended and its
directory removed before this process goes. A second Ctrl-C does not cut the tidying short.
"""

import asyncio
import sys
import time

SECONDS_MAX = 60.0
"""Promised in the README; a machine that cannot keep it is told so instead of hanging."""

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
    from aimem_node.gateways.demo import conversation, ending, own_node, screen, story

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
            telling = story.tell(out, node, found[0], source)
            asyncio.run(ending.interruptible(telling, SECONDS_MAX))
        except (asyncio.CancelledError, KeyboardInterrupt):
            failure = "interrupted"
        except TimeoutError:
            failure = f"not done within {SECONDS_MAX:.0f} s"
        except Exception as error:
            failure = f"{ending.reason(error)}\nThe node's last words:\n{node.last_words()}"
        ending.deafen()
    if failure:
        print(f"demo: {failure}\nEverything it made is removed.", file=sys.stderr)
        return INTERRUPTED if failure == "interrupted" else 1
    story.farewell(out, node.home, time.monotonic() - began)
    return 0


if __name__ == "__main__":
    sys.exit(main())
