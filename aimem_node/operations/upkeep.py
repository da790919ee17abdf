"""Look after the node: what it holds, what it can do, what has had its time."""

from collections.abc import AsyncIterator

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.contract.values import (
    CapabilitiesRequest,
    CapabilitiesResponse,
    Embedding,
    Event,
    EventsRequest,
    GcRequest,
    GcResponse,
    HealthRequest,
    HealthResponse,
    NamespaceCount,
    NodeStatusRequest,
    NodeStatusResponse,
    OriginStatus,
    StatsRequest,
    StatsResponse,
    Tier,
    TierCount,
)  # fmt: skip
from aimem_node.operations.call import ReadCall, StreamCall, WriteCall
from aimem_node.operations.events import event_names, event_of
from aimem_node.operations.lives import HOUR_US
from aimem_node.operations.registry import operation, streams
from aimem_node.operations.shapes import MEMORY, archived, place_filter, wanted
from aimem_node.operations.sight_of import sight_in, sight_of
from aimem_node.store.view import View
from aimem_sync.change import Change

SERVICE = "aimem"
SCHEMA_VERSION = "3"
GC_MAX = 2_000
"""Memories that one collection archives; the next one goes on."""
EVENTS_PER_STEP = 200
TOKEN_DIGITS_MAX = 18
"""A place in the log fits 64 bits with room to spare."""
NAMESPACES_SHOWN_MAX = 1_000
FEATURES = (
    "keyword_search", "temporal_links", "history", "conflict_detection", "request_keys",
    "archive", "export_import", "events", "visibility", "standards", "agents", "messages",
)  # fmt: skip
SEMANTIC_FEATURES = ("semantic_search", "hybrid_recall", "vector_duplicates")


@operation
def stats(call: ReadCall, _request: StatsRequest) -> StatsResponse:
    """Count what is live, archived, linked and in conflict, as far as it is seen, and the log."""
    counts = call.view.counts(call.now_us, sight_of(call))
    everywhere = wanted(call, place_filter(None))
    places = call.view.namespace_counts(everywhere, NAMESPACES_SHOWN_MAX)
    return StatsResponse(
        total=counts.live,
        by_tier=tuple(
            TierCount(tier=tier, count=counts.by_tier.get(tier.value, 0)) for tier in Tier
        ),
        by_namespace=tuple(NamespaceCount(namespace=name, count=n) for name, n in places),
        expiring_soon=call.view.expiring(call.now_us, call.now_us + HOUR_US, everywhere),
        links_count=counts.links,
        db_size_bytes=call.node.files().db_bytes,
        archived=counts.archived,
        ops=counts.ops,
        conflicts=counts.conflicts,
        embedding=_embedding(call),
    )


def _embedding(call: ReadCall) -> Embedding:
    """The model of texts, and how far it is with all memories here, seen or not."""
    status, progress = call.embedding.status(), call.node.vectors()
    active = next((space for space in call.view.spaces() if space.active), None)
    backlog = 0 if active is None and status.state == "off" else call.view.vector_backlog()
    space = status.space or (active if status.state == "off" else None)
    return Embedding(
        state=status.state,
        model=space.name if space else call.embedding.name if status.state != "off" else "",
        fingerprint=space.fingerprint if space else "",
        dimension=space.dimension if space else 0,
        # Of live memories alone; counting the vectors themselves takes long when there are many.
        vectors=max(0, call.view.population() - backlog) if active else 0,
        backlog=backlog,
        lag_s=progress.lag_s if backlog else 0.0,
        failures=progress.failing,
        why=status.why or progress.why,
        next=status.next,
        index=progress.index,
        adopted=progress.adopted,
    )


