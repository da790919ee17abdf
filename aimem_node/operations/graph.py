"""Ask what was known of how memories belong together, and when; say that it changed.

Two clocks: a link holds from one moment until another, and it was learned at a moment, which is
another matter. `valid_at` asks by the first, `as_of` by the second; together they say what was true
on one day as it was known on another.
"""

from dataclasses import replace

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    Direction,
    KgEvent,
    KgInvalidateRequest,
    KgInvalidateResponse,
    KgNode,
    KgQueryRequest,
    KgQueryResponse,
    KgTimelineRequest,
    KgTimelineResponse,
    SupersedeRequest,
    SupersedeResponse,
)  # fmt: skip
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.curation_log import record_step
from aimem_node.operations.identity import register_of
from aimem_node.operations.links import end_link, holding, state_link
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import MEMORY, archived, found, relation_of, wanted
from aimem_node.store.graph import LINKS_MAX, Found, Links, Stretch, Walk
from aimem_node.store.listing import Filter
from aimem_node.store.rows import LinkRow, MemoryRow
from aimem_sync.change import Change

SUPERSEDED = "superseded"
"""Why a memory is in the archive that another one took the place of."""
SUPERSEDES = "supersedes"
SHOWN_BYTES_MAX = 2 << 20
"""What the links of one answer may weigh; gRPC clients take 4 MiB."""


@operation
def kg_query(call: ReadCall, request: KgQueryRequest) -> KgQueryResponse:
    """Follow links from a memory, nearest memories first."""
    source = found(call, request.source_id, "$.source_id", life="any")
    moment, is_now = _moment(call, request.valid_at, request.as_of)
    trail = call.view.walk(
        Walk(
            source_id=source.record_id,
            links=Links(
                at_us=moment,
                now=is_now,
                at_any_time=request.include_invalid,
                as_of_us=request.as_of,
                relations=tuple(one.value for one in request.relations),
                agents=request.allowed_agents,
                principals=_principals(call, request.allowed_agents),
            ),
            wanted=_seen_at(call, request.as_of),
            depth=request.max_depth,
            limit=request.limit,
            outward=request.direction != Direction.IN,
            inward=request.direction != Direction.OUT,
        )
    )
    shown = _fitting(trail.found)
    return KgQueryResponse(
        source_id=source.record_id,
        max_depth=request.max_depth,
        memories=tuple(_node(one) for one in shown),
        paths=tuple(_path(one) for one in shown),
        count=len(shown),
        truncated=trail.truncated or len(shown) < len(trail.found),
    )


@operation
def kg_timeline(call: ReadCall, request: KgTimelineRequest) -> KgTimelineResponse:
    """What one memory was linked to, in the order in which it began to hold."""
    source = found(call, request.source_id, "$.source_id", life="any")
    links = Links(
        at_any_time=True, as_of_us=request.as_of, since_us=request.since, until_us=request.until
    )
    trail = call.view.stretch(
        Stretch(
            source_id=source.record_id,
            links=links,
            limit=request.limit,
            wanted=_seen_at(call, request.as_of),
        )
    )
    shown = _fitting(trail.found)
    return KgTimelineResponse(
        source_id=source.record_id,
        events=tuple(_event(one) for one in shown),
        count=len(shown),
        truncated=trail.truncated or len(shown) < len(trail.found),
    )


def _moment(call: ReadCall, valid_at: int | None, as_of: int | None) -> tuple[int, bool]:
    """When links are to hold, and whether that is the present."""
    if valid_at is not None:
        return valid_at, False
    if as_of is not None and as_of < call.now_us:
        return as_of, False
    return call.now_us, True


def _seen_at(call: ReadCall, as_of: int | None) -> Filter:
    """The memories that may be shown: what has ended is not, unless it had not ended then."""
    moment = call.now_us if as_of is None else min(as_of, call.now_us)
    return replace(wanted(call, Filter()), life=None, now_us=moment)


def _principals(call: ReadCall, agents: tuple[str, ...]) -> tuple[str, ...]:
    """Whoever is bound to one of these agents, as author@node."""
    if not agents:
        return ()
    known = register_of(call.view).agents
    return tuple(one for agent in agents if agent in known for one in known[agent].principals)


def _fitting(found_links: list[Found]) -> list[Found]:
    """As many as one answer holds: a title has up to 2 KiB, and a path five ids."""
    left = SHOWN_BYTES_MAX
    for at, one in enumerate(found_links):
        ids = sum(map(len, one.path)) + len(one.far_id) + len(one.near_id) + len(one.link_id)
        left -= 2 * ids + 4 * (len(one.title) + len(one.namespace)) + 200
        if left < 0:
            return found_links[:at]
    return found_links


def _path(one: Found) -> str:
    return "->".join(one.path)


def _node(one: Found) -> KgNode:
    return KgNode(
        target_id=one.far_id,
        source_id=one.near_id,
        link_id=one.link_id,
        relation=relation_of(one.relation),
        valid_from=one.valid_from_us,
        valid_until=one.valid_until_us,
        observed_at=one.observed_us,
        observed_by=one.observed_by,
        title=one.title,
        target_namespace=one.namespace,
        depth=len(one.path) - 1,
        path=_path(one),
        direction=Direction.IN if one.inward else Direction.OUT,
    )


