"""What a subscription means: which op is an event of it, and what is said about that to a receiver.

The follower that delivers knows nothing of memories; it is given these functions. A delivery is
named after its subscription and its op, so a receiver knows a repeat, whoever sends it.
"""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from aimem_node.contract import times
from aimem_node.operations.events import event_of
from aimem_node.operations.kept import all_kept, is_any_kept
from aimem_node.operations.shapes import LIVE, deleted, place_filter
from aimem_node.operations.sight_of import sight_for
from aimem_node.replica.subscribed import Delivery, Page, Subscribed
from aimem_node.replica.writing import Tx
from aimem_node.store.listing import Filter
from aimem_node.store.rows import PlacedOp
from aimem_node.store.view import View
from aimem_sync.canon import Json
from aimem_sync.change import Change
from aimem_sync.cursor import Cursor
from aimem_sync.display import Display
from aimem_sync.faults import OpFault

SUBSCRIPTION: Final = "subscription"
DEAD: Final = "dead"
PAGE: Final = 200
DELIVERY_IDS: Final = uuid.UUID("0d0b8a6c-6f0e-5c1e-8d58-0b1a53f6f2a7")


def is_any(view: View) -> bool:
    """Whether there may be subscriptions at all."""
    return is_any_kept(view, SUBSCRIPTION)


def all_standing(view: View) -> list[Subscribed]:
    """Those that have not ended."""
    return [
        subscribed(name, one) for name, one in all_kept(view, SUBSCRIPTION) if one.life == "live"
    ]


def subscribed(name: str, one: Display) -> Subscribed:
    """The subscription that a record is. What a later version wrote otherwise reads as nothing."""
    said, sealed = one.values.get("said"), one.values.get("sealed")
    what = said if isinstance(said, dict) else {}
    events, at_us = what.get("events"), what.get("created_at")
    known: dict[str, Any] = {
        key: value for key, value in what.items() if isinstance(value, (str, bool))
    }
    known["events"] = [str(each) for each in events] if isinstance(events, list) else []
    known["created_at"] = at_us if isinstance(at_us, int) else None
    boxes = sealed if isinstance(sealed, dict) else {}
    return Subscribed(
        id=name,
        url=str(known.get("url", "")),
        said=known,
        sealed={holder: box for holder, box in boxes.items() if isinstance(box, str)},
        told=_told(one.values.get("told")),
    )


def _told(text: Any) -> Cursor:
    try:
        return Cursor.decode(text) if isinstance(text, str) else Cursor()
    except OpFault:
        return Cursor()


def begin(view: View, told: Cursor) -> int:
    """The position behind which something may not have been told: a log that has gone on."""
    first = [
        placed[0].pos
        for origin, seq in view.have()
        if seq > told.get(origin) and (placed := view.ops_of_origin(origin, told.get(origin), 1))
    ]
    return min(first) - 1 if first else view.last_pos()


def page(view: View, one: Subscribed, before: Cursor, told: Cursor, pos: int) -> Page | None:
    """The next events, in the order of arrival here.

    None if the subscription has ended, or the log does not say `before` any more of how far it has
    been told: somebody went back.
    """
    if not _says(view, one.id, before):
        return None
    wanted = place_filter(one.said.get("namespace_filter") or None)
    found = view.ops_after(pos, PAGE)
    deliveries: list[Delivery] = []
    seen = dict(told)
    for placed in found:
        op = placed.op
        if op.seq <= seen.get(op.origin, 0):
            continue
        seen[op.origin] = op.seq
        if op.record_id == f"{SUBSCRIPTION}:{one.id}":
            continue  # nobody need be told of what tells them
        body = _body(view, one, wanted, placed)
        if body is not None:
            deliveries.append(Delivery(str(body["delivery_id"]), op.dot, body))
    last = found[-1].pos if found else pos
    return Page(last, Cursor(seen), tuple(deliveries), is_last=len(found) < PAGE)


def _body(
    view: View, one: Subscribed, wanted: Filter, placed: PlacedOp
) -> Mapping[str, Any] | None:
    """What a receiver is sent about an op; None if it is not asked for, or not for its owner."""
    said = one.said
    owner, place = said.get("owner"), said.get("place")
    if not isinstance(owner, str) or not owner or not isinstance(place, str):
        return None  # without bounds it would be told of everything
    sight = sight_for(view, owner, place=place, operator=said.get("operator") is True)
    event = event_of(view, placed, wanted, sight)
    names = said.get("events") or ()
    if event is None or (names and event.event not in names):
        return None
    agent = said.get("agent_filter")
    if agent and agent not in (event.agent_id, event.author):
        return None
    write_id = str(placed.op.dot)
    return {
        "delivery_id": str(uuid.uuid5(DELIVERY_IDS, f"{one.id}\n{write_id}")),
        "subscription_id": one.id,
        "event": event.event,
        "memory_id": event.id,
        "namespace": event.namespace,
        "agent_id": event.agent_id,
        "author": event.author,
        "happened_at": times.show_time(placed.op.wall_us),
        "write_id": write_id,
    }


def given_up(view: View, one: Subscribed) -> list[Delivery]:
    """What is to be tried once more."""
    found = []
    for name, letter in all_kept(view, DEAD):
        said = letter.values.get("said")
        mine = name.startswith(f"{one.id}.") and letter.life == "live"
        if mine and letter.values.get("again") and isinstance(said, dict):
            body = said.get("body")
            if isinstance(body, dict):
                found.append(Delivery(name.partition(".")[2], None, body))
    return found


def keep_told(tx: Tx, subscription_id: str, before: Cursor, told: Cursor) -> int:
    """Log how far it has been told; 0 if it has ended, or somebody went back since `before`."""
    if not _says(tx.session, subscription_id, before):
        return 0
    return _keep(tx, subscription_id, "told", told.encode())


def _says(view: View, subscription_id: str, before: Cursor) -> bool:
    shown = view.display(f"{SUBSCRIPTION}:{subscription_id}")
    stands = shown is not None and shown.life == "live"
    return shown is not None and stands and _told(shown.values.get("told")) == before


def keep_sealed(tx: Tx, subscription_id: str, sealed: Mapping[str, str]) -> int:
    """Log the secret as it is sealed for the members of now."""
    return _keep(tx, subscription_id, "sealed", dict(sealed))


def _keep(tx: Tx, subscription_id: str, register: str, value: Json) -> int:
    shown = tx.session.display(f"{SUBSCRIPTION}:{subscription_id}")
    if shown is None or shown.life != "live":
        return 0
    tx.change(Change(f"{SUBSCRIPTION}:{subscription_id}", SUBSCRIPTION, set={register: value}))
    return 1


def give_up(tx: Tx, one: Subscribed, delivery: Delivery, attempts: int, reason: str) -> int:
    """Log that a delivery was given up."""
    said: dict[str, Json] = {
        "at": tx.now_us,
        "attempts": attempts,
        "reason": reason,
        "body": dict(delivery.body),
    }
    registers: dict[str, Json] = {"said": said, "again": 0, "life": LIVE}
    tx.change(Change(f"{DEAD}:{one.id}.{delivery.id}", DEAD, set=registers))
    return 1


def bury(tx: Tx, one: Subscribed, delivery_id: str) -> int:
    """Log that a given-up delivery has been taken after all."""
    over = {"life": deleted(tx.now_us)}
    tx.change(Change(f"{DEAD}:{one.id}.{delivery_id}", DEAD, set=over))
    return 1
