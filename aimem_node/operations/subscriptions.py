"""Be told of what happens: who asks for what, and what was given up.

A subscription is a record: every member knows it, and how far it has been told. Its secret is in it
too, sealed for the keys of the members, so that any of them can deliver and a stolen copy of the
store tells nobody.
"""

from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    DeadLetter,
    DeadLettersRequest,
    DeadLettersResponse,
    ListSubscriptionsRequest,
    ListSubscriptionsResponse,
    ReplayRequest,
    ReplayResponse,
    SubscribeRequest,
    SubscribeResponse,
    Subscription,
    UnsubscribeRequest,
    UnsubscribeResponse,
)
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.events import event_names
from aimem_node.operations.kept import all_kept, kept
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import LIVE, deleted, place_filter
from aimem_node.operations.telling import DEAD, SUBSCRIPTION, subscribed
from aimem_node.outbound.sealing import public_key_of, seal
from aimem_node.outbound.urls import check_url
from aimem_node.replica.subscribed import Subscribed
from aimem_sync.change import Change
from aimem_sync.display import Display

SECRET_BYTES = 24
SUBSCRIPTIONS_MAX = 200
"""Each costs its deliverer a task and a walk along the log."""


@operation
def subscribe(call: WriteCall, request: SubscribeRequest) -> SubscribeResponse:
    """Have events sent from now on. The secret is shown this once, if it was made here."""
    agent_id = call.speaker(request.agent_id)
    check_url(request.url, call.desk.allowed)
    events = sorted(event_names(request.events))
    place_filter(request.namespace_filter, "$.namespace_filter")
    if sum(1 for _ in standing(call)) >= SUBSCRIPTIONS_MAX:
        raise Failure(
            Code.CONFLICT,
            f"there are {SUBSCRIPTIONS_MAX} subscriptions, and no more are taken",
            next="End one that is not needed any more: unsubscribe.",
        )
    made = "" if request.secret else call.chance.token_hex(SECRET_BYTES)
    subscription_id = call.new_id()
    said: dict[str, Any] = {
        "url": request.url,
        "events": events,
        "namespace_filter": request.namespace_filter or "",
        "agent_filter": request.agent_filter or "",
        "created_by": agent_id,
        "owner": call.principal,
        "place": call.place,
        "operator": call.operator,
        "created_at": call.now_us,
    }
    secret = (request.secret or made).encode()
    registers: dict[str, Any] = {
        "said": said,
        "sealed": dict(seal(secret, _keys(call), subscription_id)),
        "told": call.view.have().encode(),
        "life": LIVE,
    }
    call.tx.change(Change(f"{SUBSCRIPTION}:{subscription_id}", SUBSCRIPTION, set=registers))
    return SubscribeResponse(
        id=subscription_id, url=request.url, events=",".join(events) or "*",
        namespace_filter=request.namespace_filter or "", agent_filter=request.agent_filter or "",
        created_by=agent_id, secret=made,
    )  # fmt: skip


@operation
def unsubscribe(call: WriteCall, request: UnsubscribeRequest) -> UnsubscribeResponse:
    """End a subscription: nothing is sent any more, and what was given up is forgotten."""
    name, shown = _mine(call, request.id)
    if shown.life != "live":
        return UnsubscribeResponse(id=name, removed=False)
    over = {"life": deleted(call.now_us), "sealed": {}}
    call.tx.change(Change(f"{SUBSCRIPTION}:{name}", SUBSCRIPTION, set=over))
    for dead, letter in _dead(call, name):
        if letter.life == "live":
            gone = {"life": deleted(call.now_us)}
            call.tx.change(Change(f"{DEAD}:{dead}", DEAD, set=gone))
    return UnsubscribeResponse(id=name, removed=True)


@operation
def list_subscriptions(
    call: ReadCall, request: ListSubscriptionsRequest
) -> ListSubscriptionsResponse:
    """One's own subscriptions; the operator's answer has all."""
    shown = []
    for name, one in standing(call):
        if not _may_see(call, one):
            continue
        row = _row(call, name, one)
        if request.agent_id in (None, row.created_by):
            shown.append(row)
    shown.sort(key=lambda row: (row.created_at or 0, row.id))
    return ListSubscriptionsResponse(count=len(shown), subscriptions=tuple(shown))


