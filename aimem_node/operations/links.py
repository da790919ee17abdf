"""State how memories belong together. A link is a fact: a record of its own, with its own history.

It is never stated anew, only ended. Whoever links the same two memories again after that makes a
new fact with another id, and both stand in the history.
"""

from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    GetLinksRequest,
    GetLinksResponse,
    LinkRequest,
    LinkResponse,
    UnlinkRequest,
    UnlinkResponse,
)  # fmt: skip
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import LINK, LIVE, deleted, found, links_shown
from aimem_node.store.rows import LinkRow
from aimem_sync.change import Change


@operation
def link(call: WriteCall, request: LinkRequest) -> LinkResponse:
    """Add a link, unless the same fact holds from where this one would begin."""
    speaker = call.speaker(request.agent_id)
    source = found(call, request.source_id, "$.source_id").record_id
    target = found(call, request.target_id, "$.target_id").record_id
    if source == target:
        raise Failure(
            Code.INVALID_ARGUMENT,
            "a memory cannot be linked to itself",
            path="$.target_id",
            next="Name another memory.",
        )
    begins_us = call.now_us if request.valid_from is None else request.valid_from
    if request.valid_until is not None and request.valid_until <= begins_us:
        raise Failure(
            Code.INVALID_ARGUMENT,
            "valid_until is not after valid_from",
            path="$.valid_until",
            next="Give a later time, or leave it out.",
        )
    relation = request.relation.value
    old = holding(call, source, target, relation, request.valid_from)
    link_id = old[0].record_id if old else call.new_id()
    if not old:
        state_link(
            call, link_id, source, target, relation, speaker, request.valid_from,
            request.valid_until,
        )  # fmt: skip
    return LinkResponse(
        linked=not old, id=link_id, source_id=source, target_id=target, relation=request.relation
    )


def holding(
    call: ReadCall, source: str, target: str, relation: str, at_us: int | None = None
) -> list[LinkRow]:
    """The facts of this relation between two memories that hold at a moment; now if none is given.

    Two nodes may have stated the same at the same time.
    """
    moment = call.now_us if at_us is None else at_us
    links = call.view.links_between(source, target, relation)
    return [one for one in links if one.holds(moment, now=at_us is None)]


def state_link(
    call: WriteCall,
    link_id: str,
    source: str,
    target: str,
    relation: str,
    observed_by: str | None = None,
    valid_from_us: int | None = None,
    valid_until_us: int | None = None,
) -> None:
    """Append the link as a fact. A start that nobody named is marked as such, so that a clock
    that runs ahead cannot hide a fresh link from other nodes."""
    body = {
        "source_id": source,
        "target_id": target,
        "relation": relation,
        "observed_by": observed_by or call.agent_id,
        "created_at": call.now_us,
        "valid_from": call.now_us if valid_from_us is None else valid_from_us,
        "valid_from_given": valid_from_us is not None,
    }
    registers: dict[str, Any] = {"body": body, "valid_until": valid_until_us, "life": LIVE}
    call.tx.change(Change(link_id, LINK, set=registers))


def end_link(call: WriteCall, link: LinkRow, at_us: int) -> None:
    """Say that a fact holds no longer from a moment on. It stays in the history."""
    call.tx.change(Change(link.record_id, LINK, set={"valid_until": at_us}))


@operation
def unlink(call: WriteCall, request: UnlinkRequest) -> UnlinkResponse:
    """Take back the links from one memory to another: of one relation, or all. What has ended goes
    too; only as of an earlier moment can it still be seen."""
    call.speaker(request.agent_id)
    source = found(call, request.source_id, "$.source_id", life="any").record_id
    target = found(call, request.target_id, "$.target_id", life="any").record_id
    relation = None if request.relation is None else request.relation.value
    links = call.view.links_between(source, target, relation)
    for old in links:
        call.tx.change(Change(old.record_id, LINK, set={"life": deleted(call.now_us)}))
    return UnlinkResponse(deleted=bool(links), count=len(links))


@operation
def get_links(call: ReadCall, request: GetLinksRequest) -> GetLinksResponse:
    """The links that touch a memory, in both directions."""
    record_id = found(call, request.id, life="any").record_id
    links = links_shown(call, record_id, request.limit)
    return GetLinksResponse(
        links=links,
        count=len(links),
        truncated=call.view.has_more_links(record_id, request.limit),
    )
