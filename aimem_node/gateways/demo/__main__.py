"""`python -m aimem_node.gateways.demo`: the product in under a minute, and nothing left behind.

Whatever ends it (the end of the story, an error, Ctrl-C, a hang-up), the node is ended and its
directory removed before this process goes. A second Ctrl-C does not cut the tidying short.
"""

import sys
import time

from aimem_node.gateways.demo import ending

SECONDS_MAX = 60.0
"""Promised in the README; a machine that cannot keep it is told so instead of hanging."""


def main() -> int:
    """Tell the story; 0 when every promise in it was kept, 130 when interrupted, else 1."""
    return ending.quietly("demo", _tell)


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
    with own_node.OwnNode("aimem-demo-") as node:
        telling = story.tell(out, node, found[0], source)
        failure = ending.told(
            telling, SECONDS_MAX, lambda: f"The node's last words:\n{node.last_words()}"
        )
    if failure:
        return ending.failed("demo", failure)
    story.farewell(out, node.home, time.monotonic() - began)
    return 0


if __name__ == "__main__":
    sys.exit(main())