@operation
def dead_letters(call: ReadCall, request: DeadLettersRequest) -> DeadLettersResponse:
    """What was given up, the latest first."""
    only = "" if request.id is None else _mine(call, request.id)[0]
    mine = {name for name, one in standing(call) if _may_see(call, one)}
    letters = [
        _letter(name, letter)
        for name, letter in all_kept(call.view, DEAD)
        if letter.life == "live" and name.partition(".")[0] in ({only} if only else mine)
    ]
    letters.sort(key=lambda one: (-(one.given_up_at or 0), one.id))
    kept_back = tuple(letters[: request.limit])
    return DeadLettersResponse(deliveries=kept_back, count=len(kept_back))


@operation
def replay(call: WriteCall, request: ReplayRequest) -> ReplayResponse:
    """Try again what was given up, or go back to a moment: receivers tell repeats by their ids."""
    name, shown = _mine(call, request.id)
    if shown.life != "live":
        raise Failure(Code.NOT_FOUND, f"subscription {name} has ended", path="$.id")
    if request.since is not None:
        told = call.view.have().meet(call.view.written_before(request.since))
        call.tx.change(Change(f"{SUBSCRIPTION}:{name}", SUBSCRIPTION, set={"told": told.encode()}))
        return ReplayResponse(id=name, replayed=0)
    count = 0
    for dead, letter in _dead(call, name):
        if letter.life == "live" and not letter.values.get("again"):
            call.tx.change(Change(f"{DEAD}:{dead}", DEAD, set={"again": call.now_us}))
            count += 1
    return ReplayResponse(id=name, replayed=count)


def _keys(call: ReadCall) -> dict[str, Any]:
    keys = call.desk.member_keys()
    return {fingerprint: public_key_of(der) for fingerprint, der in keys.items()}


def standing(call: ReadCall) -> Any:
    """Subscriptions that have not ended: (name, what is shown)."""
    return ((name, one) for name, one in all_kept(call.view, SUBSCRIPTION) if one.life == "live")


def _mine(call: ReadCall, prefix: str) -> tuple[str, Display]:
    """The subscription that an id or a unique prefix names, if the caller may see it."""
    exact = kept(call.view, SUBSCRIPTION, prefix)
    found = [(prefix, exact)] if exact is not None else []
    if not found:
        found = [
            (name, one)
            for name, one in all_kept(call.view, SUBSCRIPTION)
            if name.startswith(prefix) and one.life == "live"
        ]
    seen = [(name, one) for name, one in found if _may_see(call, one)]
    if not seen:
        raise Failure(
            Code.NOT_FOUND, f"no subscription {prefix!r} of yours", path="$.id",
            next="See list-subscriptions.",
        )  # fmt: skip
    if len(seen) > 1:
        raise Failure(
            Code.AMBIGUOUS, f"{prefix!r} is the beginning of several ids", path="$.id",
            next="Give more characters of the one you mean.",
            details={"ids": [name for name, _ in seen[:5]]},
        )  # fmt: skip
    return seen[0]


def _may_see(call: ReadCall, one: Display) -> bool:
    said = one.values.get("said")
    if not isinstance(said, dict):
        return call.operator
    return call.operator or said.get("owner") == call.principal


def _dead(call: ReadCall, name: str) -> list[tuple[str, Display]]:
    return [(dead, one) for dead, one in all_kept(call.view, DEAD) if dead.startswith(f"{name}.")]


def _letter(name: str, letter: Display) -> DeadLetter:
    said = letter.values.get("said")
    told = said if isinstance(said, dict) else {}
    body = told.get("body")
    about = body if isinstance(body, dict) else {}
    return DeadLetter(
        id=name.partition(".")[2],
        subscription_id=name.partition(".")[0],
        event=str(about.get("event", "")),
        memory_id=str(about.get("memory_id", "")),
        given_up_at=told.get("at") if isinstance(told.get("at"), int) else None,
        attempts=told["attempts"] if isinstance(told.get("attempts"), int) else 0,
        reason=str(told.get("reason", "")),
    )


def _row(call: ReadCall, name: str, one: Display) -> Subscription:
    what: Subscribed = subscribed(name, one)
    said = what.said
    counted = call.desk.counted(name)
    return Subscription(
        id=name,
        url=what.url,
        events=",".join(said.get("events") or ()) or "*",
        namespace_filter=str(said.get("namespace_filter", "")),
        agent_filter=str(said.get("agent_filter", "")),
        created_by=str(said.get("created_by", "")),
        created_at=said.get("created_at"),
        dispatch_count=counted.taken,
        failure_count=counted.failed,
        last_dispatched_at=counted.last_us,
        deliverer=counted.deliverer,
        state=counted.state,
        reason=counted.reason,
        dead=sum(letter.life == "live" for _, letter in _dead(call, name)),
    )