def _event(one: Found) -> KgEvent:
    return KgEvent(
        target_id=one.far_id,
        link_id=one.link_id,
        relation=relation_of(one.relation),
        valid_from=one.valid_from_us,
        valid_until=one.valid_until_us,
        observed_at=one.observed_us,
        observed_by=one.observed_by,
        title=one.title,
        target_namespace=one.namespace,
    )


@operation
def kg_invalidate(call: WriteCall, request: KgInvalidateRequest) -> KgInvalidateResponse:
    """End the facts of one relation between two memories that hold at a moment.

    One that has ended by then stays as it is: to end it again changes nothing.
    """
    call.speaker(request.agent_id)
    source = found(call, request.source_id, "$.source_id", life="any").record_id
    target = found(call, request.target_id, "$.target_id", life="any").record_id
    relation = request.relation.value
    stated = call.view.links_between(source, target, relation)
    if not stated:
        return KgInvalidateResponse(
            found=False, source_id=source, target_id=target, relation=request.relation
        )
    at_us = call.now_us if request.valid_until is None else request.valid_until
    ending = holding(call, source, target, relation, request.valid_until)
    for one in ending:
        # The writer of a start that nobody named may have a clock that runs ahead of this one.
        end_link(call, one, max(at_us, one.valid_from_us))
    if not ending:
        _refuse_before_start(stated, at_us)
    first = ending[0] if ending else max(stated, key=lambda one: one.valid_until_us or 0)
    ended_us = max(at_us, first.valid_from_us) if ending else first.valid_until_us
    return KgInvalidateResponse(
        found=True,
        id=first.record_id,
        source_id=source,
        target_id=target,
        relation=request.relation,
        valid_until=ended_us,
        previous_valid_until=first.valid_until_us,
    )


def _refuse_before_start(stated: list[LinkRow], at_us: int) -> None:
    """Refuse a moment at which nothing held yet that would have to end."""
    if any(one.valid_from_us > at_us and _ends_after(one, at_us) for one in stated):
        raise Failure(
            Code.INVALID_ARGUMENT,
            "the link did not hold yet at that time",
            path="$.valid_until",
            next="Give a time at or after its valid_from, or unlink it if it was never true.",
        )


def _ends_after(one: LinkRow, at_us: int) -> bool:
    return one.valid_until_us is None or one.valid_until_us > at_us


@operation
def supersede(call: WriteCall, request: SupersedeRequest) -> SupersedeResponse:
    """Let one memory take the place of another, which goes into the archive unless it is kept."""
    speaker = call.speaker(request.agent_id)
    winner = found(call, request.winner_id, "$.winner_id")
    loser = found(call, request.loser_id, "$.loser_id", life="any")
    link_id = supersede_by(call, winner, loser, speaker, request.at)
    linked = bool(call.tx.ops)
    goes = not request.keep and loser.life == "live"
    if goes:
        archive_superseded(call, loser)
    if call.tx.ops:
        record_step(
            call, "supersede", (loser.record_id,), winner.record_id, namespace=winner.namespace,
            agent_id=speaker, archived=(loser.record_id,) if goes else (),
            links=(link_id,) if linked else (),
        )  # fmt: skip
    return SupersedeResponse(
        superseded=True,
        winner_id=winner.record_id,
        loser_id=loser.record_id,
        link_id=link_id,
        archived=goes or loser.life == "archived",
    )


def supersede_by(
    call: WriteCall, winner: MemoryRow, loser: MemoryRow, speaker: str, at_us: int | None = None
) -> str:
    """State that one memory supersedes another, unless that stands; the id of the link.

    Raises INVALID_ARGUMENT for a memory and itself, and CONFLICT where the winner has been
    superseded by the loser, over any number of steps: none of them would hold in the end.
    """
    if winner.record_id == loser.record_id:
        raise Failure(
            Code.INVALID_ARGUMENT,
            "a memory cannot supersede itself",
            path="$.loser_id",
            next="Name another memory.",
        )
    standing = holding(call, winner.record_id, loser.record_id, SUPERSEDES)
    if standing:
        return standing[0].record_id
    if call.view.is_superseded_by(winner.record_id, loser.record_id, LINKS_MAX):
        raise Failure(
            Code.CONFLICT,
            f"{loser.record_id} supersedes {winner.record_id} already, directly or over others",
            path="$.winner_id",
            next="If that is wrong, end it first: aimem kg-invalidate, relation supersedes.",
        )
    link_id = call.new_id()
    state_link(call, link_id, winner.record_id, loser.record_id, SUPERSEDES, speaker, at_us)
    return link_id


def archive_superseded(call: WriteCall, loser: MemoryRow) -> None:
    """Put a memory into the archive that another one took the place of."""
    life = archived(SUPERSEDED, call.now_us, None)
    call.tx.change(Change(loser.record_id, MEMORY, set={"life": life}))
