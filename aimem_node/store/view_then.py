"""A view in which records stand as they were known at a moment.

Only what is asked for by name: whoever looks for something asks the present view what has changed
since, see view_past. A record of which the log has given up what was said by then is as good as
unknown, and is counted.
"""

from __future__ import annotations

import apsw

from aimem_node.store.projection import memory_of
from aimem_node.store.rows import MemoryRow
from aimem_node.store.sight import Sight
from aimem_node.store.view import View
from aimem_sync.display import display
from aimem_sync.state import RecordState


class ViewThen(View):
    """See the module."""

    def __init__(
        self, connection: apsw.Connection, now: View, as_of_us: int, sight: Sight | None
    ) -> None:
        """`now`: what the same transaction sees. `sight`: see View.then."""
        super().__init__(connection)
        self._now = now
        self._as_of_us = as_of_us
        self._sight = sight
        self.lost: set[str] = set()
        "Records of which it cannot be said any more what they were."

    def state(self, record_id: str) -> RecordState | None:
        """All that was known of a record; None if no op had spoken of it."""
        if not self._now.told_since((record_id,), self._as_of_us):
            return self._now.state(record_id)
        then = self._now.known_then((record_id,), self._as_of_us)
        self.lost |= then.lost
        return then.states.get(record_id)

    def memory(self, record_id: str) -> MemoryRow | None:
        """A memory in the life that it had; None if it was unknown, or was erased since."""
        now = self._now.memory(record_id)
        if now is None or (self._sight is not None and not self._sight.sees(now)):
            return None
        if not self._now.told_since((record_id,), self._as_of_us):
            return now
        state = self.state(record_id)
        if state is None:
            return None
        return memory_of(display(state), now.rid, now.lamport, now.write_id)
