"""Ops to state, in any order, any number of times.

A record's heads are the versions of all ops seen, less those that any op seen overwrote. Both
sides of that only grow, so the order of arrival cannot matter, and there is no moment at which a
conflict is "resolved": concurrent versions simply both stay, and display picks one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot, Origin
from aimem_sync.edit import Edit
from aimem_sync.faults import OpFault
from aimem_sync.op import Kind, Op
from aimem_sync.state import RecordState, Version, decode_state, encode_state

__all__ = [
    "RecordState",
    "Version",
    "apply",
    "collect",
    "decode_state",
    "encode_state",
    "join",
    "state_of",
]


def apply(state: RecordState | None, op: Op) -> RecordState:
    """The state once `op`, of the same record, is seen; `None` is a record never heard of.

    Never raises for what the op says. An op of unknown kind, one whose body is withheld and one
    whose body cannot be read add nothing; the first two become readable later (an upgrade, a
    wider grant), and the caller then applies them as if they had just come.
    """
    said = state_of(op)
    return said if state is None else join(state, said)


def state_of(op: Op) -> RecordState:
    """What one op alone says of its record."""
    if op.kind == Kind.PURGE:  # needs no body: the op itself is the word
        return RecordState(op.record_id, purged=True)
    if op.kind != Kind.EDIT or op.body is None:
        return RecordState(op.record_id)
    try:
        edit = Edit.decode(op.body)
    except OpFault:
        # Every replica fails to read it alike (see canon), so passing it over keeps them equal;
        # refusing the op would stop its origin's log for good.
        return RecordState(op.record_id)
    dot = op.dot
    return RecordState(
        record_id=op.record_id,
        type=edit.type,
        heads={
            register: (Version(dot, op.lamport, op.wall_us, op.author, value),)
            for register, value in edit.set.items()
            if dot not in edit.over.get(register, ())
        },
        overwritten=frozenset([(name, seen) for name, dots in edit.over.items() for seen in dots]),
        tags={tag: frozenset((dot,)) for tag in edit.tag if dot not in edit.untag.get(tag, ())},
        untagged=frozenset([(name, seen) for name, dots in edit.untag.items() for seen in dots]),
        counters={name: {op.origin: total} for name, total in edit.count.items()},
    )


def join(a: RecordState, b: RecordState) -> RecordState:
    """What is known once both are known: the least state above both.

    Costs the size of `b`, plus a shallow copy of `a`. Neither may have been collected beyond
    what the other has seen: see `collect`.
    """
    assert a.record_id == b.record_id
    if a.purged or b.purged:
        # The type goes too: were it kept, it would depend on whether an edit came first.
        return RecordState(a.record_id, purged=True)
    overwritten = _union(a.overwritten, b.overwritten)
    untagged = _union(a.untagged, b.untagged)
    return RecordState(
        record_id=a.record_id,
        type=max(a.type, b.type),
        heads=_join_heads(a, b, overwritten),
        overwritten=overwritten,
        tags=_join_tags(a, b, untagged),
        untagged=untagged,
        counters=_join_counters(a.counters, b.counters),
    )


def collect(state: RecordState, stable: Cursor) -> RecordState:
    """Forget the names of overwritten versions and removed add-dots that `stable` covers.

    `stable` must cover only ops that every member has taken in: then none of those dots can
    arrive any more, and neither display nor digest can tell the difference. A collected state is
    still good for any op that is yet to come. It must not be joined with another replica's state,
    nor given ops it has already seen: either may still bring what it has forgotten. For the same
    reason an op whose body is still to come is not covered, whatever `have` says: leave a record
    with withheld bodies uncollected, or fold it anew when they arrive.
    """
    overwritten = _uncovered(state.overwritten, stable)
    untagged = _uncovered(state.untagged, stable)
    if overwritten is state.overwritten and untagged is state.untagged:
        return state
    return RecordState(
        record_id=state.record_id,
        type=state.type,
        heads=state.heads,
        overwritten=overwritten,
        tags=state.tags,
        untagged=untagged,
        counters=state.counters,
        purged=state.purged,
    )


def _join_heads(
    a: RecordState, b: RecordState, overwritten: frozenset[tuple[str, Dot]]
) -> Mapping[str, tuple[Version, ...]]:
    touched = _touched(b.heads, a.heads, b.overwritten)
    if not touched:
        return a.heads
    heads = dict(a.heads)
    for register in touched:
        versions = {
            version.dot: version
            for version in (*a.heads.get(register, ()), *b.heads.get(register, ()))
            if (register, version.dot) not in overwritten
        }
        if len(versions) > 1:
            newest_first = sorted(versions.values(), key=_order_key, reverse=True)
            heads[register] = tuple(newest_first)
        elif versions:
            heads[register] = tuple(versions.values())
        else:
            heads.pop(register, None)
    return heads


def _join_tags(
    a: RecordState, b: RecordState, untagged: frozenset[tuple[str, Dot]]
) -> Mapping[str, frozenset[Dot]]:
    touched = _touched(b.tags, a.tags, b.untagged)
    if not touched:
        return a.tags
    tags = dict(a.tags)
    for tag in touched:
        adds = a.tags.get(tag, frozenset()) | b.tags.get(tag, frozenset())
        live = frozenset([dot for dot in adds if (tag, dot) not in untagged])
        if live:
            tags[tag] = live
        else:
            tags.pop(tag, None)
    return tags


def _join_counters(
    a: Mapping[str, Mapping[Origin, int]], b: Mapping[str, Mapping[Origin, int]]
) -> Mapping[str, Mapping[Origin, int]]:
    if not b:
        return a
    counters = dict(a)
    for name, totals in b.items():
        merged = dict(a.get(name, {}))
        for origin, total in totals.items():
            # An origin's own total only rises, so of two the higher is the later.
            merged[origin] = max(total, merged.get(origin, 0))
        counters[name] = merged
    return counters


def _touched(
    said: Iterable[str], known: Mapping[str, object], undone: Iterable[tuple[str, Dot]]
) -> set[str]:
    """Names whose entry may differ after the join."""
    touched = set(said)
    touched.update(name for name, _ in undone if name in known)
    return touched


def _union(
    a: frozenset[tuple[str, Dot]], b: frozenset[tuple[str, Dot]]
) -> frozenset[tuple[str, Dot]]:
    return a | b if a and b else a or b


def _uncovered(pairs: frozenset[tuple[str, Dot]], stable: Cursor) -> frozenset[tuple[str, Dot]]:
    kept = [pair for pair in pairs if not stable.covers(pair[1])]
    return pairs if len(kept) == len(pairs) else frozenset(kept)


def _order_key(version: Version) -> tuple[int, str, str, int]:
    return version.order_key