@operation
def gc(call: WriteCall, request: GcRequest) -> GcResponse:
    """Archive what has expired, as far as it is seen; the node itself sees everything. A recall
    that another node has counted meanwhile undoes it."""
    rows = [
        row
        for row in call.view.expired(call.now_us, GC_MAX, sight_of(call))
        if call.touches.of(row.record_id) is None
    ]
    if not request.dry_run:
        for row in rows:
            life = archived("ttl_expired", call.now_us, row.expires_us)
            call.tx.change(Change(row.record_id, MEMORY, set={"life": life}))
    return GcResponse(collected=len(rows), dry_run=request.dry_run)


@operation
def capabilities(call: ReadCall, _request: CapabilitiesRequest) -> CapabilitiesResponse:
    """Only what is true of this node as it runs."""
    embedding = _embedding(call)
    finds_meaning = embedding.state not in ("off", "failed")
    return CapabilitiesResponse(
        schema_version=SCHEMA_VERSION,
        version=call.node.version,
        tier=("smart" if call.embedding.has_llm else "semantic") if finds_meaning else "keyword",
        features=FEATURES + (SEMANTIC_FEATURES if finds_meaning else ()),
        embedding=embedding,
        operations=tuple(sorted(OPERATIONS)),
        node_id=call.node.node_id,
        write_quorum=1,
        nodes=1,
    )


@operation
def health(call: ReadCall, _request: HealthRequest) -> HealthResponse:
    """Whether the node can serve."""
    state, reason = call.node.state()
    return HealthResponse(
        status="ok" if state == "serving" else "failed",
        service=SERVICE,
        version=call.node.version,
        node_id=call.node.node_id,
        reason=reason,
        uptime_secs=max(0, call.now_us - call.node.started_us) // 1_000_000,
        pid=call.node.pid,
        data_dir=call.node.data_dir,
    )


@operation
def node_status(call: ReadCall, _request: NodeStatusRequest) -> NodeStatusResponse:
    """How the node is: identity, log, disk, ways in."""
    state, reason = call.node.state()
    view, files = call.view, call.node.files()
    origins = tuple(
        OriginStatus(origin=str(origin), have=have, head=view.head(origin).chain.hex())
        for origin, have in sorted(view.have())
    )
    return NodeStatusResponse(
        node_id=call.node.node_id,
        fingerprint=call.node.fingerprint(),
        version=call.node.version,
        data_dir=call.node.data_dir,
        started_at=call.node.started_us,
        state=state,
        reason=reason,
        origins=origins,
        digest=view.digest().root().hex(),
        db_size_bytes=files.db_bytes,
        wal_size_bytes=files.wal_bytes,
        disk_free_bytes=files.free_bytes,
        schema_version=files.schema,
        listening=call.node.listening(),
        resident_bytes=files.resident_bytes,
    )


@streams
async def events(call: StreamCall, request: EventsRequest) -> AsyncIterator[Event]:
    """Follow the log from a token on, as far as the caller sees what it speaks of. A token is a
    place in this node's order of arrival, which a restart does not change."""
    wanted, names = place_filter(request.namespace), event_names(request.events)
    pos = _position(request.after, call.log_reaches())
    sent = 0
    while request.limit is None or sent < request.limit:

        def step(view: View, after: int = pos) -> list[tuple[int, Event | None]]:
            sight = sight_in(view, call)
            return [
                (placed.pos, event_of(view, placed, wanted, sight))
                for placed in view.ops_after(after, EVENTS_PER_STEP)
            ]

        found = await call.read(step)
        for at, event in found:
            pos = at
            if event is not None and (not names or event.event in names):
                yield event
                sent += 1
                if request.limit is not None and sent >= request.limit:
                    return
        if not found:
            await call.wait_beyond(pos)


def _position(after: str | None, log_reaches: int) -> int:
    if after is None:
        return log_reaches
    if after == "start":
        return 0
    if not (after.isascii() and after.isdigit() and len(after) <= TOKEN_DIGITS_MAX):
        raise Failure(
            Code.INVALID_ARGUMENT,
            "this is not a token of an event",
            path="$.after",
            next="Give the token of the last event, or start.",
        )
    return int(after)
