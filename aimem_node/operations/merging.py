"""Make one entity of two.

What was said of the one that goes is said of the one that stays: its names become aliases, its
links that hold are ended and stated anew, and it is superseded and archived, so nothing is lost and
the step can be undone. One that was merged already is merged on: called again, the operation takes
over the links that were too many for the first time.
"""

from dataclasses import dataclass, field

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import EntityMergeRequest, EntityMergeResponse
from aimem_node.operations.call import WriteCall
from aimem_node.operations.curation_log import record_step
from aimem_node.operations.entities import add_aliases, shown_entities
from aimem_node.operations.graph import SUPERSEDES, archive_superseded, supersede_by
from aimem_node.operations.links import end_link, holding, state_link
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import found, seen_ids
from aimem_node.store.projection import ENTITY, is_entity
from aimem_node.store.rows import LinkRow, MemoryRow

LINKS_MOVED_MAX = 500
"""Links that one merge states anew, each two ops: about 0.1 s for which other writes wait."""


@dataclass(slots=True)
class _Moved:
    """What became of the links of the entity that goes."""

    stated: list[str] = field(default_factory=list)
    "Ids of the links that take their places."
    ended: dict[str, int | None] = field(default_factory=dict)
    "Until when each of the old ones was to hold; None: for ever."


@operation
def entity_merge(call: WriteCall, request: EntityMergeRequest) -> EntityMergeResponse:
    """Give aliases and links of one entity to another, which supersedes it."""
    speaker = call.speaker(request.agent_id)
    into = _entity(call, request.into_id, "$.into_id", life="live")
    gone = _entity(call, request.from_id, "$.from_id", life="any")
    was_superseded = bool(holding(call, into.record_id, gone.record_id, SUPERSEDES))
    try:
        link_id = supersede_by(call, into, gone, speaker)
    except Failure as failure:
        path = "$.into_id" if failure.path == "$.winner_id" else "$.from_id"
        raise Failure(
            failure.code, failure.message, path=path, next=failure.next, details=failure.details
        ) from None
    names = (gone.title, *call.view.aliases_of((gone.record_id,)).get(gone.record_id, ()))
    tagged = {}
    if add_aliases(call, into.record_id, into.title, names):
        tagged[f"{ENTITY}:{into.record_id}"] = str(call.tx.ops[-1].dot)
    moved = _move_links(call, gone, into, speaker)
    if gone.life == "live":
        archive_superseded(call, gone)
    if call.tx.ops:
        record_step(
            call,
            "merge",
            (gone.record_id,),
            into.record_id,
            namespace=into.namespace,
            agent_id=speaker,
            archived=(gone.record_id,) if gone.life == "live" else (),
            links=(*moved.stated, *(() if was_superseded else (link_id,))),
            ended=moved.ended,
            tagged=tagged,
        )
    return EntityMergeResponse(
        merged=bool(call.tx.ops),
        entity=shown_entities(call, [into])[0],
        links=len(moved.stated),
        links_left=_left(call, gone, into, moved),
    )


def _entity(call: WriteCall, prefix: str, path: str, life: str) -> MemoryRow:
    row = found(call, prefix, path, life=life)
    if not is_entity(row):
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"memory {row.record_id} is no entity",
            path=path,
            next="Register it first: aimem entity-register.",
        )
    return row


def _move_links(call: WriteCall, gone: MemoryRow, into: MemoryRow, speaker: str) -> _Moved:
    """State the links of one entity anew for the other, as far as the caller sees both ends."""
    moved = _Moved()
    links = call.view.links_standing(gone.record_id, call.now_us, LINKS_MOVED_MAX + 1)
    links = [one for one in links if not _is_between(one, gone, into)][:LINKS_MOVED_MAX]
    seen = seen_ids(call, {end for one in links for end in (one.source_id, one.target_id)})
    for one in links:
        source = into.record_id if one.source_id == gone.record_id else one.source_id
        target = into.record_id if one.target_id == gone.record_id else one.target_id
        if not {one.source_id, one.target_id} <= seen:
            continue
        if source != target and not holding(call, source, target, one.relation, one.valid_from_us):
            link_id = call.new_id(1 + len(moved.stated))
            state_link(
                call, link_id, source, target, one.relation, speaker, one.valid_from_us,
                one.valid_until_us,
            )  # fmt: skip
            moved.stated.append(link_id)
        moved.ended[one.record_id] = one.valid_until_us
        end_link(call, one, max(call.now_us, one.valid_from_us))
    return moved


def _is_between(link: LinkRow, one: MemoryRow, other: MemoryRow) -> bool:
    """Whether it says which of the two supersedes the other."""
    ends = {link.source_id, link.target_id}
    return link.relation == SUPERSEDES and ends == {one.record_id, other.record_id}


def _left(call: WriteCall, gone: MemoryRow, into: MemoryRow, moved: _Moved) -> int:
    """Links of the entity that goes which this merge did not touch, as far as they are seen."""
    links = [one for one in call.view.links_of(gone.record_id) if one.record_id not in moved.ended]
    links = [one for one in links if not _is_between(one, gone, into)]
    seen = seen_ids(call, {end for one in links for end in (one.source_id, one.target_id)})
    return sum({one.source_id, one.target_id} <= seen for one in links)
