"""Logs and records in memory, for a test of minutes.

Nothing here survives its process: "durable" means that it is in this process, and an ack promises
no more. Nothing is ever given up either, so a member that was away for long, or has come back with
nothing, finds every op in somebody's log and needs no snapshot.
"""

from collections.abc import Iterable

from aimem_sync.change import Change, body_for
from aimem_sync.cursor import Range
from aimem_sync.dot import Origin
from aimem_sync.edit import Edit
from aimem_sync.lamport import next_lamport, witness
from aimem_sync.log import Head, append
from aimem_sync.merge import apply
from aimem_sync.op import BODY_BYTES_MAX, Op, Stamp
from aimem_sync.state import RecordState


class Store:
    """What one node holds. `origin` names the log that it writes itself."""

    def __init__(self, origin: Origin) -> None:
        self.origin = origin
        self.logs: dict[Origin, list[Op]] = {}
        self.states: dict[str, RecordState] = {}
        self.lamport = 0

    def head(self, origin: Origin) -> Head:
        """Where a log ends."""
        log = self.logs.get(origin)
        return Head(log[-1].seq, log[-1].chain) if log else Head()

    def write(self, change: Change, wall_us: int, epoch: int) -> Op:
        """Make the next op of the own log. Raises OpFault, and has then done nothing."""
        body = body_for(change, self.states.get(change.record_id), self.origin)
        # A counter past its bound could be written and then be read by nobody.
        Edit.decode(body)
        stamp = Stamp(next_lamport(self.lamport), wall_us, epoch)
        op = append(
            self.head(self.origin), stamp, change.kind, change.record_id, body,
            "maelstrom", "", self.origin, _unsigned,
        )  # fmt: skip
        self._put(op)
        return op

    def keep(self, ops: Iterable[Op]) -> None:
        """Take in ops of other logs, which the core has found to come next."""
        for op in ops:
            assert op.seq == self.head(op.origin).seq + 1
            self._put(op)

    def _put(self, op: Op) -> None:
        self.lamport = witness(self.lamport, op.lamport)
        self.logs.setdefault(op.origin, []).append(op)
        self.states[op.record_id] = apply(self.states.get(op.record_id), op)

    def read(self, ranges: Iterable[Range]) -> tuple[Op, ...]:
        """These ops, as far as one message has room: at least one, if there is any."""
        found: list[Op] = []
        room = BODY_BYTES_MAX
        for one in ranges:
            for op in self.logs.get(one.origin, [])[one.first - 1 : one.last]:
                room -= len(op.body or b"")
                if room < 0 and found:
                    return tuple(found)
                found.append(op)
        return tuple(found)


def _unsigned(_chain: bytes) -> bytes:
    return b""
