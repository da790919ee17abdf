"""Short words for the tests of the cluster's core: nodes, keys, ops, and a core to be stepped."""

from __future__ import annotations

from collections.abc import Sequence

from aimem_sync.cursor import Cursor
from aimem_sync.dataplane import DataPlane, Standing
from aimem_sync.dot import Origin
from aimem_sync.effects import Effect
from aimem_sync.events import Heard
from aimem_sync.log import Head, append
from aimem_sync.members import Config, Member
from aimem_sync.messages import Beat, Message
from aimem_sync.op import Kind, Op, Stamp

A, B, C, D = (f"{number:032x}" for number in range(1, 5))
AT_A, AT_B, AT_C, AT_D = (Origin(node, f"{9:016x}") for node in (A, B, C, D))
BODY = b'{"set":{"title":"x"},"type":"memory"}'


def key(node: str) -> str:
    return "key-" + node[-1]


def config(*nodes: str, epoch: int = 1) -> Config:
    return Config(epoch, tuple(Member(node, (key(node),)) for node in nodes))


ABC = config(A, B, C)


def ops(origin: Origin, count: int, body: bytes = BODY, epoch: int = 1) -> tuple[Op, ...]:
    """The first ops of a log."""
    made: list[Op] = []
    head = Head()
    for lamport in range(1, count + 1):
        op = append(
            head, Stamp(lamport, 0, epoch), Kind.EDIT, "r", body, "user:ann", "", origin,
            lambda chain: b"",
        )  # fmt: skip
        made.append(op)
        head = Head(op.seq, op.chain)
    return tuple(made)


def heads(*logs: Sequence[Op]) -> dict[Origin, Head]:
    """Where these logs end."""
    return {log[-1].origin: Head(log[-1].seq, log[-1].chain) for log in logs}


def core(members: Config = ABC, *logs: Sequence[Op], floor: Cursor | None = None) -> DataPlane:
    """Node A, with these logs on its disk; others know of no more of its own one."""
    plane = new_core(members, *logs, floor=floor)
    plane.startup.heard |= members.voters
    return plane


def new_core(members: Config = ABC, *logs: Sequence[Op], floor: Cursor | None = None) -> DataPlane:
    """The same before it has heard of anybody."""
    return DataPlane(Standing(AT_A, (members,), heads(*logs), floor or Cursor()))


def beat(*logs: Sequence[Op], incarnation: str = AT_B.incarnation, epoch: int = 1) -> Beat:
    return Beat(incarnation, epoch, heads(*logs), Cursor(), 0)


def tell(plane: DataPlane, node: str, message: Message, now_us: int = 0) -> list[Effect]:
    """Let a member say something."""
    return plane.step(now_us, Heard(key(node), message))


def of(kind: type, effects: Sequence[object]) -> list:  # type: ignore[type-arg]
    """The effects of one kind."""
    return [effect for effect in effects if isinstance(effect, kind)]
