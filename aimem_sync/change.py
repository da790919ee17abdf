"""A wish, before it is stamped: what should become of one record.

A wish speaks of values and tag names; an edit speaks of the dots its writer saw. The difference
is filled in here, from the state at the moment of writing, and is all that later tells "he
replaced it" from "they wrote at the same time".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from aimem_sync.canon import Json
from aimem_sync.deeds import signed
from aimem_sync.dot import Dot, Origin
from aimem_sync.edit import Edit
from aimem_sync.op import Kind
from aimem_sync.state import RecordState

LIFE: Final = "life"
"""The register that says whether a record lives."""

LIVE: Final[Mapping[str, Json]] = {"is": "live"}

UPKEEP_REGISTERS: Final = frozenset(
    {"tier", "expires_at", "priority", "accessed_at", "updated_at", "told", "sealed"}
)
"""What a node also writes by itself, when a memory is touched or promoted, or a subscription told.
Writing only these says nothing about life, so that an automatic touch never brings a deleted
record back."""


@dataclass(frozen=True, slots=True)
class Change:
    """An unstamped wish for one record."""

    record_id: str
    type: str
    "The record's type, a word: memory, link, ..."
    set: Mapping[str, Json] = field(default_factory=dict)
    "Registers to write."
    tag: tuple[str, ...] = ()
    "Tags to add. One that is also to be removed is added."
    untag: tuple[str, ...] = ()
    "Names of tags to remove."
    count: Mapping[str, int] = field(default_factory=dict)
    "Increments of counters, not negative."
    kind: str = Kind.EDIT
    "EDIT, or PURGE: then all other wishes are void."


def body_for(change: Change, state: RecordState | None, origin: Origin, deed: str = "") -> bytes:
    """The body of the op that carries `change`. A purge has an empty one. Raises OpFault."""
    if change.kind == Kind.PURGE:
        return b""
    return edit_for(change, state, origin, deed).encode()


def edit_for(change: Change, state: RecordState | None, origin: Origin, deed: str = "") -> Edit:
    """What `origin` must write to fulfil `change`, having seen `state`.

    Besides what was asked, an edit that writes content or tags, or is the record's first, says
    that the record is alive, unless the wish itself speaks of life. A concurrent delete then
    loses and is shown as a conflict; without this nobody would have contradicted it. `deed`: the
    request that it is for, as deeds.name_of names it.

    `state` must contain every earlier op of `origin` for this record, or counts are lost.
    """
    assert change.kind == Kind.EDIT
    assert all(increment >= 0 for increment in change.count.values())
    seen = state if state is not None else RecordState(change.record_id)
    assert seen.record_id == change.record_id
    written = dict(change.set)
    if LIFE not in written and _says_live(change, seen):
        written[LIFE] = LIVE
    if LIFE in written:
        written[LIFE] = signed(written[LIFE], deed, seen.heads.get(LIFE, ()))
    return Edit(
        type=change.type,
        set=written,
        over={
            register: tuple([version.dot for version in seen.heads[register]])
            for register in written
            if register in seen.heads
        },
        tag=change.tag,
        untag=_observed(change, seen),
        count={
            name: seen.counters.get(name, {}).get(origin, 0) + increment
            for name, increment in change.count.items()
        },
    )


def _says_live(change: Change, seen: RecordState) -> bool:
    if change.tag or change.untag or not UPKEEP_REGISTERS.issuperset(change.set):
        return True
    return bool(change.set) and LIFE not in seen.heads


def _observed(change: Change, seen: RecordState) -> dict[str, tuple[Dot, ...]]:
    # A tag added once more takes the place of its earlier adds: as good a claim, and one dot
    # instead of one for every time somebody saved the same tags.
    names = {*change.tag, *change.untag}
    return {name: tuple(sorted(seen.tags[name])) for name in names if name in seen.tags}
