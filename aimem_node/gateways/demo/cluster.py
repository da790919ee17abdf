"""`python -m aimem_node.gateways.demo.cluster`: a cluster in under a minute, and nothing left.

It exits with 0 only if every promise was kept: a demonstration that looks well and lost a memory
would be worse than none. Whatever ends it, all nodes are ended and their directories removed.
"""

import sys
import time
from collections.abc import Sequence

from aimem_node.gateways.demo import ending

SECONDS_MAX = 75.0
"""It takes a third of that. A machine that cannot keep it is told so instead of hanging."""


def main(argv: Sequence[str] | None = None) -> int:
    """Tell the story; 0 when every promise in it was kept, 130 when interrupted, else 1."""
    if sys.argv[1:] if argv is None else argv:
        print("usage: make cluster-demo (it takes no arguments)", file=sys.stderr)
        return 2
    return ending.quietly("cluster-demo", _tell)


def _tell() -> int:
    # Here, so that Ctrl-C while the MCP client loads is as quiet as later on.
    from aimem_node.gateways.demo import cluster_story, conversation, screen

    out = screen.standard()
    try:
        found, path, is_sample = conversation.here()
    except conversation.ConversationError as error:
        print(f"cluster-demo: {error}", file=sys.stderr)
        return 2
    source = "the sample that ships with aimem" if is_sample else f"from {path.name}"
    began = time.monotonic()
    out.line(("aimem", screen.Tone.STRONG), "  one memory on several machines", indent=1)
    story = cluster_story.Story(out, found, source)
    failure = ending.told(story.tell(), SECONDS_MAX, lambda: story.last_words)
    if failure:
        return ending.failed("cluster-demo", failure)
    return 0 if story.farewell(time.monotonic() - began) else 1


if __name__ == "__main__":
    sys.exit(main())
