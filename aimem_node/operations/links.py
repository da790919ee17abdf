"""State how memories belong together. A link is a record of its own, with its own history."""

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
from aimem_sync.change import Change


@operation
def link(call: WriteCall, request: LinkRequest) -> LinkResponse:
    """Add a link, unless the same one is there and still holds."""
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
    valid_from = request.valid_from
    if request.valid_until is not None and request.valid_until <= (
        call.now_us if valid_from is None else valid_from
    ):
        raise Failure(
            Code.INVALID_ARGUMENT,
            "valid_until is not after valid_from",
            path="$.valid_until",
            next="Give a later time, or leave it out.",
        )
    relation = request.relation.value
    for old in call.view.links_between(source, target, relation):
        if old.valid_until_us is None or old.valid_until_us > call.now_us:
            return LinkResponse(
                linked=False, id=old.record_id, source_id=source, target_id=target,
                relation=request.relation,
            )  # fmt: skip
    link_id = call.new_id()
    state_link(call, link_id, source, target, relation, speaker, valid_from, request.valid_until)
    return LinkResponse(
        linked=True, id=link_id, source_id=source, target_id=target, relation=request.relation
    )


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


@operation
def unlink(call: WriteCall, request: UnlinkRequest) -> UnlinkResponse:
    """Remove the links from one memory to another: of one relation, or all."""
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
    row = found(call, request.id, life="any")
    links = links_shown(call, row.record_id)
    return GetLinksResponse(links=links, count=len(links))
