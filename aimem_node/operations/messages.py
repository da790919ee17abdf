"""Messages between agents: memories that wait in the inbox of whom they are for.

They replicate, expire and are erased as any memory is; what sets them apart is who sees them, and
that they are never found by the way. Two of the same title are two messages. Whether one was read
is a tag, so that marking it on one node and fetching it on another agree.
"""

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    InboxMarkRequest,
    InboxMarkResponse,
    InboxRequest,
    InboxResponse,
    Message,
    NotifyRequest,
    NotifyResponse,
    Tier,
)  # fmt: skip
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.cursors import read_cursor, write_cursor
from aimem_node.operations.lives import first_expiry_us
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import LIVE, MEMORY, body, edit, facts, found
from aimem_node.operations.sight_of import inbox_of
from aimem_node.store.listing import Filter, Order
from aimem_node.store.rows import MemoryRow
from aimem_sync.change import Change

MESSAGE_TAG = "_message"
UNREAD = "_unread"
READ = "read"
"""The register that says when a message was marked as read."""
SOURCE = "notify"
UNREAD_COUNTED_MAX = 10_000


@operation
def notify(call: WriteCall, request: NotifyRequest) -> NotifyResponse:
    """Put a message into somebody's inbox, under the name of whoever speaks, to the letter."""
    sender = call.speaker(request.agent_id)
    target = request.target_agent_id
    if target in (".", ".."):
        raise Failure(
            Code.INVALID_ARGUMENT, f"nobody is called {target!r}", path="$.target_agent_id",
            next="Name an agent. agent-list shows those that are registered.",
        )  # fmt: skip
    tier = request.tier or Tier.MID
    record_id = call.new_id()
    call.tx.change(
        edit(
            record_id,
            call.now_us,
            tags=(MESSAGE_TAG, UNREAD),
            body=body(
                request.title,
                request.payload,
                {"recipient_agent_id": target, "message_kind": "message"},
            ),
            facts=facts(call.author, sender, SOURCE, call.now_us, None, None),
            namespace=inbox_of(target),
            scope="private",
            tier=tier.value,
            priority=5 if request.priority is None else request.priority,
            confidence=1.0,
            expires_at=first_expiry_us(tier, None, None, call.now_us),
            life=LIVE,
        )
    )
    return NotifyResponse(
        id=record_id, from_=sender, to=target, namespace=inbox_of(target), tier=tier,
        delivered_at=call.now_us,
    )  # fmt: skip


@operation
def inbox(call: ReadCall, request: InboxRequest) -> InboxResponse:
    """The messages to an agent that the caller may speak as, the latest in the log first."""
    agent_id = call.speaker(request.agent_id)
    after = read_cursor("inbox", request.cursor, 1, texts=1)
    wanted = _waiting(call, agent_id, unread_only=bool(request.unread_only))
    rows, then = call.view.list_memories(wanted, Order.LOG, after, request.limit)
    messages = tuple(_message(call, row) for row in rows)
    return InboxResponse(
        agent_id=agent_id, namespace=inbox_of(agent_id), count=len(messages),
        unread_only=bool(request.unread_only), messages=messages,
        next_cursor=write_cursor("inbox", then),
    )  # fmt: skip


@operation
def inbox_mark(call: WriteCall, request: InboxMarkRequest) -> InboxMarkResponse:
    """Mark messages as read or unread, for whoever may read them. What is so already stays."""
    agent_id = call.speaker(request.agent_id)
    marked = 0
    for index, prefix in enumerate(dict.fromkeys(request.ids)):
        row = found(call, prefix, f"$.ids[{index}]")
        if row.namespace != inbox_of(agent_id):
            raise Failure(
                Code.NOT_FOUND, f"no message {prefix!r} to {agent_id}", path=f"$.ids[{index}]",
                next="See inbox for what is there.",
            )  # fmt: skip
        if (UNREAD in row.tags) == bool(request.unread):
            continue
        said = {READ: None if request.unread else call.now_us}
        change = Change(row.record_id, MEMORY, set=said, tag=(UNREAD,))
        if not request.unread:
            change = Change(row.record_id, MEMORY, set=said, untag=(UNREAD,))
        call.tx.change(change)
        marked += 1
    return InboxMarkResponse(marked=marked)


def unread_of(call: ReadCall, claim: str | None) -> int:
    """How many messages wait for whoever speaks; none for one whose inbox the caller may not read:
    a claim here only says whose memories are asked for."""
    agent_id = claim if claim and call.may_claim(claim) else call.agent_id
    waiting = _waiting(call, agent_id, unread_only=True)
    rows = call.view.matching_ids(None, waiting, UNREAD_COUNTED_MAX)
    return len(rows)


def _waiting(call: ReadCall, agent_id: str, *, unread_only: bool) -> Filter:
    return Filter(
        namespaces=(inbox_of(agent_id),), tags=(UNREAD,) if unread_only else (), now_us=call.now_us
    )


def _message(call: ReadCall, row: MemoryRow) -> Message:
    read = UNREAD not in row.tags
    return Message(
        id=row.record_id,
        from_=row.agent_id,
        title=row.title,
        payload=row.content,
        priority=row.priority,
        tier=Tier(row.tier),
        created_at=row.created_us,
        read=read,
        read_at=_read_us(call, row) if read else None,
        access_count=row.access_count,
    )


def _read_us(call: ReadCall, row: MemoryRow) -> int | None:
    shown = call.view.display(row.record_id)
    at_us = None if shown is None else shown.values.get(READ)
    return at_us if isinstance(at_us, int) and not isinstance(at_us, bool) else None
