"""What replication costs on the wire: `python -m tests.sim.traffic` prints a table.

Members of a quiet cluster write one after the other, W a majority, and every message is counted
with the bytes its fields take. What an op costs and what time costs are told apart: beats go out
twice a second whether anybody writes or not, and grow with the square of the members.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import dataclass

from aimem_sync.change import Change
from aimem_sync.effects import Answer, Outcome
from aimem_sync.members import encode_config
from aimem_sync.messages import (
    Accept,
    Append,
    AppendAck,
    Beat,
    Learn,
    Message,
    Page,
    Pull,
    Snapshot,
)
from aimem_sync.op import encode_op
from tests.sim.world import MS, SECOND, Node, World

FRAME_BYTES = 24
"""Of each message beside its fields: HTTP/2 and gRPC framing, and the tags of the fields."""
ORIGIN_BYTES = 24
HEAD_BYTES = ORIGIN_BYTES + 8 + 32
OPS_PER_COPY_MAX = 3.0
"""I17: an op takes one Append and one ack for each other member; batches take fewer. More than
this is a storm, or ops that are sent twice."""


def size(message: Message) -> int:
    """How many bytes a message takes, to within a tenth."""
    match message:
        case Append() | Page():
            return FRAME_BYTES + sum(len(encode_op(op)) for op in message.ops)
        case AppendAck():
            return FRAME_BYTES + ORIGIN_BYTES + 24 + _configs(message)
        case Beat():
            cursors = HEAD_BYTES * len(message.heads) + (ORIGIN_BYTES + 8) * len(message.floor.seqs)
            return FRAME_BYTES + 48 + cursors
        case Pull():
            return FRAME_BYTES + (ORIGIN_BYTES + 8) * len(message.origins)
        case Snapshot():
            return FRAME_BYTES + sum(len(row) for row in message.records.values())
        case Accept():
            return FRAME_BYTES + len(encode_config(message.config))
        case Learn():
            return FRAME_BYTES + _configs(message)
        case _:
            return FRAME_BYTES


def _configs(message: AppendAck | Learn) -> int:
    return sum(len(encode_config(config)) for config in message.configs)


class Counting(World):
    """A world that keeps count of what goes over its wires."""

    count_of: Counter[str]
    bytes_of: Counter[str]

    def reset(self) -> None:
        self.count_of, self.bytes_of = Counter(), Counter()

    def send(self, node: Node, to: str, message: Message) -> None:
        if not hasattr(self, "count_of"):
            self.reset()
        kind = "beat" if isinstance(message, Beat) else "op"
        self.count_of[kind] += 1
        self.bytes_of[kind] += size(message)
        super().send(node, to, message)


@dataclass(frozen=True, slots=True)
class Row:
    """What was counted with so many members."""

    members: int
    committed: int
    messages_per_op: float
    bytes_per_op: float
    op_bytes: float
    "Of one op as it is encoded."
    beats_per_s: float
    beat_bytes_per_s: float
    "Sent by one member."

    @property
    def messages_per_copy(self) -> float:
        return self.messages_per_op / (self.members - 1)


def measure(members: int, writes: int, text: str = "x" * 400) -> Row:
    """Let members write in turn, and count."""
    world = Counting(1, members)
    answers: list[Answer] = []
    world.on_answer = lambda node, answer: answers.append(answer)
    names = sorted(world.nodes)
    world.run(2 * SECOND)
    world.reset()
    began_us = world.now_us
    for number in range(writes):
        change = Change(f"m{number}", "memory", set={"content": f"{number} {text}"})
        world.write(names[number % members], change, f"key-{number}")
        world.run(world.now_us + 60 * MS)
    world.run(world.now_us + SECOND)
    seconds = (world.now_us - began_us) / SECOND
    committed = sum(answer.outcome is Outcome.COMMITTED for answer in answers)
    assert committed == writes, f"{committed} of {writes} were committed"
    ops = list(world.oracles.ops.values())
    return Row(
        members,
        committed,
        world.count_of["op"] / committed,
        world.bytes_of["op"] / committed,
        sum(len(encode_op(op)) for op in ops) / len(ops),
        world.count_of["beat"] / seconds / members,
        world.bytes_of["beat"] / seconds / members,
    )


def table(rows: list[Row]) -> str:
    """As Markdown."""
    lines = [
        "| members | W | messages per op | per copy | bytes per op | of them per copy"
        " | op as encoded | beats/s sent by a member | beat bytes/s sent by a member |",
        "|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in rows:
        copies = row.members - 1
        lines.append(
            f"| {row.members} | {row.members // 2 + 1} | {row.messages_per_op:.1f}"
            f" | {row.messages_per_copy:.2f} | {row.bytes_per_op:,.0f}"
            f" | {row.bytes_per_op / copies:,.0f} | {row.op_bytes:,.0f}"
            f" | {row.beats_per_s:.1f} | {row.beat_bytes_per_s:,.0f} |"
        )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--members", type=int, nargs="*", default=[3, 5, 9, 100])
    parser.add_argument("--writes", type=int, default=0, help="of each run; 0 is by its size")
    asked = parser.parse_args()
    rows = [measure(n, asked.writes or (200 if n < 20 else 20)) for n in asked.members]
    print(table(rows))
    storms = [row.members for row in rows if row.messages_per_copy > OPS_PER_COPY_MAX]
    if storms:
        print(f"I17: more than {OPS_PER_COPY_MAX} messages per copy with {storms} members")
    return 1 if storms else 0


if __name__ == "__main__":
    sys.exit(main())
