"""The last ops of this node's own log, encoded as they travel.

Every write is sent to every member a moment after it was made; without this each of them would
read it from the file again.
"""

from collections import deque
from typing import Final

from aimem_sync.cursor import Range

BYTES_MAX: Final = 4 << 20


class Recent:
    """A run of encoded ops without gaps that ends at the end of the log."""

    def __init__(self) -> None:
        self._ops: deque[tuple[int, bytes, bytes]] = deque()
        self._bytes = 0

    def add(self, seq: int, op: bytes, beside: bytes = b"") -> None:
        """The next op; another one than the next begins anew."""
        if self._ops and self._ops[-1][0] + 1 != seq:
            self.clear()
        self._ops.append((seq, op, beside))
        self._bytes += len(op) + len(beside)
        while self._bytes > BYTES_MAX and len(self._ops) > 1:
            _, old, old_beside = self._ops.popleft()
            self._bytes -= len(old) + len(old_beside)

    def run(self, wanted: Range, bytes_max: int) -> tuple[list[bytes], list[bytes]] | None:
        """The ops of a range and what is beside them, up to a size; None if not all are here."""
        if not self._ops or self._ops[0][0] > wanted.first or self._ops[-1][0] < wanted.last:
            return None
        first = self._ops[0][0]
        ops: list[bytes] = []
        beside: list[bytes] = []
        size = 0
        for at in range(wanted.first - first, wanted.last - first + 1):
            _, op, one = self._ops[at]
            if ops and size + len(op) > bytes_max:
                break
            size += len(op)
            ops.append(op)
            if one:
                beside.append(one)
        return ops, beside

    def mean_bytes(self) -> int:
        """Size of the average op here; 0 if there is none."""
        return self._bytes // len(self._ops) if self._ops else 0

    def clear(self) -> None:
        """Forget all of them."""
        self._ops.clear()
        self._bytes = 0
