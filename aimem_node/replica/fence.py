"""How far this node's own log has gone, noted where a restored image cannot take it back.

A disk image that is put back by hand comes with a shorter log, whose next numbers others already
know as other ops. The note says that there was more, and the node then begins a new log. It is
written ahead in blocks, so that it costs one sync of the disk in a thousand ops; within a block or
two it cannot tell, and the members tell instead (see Fence in aimem_sync.effects).

Beginning a new log is always safe; continuing an old one is not. So every doubt ends in a new log.
"""

import threading
from pathlib import Path
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.kept import keep, recall

FILE: Final = "fence.json"
BLOCK_OPS: Final = 1_024
_NUMBER_MAX: Final = 1 << 53


class Fence:
    """The high-water mark of this node's own log. May be used from any thread."""

    def __init__(self, identity_dir: Path) -> None:
        """Read it. Raises Failure CORRUPT if the note is damaged, STORAGE if it cannot be read."""
        self._path = identity_dir / FILE
        self._lock = threading.Lock()
        self._known, self._incarnation, self._since, self._upto = _read(self._path)
        self._reached = 0
        self._block_began = 0

    def rolled_back(self, have_seq: int, incarnation: str = "") -> bool:
        """Whether the log on disk, which ends at `have_seq`, is an older one than was written.

        `incarnation`: of that log. Another than the one begun last was given up for good.
        """
        with self._lock:
            if not self._known:
                return False  # a node of a version that kept no note
            if incarnation and self._incarnation and incarnation != self._incarnation:
                return True
            if self._upto == 0 and have_seq > 0:
                return True  # a new log was begun after this one, and never came to disk
            self._block_began = max(self._block_began, have_seq)
            return have_seq < self._since

    def reach(self, seq: int) -> None:
        """The own log is about to reach `seq`. Call before the commit; syncs once in a block.

        Raises Failure STORAGE: then commit nothing.
        """
        with self._lock:
            self._reached = max(self._reached, seq)
            if seq <= self._upto and not self._is_exact():
                return
            # What began the last block was committed long ago, unless all of it is one bulk store.
            self._write(min(self._block_began, seq), seq + BLOCK_OPS - 1)
            self._block_began = seq

    def renew(self, incarnation: str = "") -> None:
        """A new log begins, with nothing in it. Call before it comes to disk."""
        with self._lock:
            self._incarnation = incarnation
            self._reached = self._block_began = 0
            self._write(0, 0)

    def close(self) -> None:
        """Note where the log ends exactly: everything is on disk, and the node stops."""
        with self._lock:
            if self._reached and not (self._is_exact() and self._upto == self._reached):
                self._write(self._reached, self._reached)

    def _is_exact(self) -> bool:
        return self._since == self._upto

    def _write(self, since: int, upto: int) -> None:
        facts = {"incarnation": self._incarnation, "since": since, "upto": upto}
        keep(self._path, facts)
        self._known, self._since, self._upto = True, since, upto


def _read(path: Path) -> tuple[bool, str, int, int]:
    facts: dict[str, Any] | None
    try:
        facts = recall(path)
        if facts is None:
            return False, "", 0, 0
        incarnation, since, upto = facts["incarnation"], facts["since"], facts["upto"]
        sound = (
            len(facts) == 3
            and isinstance(incarnation, str)
            and type(since) is type(upto) is int
            and 0 <= since <= upto <= _NUMBER_MAX
        )
    except KeyError:
        sound = False
    if not sound:
        raise _damaged(path)
    return True, incarnation, since, upto


def _damaged(path: Path) -> Failure:
    return Failure(
        Code.CORRUPT,
        f"{path} cannot be read: it says how far this node's log has gone",
        next=f"If the data directory is no older copy, remove {path}; if it is one, run "
        "`aimem-node restore` with it instead.",
    )
