"""`python -m chaos.maelstrom`: this project's core as a node of Maelstrom, on stdin and stdout.

Others can so run Jepsen's own broadcast, g-set, pn-counter and unique-ids tests on it. Maelstrom
keeps no disk for a node and kills none unless it is asked to. So this one keeps nothing on disk:
"durable" means "in the memory of a process", and one that is killed comes back with nothing, under
a new incarnation.

A write is acknowledged at W=1 unless told otherwise, which is not what a real node does. These
workloads ask that every request succeed while the network is cut (`--availability total`), and that
all be there once it is whole: then nothing may wait for another node. `--w majority` shows the
promise of a real node, and its price: on the smaller side of a cut writes are refused (error 11),
and those that were under way when it was cut are pending (error 0).

Exit code: 0 when stdin ends, 1 if the core found that it must not go on, 2 for wrong arguments.
"""

import argparse
import os
import select
import sys
from collections.abc import Sequence
from typing import BinaryIO, Final

from aimem_node.clocks import Chance, Clock, SystemChance, SystemClock
from chaos.maelstrom.node import Node, Settings
from chaos.maelstrom.replica import Fenced
from chaos.maelstrom.requests import WORKLOADS

TICK_US: Final = 100_000
WAIT_MS_MAX: Final = 4_000
"""Maelstrom's clients wait for 5 s, and an answer to a client that has left makes a node mute."""
INCARNATION_BYTES: Final = 8
READ_BYTES: Final = 1 << 16


def main(argv: Sequence[str] | None = None) -> int:
    """Run until stdin ends; gives the exit code."""
    wanted = _arguments().parse_args(argv)
    settings = Settings(wanted.w, wanted.workload or "", wanted.wait_ms * 1_000)
    clock: Clock = SystemClock()
    chance: Chance = SystemChance()
    wall_less_now_us = clock.now_us() - clock.monotonic_us()
    node = Node(chance.token_hex(INCARNATION_BYTES), settings, _log, wall_less_now_us)
    try:
        _serve(node, sys.stdin.fileno(), sys.stdout.buffer, clock)
    except Fenced as fenced:
        _log(f"fenced, which is a bug: {fenced}")
        return 1
    except BrokenPipeError:
        _log("nobody reads stdout any more")
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or its flush complains
    except KeyboardInterrupt:
        _log("interrupted")
    return 0


def _arguments() -> argparse.ArgumentParser:
    about = "This project's core as a node of Maelstrom: JSON lines on stdin and stdout."
    parser = argparse.ArgumentParser(prog="python -m chaos.maelstrom", description=about)
    parser.add_argument(
        "--w", type=_needed, default=1, metavar="N|majority",
        help="nodes that must hold a write before it is acknowledged (default: 1)",
    )  # fmt: skip
    parser.add_argument(
        "--workload", choices=sorted(WORKLOADS),
        help="what reads are about (default: seen from what was written)",
    )  # fmt: skip
    parser.add_argument(
        "--wait-ms", type=_wait_ms, default=1_500, metavar="MS",
        help="how long a write waits for W before it is called pending (default: 1500)",
    )  # fmt: skip
    return parser


def _needed(text: str) -> int:
    if text == "majority":
        return 0
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is neither a number from 1 nor 'majority'")


def _wait_ms(text: str) -> int:
    if text.isascii() and text.isdigit() and 1 <= int(text) <= WAIT_MS_MAX:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to {WAIT_MS_MAX}")


def _log(text: str) -> None:
    print(f"aimem: {text}", file=sys.stderr, flush=True)


def _serve(node: Node, source: int, out: BinaryIO, clock: Clock) -> None:
    """Feed lines and ticks to the node until there are no more lines. `source` is a descriptor."""
    # Not asyncio, which waits for pipes only, where stdin may also be a file or a terminal.
    tick_us = clock.monotonic_us()
    rest = b""
    while True:
        wake_us = node.wake_at_us()
        due_us = tick_us if wake_us is None else min(tick_us, wake_us)
        wait_us = max(0, due_us - clock.monotonic_us())
        ready, _, _ = select.select([source], [], [], wait_us / 1_000_000)
        if ready:
            read = os.read(source, READ_BYTES)
            *lines, rest = (rest + read).split(b"\n") if read else (rest, b"")
            for line in lines:
                if line.strip():
                    _put_out(out, node.feed(line, clock.monotonic_us()))
            if not read:
                return
        now_us = clock.monotonic_us()
        if now_us >= due_us:
            _put_out(out, node.tick(now_us))
            tick_us = now_us + TICK_US


def _put_out(out: BinaryIO, lines: Sequence[bytes]) -> None:
    if lines:
        out.write(b"\n".join((*lines, b"")))
        out.flush()


if __name__ == "__main__":
    sys.exit(main())
