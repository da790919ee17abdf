"""A memory as it was known at an earlier moment, with its links as they were known then."""

from dataclasses import dataclass, replace

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import GetRequest, GetResponse
from aimem_node.operations.call import ReadCall
from aimem_node.operations.forgetting import found_anyhow
from aimem_node.operations.shapes import links_shown, memory_of
from aimem_node.operations.sight_of import sees
from aimem_node.store.projection import memory_of as row_of
from aimem_node.store.rows import MemoryRow
from aimem_sync.display import display


@dataclass(frozen=True, slots=True)
class NoTouches:
    """Shows what the log knows, not what this node has still to tell it."""

    def of(self, record_id: str) -> None:
        """Nothing was recalled."""


def get_as_of(call: ReadCall, request: GetRequest, as_of_us: int) -> GetResponse:
    """The memory and its links, from all that had been written by a moment.

    What has been deleted since is shown as well, as in its history; what was erased is gone.
    Raises NOT_FOUND if it was not known then, or had been deleted.
    """
    record_id = found_anyhow(call, request.id)
    row = _row_then(call, record_id, as_of_us)
    # What it said while it was for others is not told to whom it was widened for later.
    if row is None or row.life == "deleted" or not sees(call, row):
        raise Failure(
            Code.NOT_FOUND,
            f"memory {record_id!r} was not known then",
            path="$.as_of",
            next="Ask for a later moment; history shows when it was written.",
        )
    past = replace(call, touches=NoTouches())  # type: ignore[arg-type]
    memory = replace(memory_of(past, row), pending=False)
    return GetResponse(memory=memory, links=links_shown(call, record_id, as_of_us=as_of_us))


def _row_then(call: ReadCall, record_id: str, as_of_us: int) -> MemoryRow | None:
    now = call.view.memory(record_id)
    if now is None or call.view.told_between(record_id)[1] <= as_of_us:
        return now  # nothing was said of it since, or there is no memory of that name
    state = call.view.states_then((record_id,), as_of_us).get(record_id)
    return None if state is None else row_of(display(state), now.rid, now.lamport, now.write_id)
