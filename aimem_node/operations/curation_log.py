"""What was curated, written down with all that is needed to undo it.

A step is a record of its own, written in the same transaction as what it speaks of: nothing is
archived, linked or merged by curation that the log of steps does not know.
"""

from collections.abc import Mapping, Sequence

from aimem_node.operations.call import WriteCall
from aimem_sync.canon import Json
from aimem_sync.change import Change

STEP = "step"
STEP_INDEX = 1_000_000
"""Far from the numbers that an operation takes for the records it makes: see WriteCall.new_id."""


def record_step(
    call: WriteCall,
    action: str,
    sources: Sequence[str],
    result_id: str,
    *,
    namespace: str,
    agent_id: str,
    archived: Sequence[str] = (),
    links: Sequence[str] = (),
    ended: Mapping[str, int | None] | None = None,
    tagged: Mapping[str, str] | None = None,
) -> str:
    """Write down one step; its id.

    `archived`: memories that it put into the archive. `links`: those that it stated. `ended`: those
    that it ended, with the end that each had before. `tagged`: by record, the op that gave it tags;
    what these are is not said again, since an erasure would not find it here.
    """
    step_id = call.new_id(STEP_INDEX)
    undo: dict[str, Json] = {
        "archived": list(archived),
        "links": list(links),
        "ended": dict(ended or {}),
        "tagged": dict(tagged or {}),
    }
    said: dict[str, Json] = {
        "action": action,
        "namespace": namespace,
        "sources": list(sources),
        "result_id": result_id,
        "agent_id": agent_id,
        "done_at": call.now_us,
    }
    call.tx.change(Change(f"{STEP}:{step_id}", STEP, set={"said": said, "undo": undo}))
    return step_id
