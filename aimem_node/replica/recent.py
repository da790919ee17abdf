"""The last ops of this node's own log, encoded as they travel.

Every write is sent to every member a moment after it was made; without this each of them would
read it from the file again.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aimem_node.store.view import View
from aimem_sync.cursor import Range

BYTES_MAX: Final = 4 << 20


@dataclass(frozen=True, slots=True)
class Travelling:
    """One op on its way to the others."""

    seq: int
    op: bytes
    beside: bytes = b""
    "Its request's answer."
    holders: frozenset[str] | None = None
    "Who may have its body; None: every member."
    bare: bytes = b""
    "The op for all others."
    told: frozenset[str] | None = None
    "Who may have the answer, which may speak of more than this op does; None: every member."


class Recent:
    """A run of encoded ops without gaps that ends at the end of the log."""

    def __init__(self) -> None:
        self._ops: deque[Travelling] = deque()
        self._bytes = 0

    def add(self, one: Travelling) -> None:
        """The next op; another one than the next begins anew."""
        if self._ops and self._ops[-1].seq + 1 != one.seq:
            self.clear()
        self._ops.append(one)
        self._bytes += len(one.op) + len(one.beside)
        while self._bytes > BYTES_MAX and len(self._ops) > 1:
            old = self._ops.popleft()
            self._bytes -= len(old.op) + len(old.beside)

    def run(self, wanted: Range, bytes_max: int, to: str) -> tuple[list[bytes], list[bytes]] | None:
        """The ops of a range as one member may have them and what is beside them, up to a size.

        None if not all are here.
        """
        if not self._ops or self._ops[0].seq > wanted.first or self._ops[-1].seq < wanted.last:
            return None
        first = self._ops[0].seq
        ops: list[bytes] = []
        beside: list[bytes] = []
        size = 0
        for at in range(wanted.first - first, wanted.last - first + 1):
            one = self._ops[at]
            whole = one.holders is None or to in one.holders
            op = one.op if whole else one.bare
            if ops and size + len(op) > bytes_max:
                break
            size += len(op)
            ops.append(op)
            if whole and one.beside and (one.told is None or to in one.told):
                beside.append(one.beside)
        return ops, beside

    def mean_bytes(self) -> int:
        """Size of the average op here; 0 if there is none."""
        return self._bytes // len(self._ops) if self._ops else 0

    def clear(self) -> None:
        """Forget all of them."""
        self._ops.clear()
        self._bytes = 0


def run_of(view: View, ranges: Iterable[Range], bytes_max: int) -> tuple[list[bytes], list[bytes]]:
    """Ops of these ranges up to the size of one batch, and the answers beside them."""
    ops: list[bytes] = []
    beside: list[bytes] = []
    room = bytes_max
    for wanted in ranges:
        found = view.encoded_ops(wanted.origin, wanted.first, wanted.last, room)
        if found:
            ops += found
            beside += view.answers_of(wanted.origin, wanted.first, wanted.first + len(found) - 1)
            room -= sum(map(len, found))
        if room <= 0:
            break
    return ops, beside
