"""Whether the store is what its log says it is.

The log is the truth, so the deep check folds all of it again, into memory, and compares. It needs
no second store and changes nothing; a problem is a sentence, and an empty list is the good news.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from aimem_node.store.projection import LINK, link_of, memory_of, names_of
from aimem_node.store.rows import KeptRecord, LinkRow, MemoryRow, marks_of
from aimem_node.store.view import View, kept_record
from aimem_sync.digest import Digest, bucket_of, record_hash
from aimem_sync.display import Display, display
from aimem_sync.faults import PeerFault
from aimem_sync.log import Head, admit
from aimem_sync.merge import apply
from aimem_sync.op import Dot, Kind, Op, Origin
from aimem_sync.state import RecordState

OPS_PER_PAGE: Final = 500
RECORDS_PER_PAGE: Final = 500
PROBLEMS_MAX: Final = 100
"""More would tell nobody more: the file is damaged."""


@dataclass(slots=True)
class Verified:
    """What a check has found."""

    ops: int = 0
    records: int = 0
    digest: str = ""
    "Root of the digest, in hex: equal on nodes that have seen the same ops."
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    "What could not be checked, and why that is no problem."
    broken: list[Dot] = field(default_factory=list)
    "Ops that are missing or do not match their hashes, PROBLEMS_MAX at most: to be had elsewhere."


def verify(view: View, *, deep: bool) -> Verified:
    """Check pages, chains, records, digest and what is made of them; `deep`: fold the log too."""
    found = Verified()
    problems = _problems(view, found, deep=deep)
    for problem in problems:
        found.problems.append(problem)
        if len(found.problems) == PROBLEMS_MAX:
            found.problems.append("... and more")
            break
    found.digest = view.digest().root().hex()
    return found


def _problems(view: View, found: Verified, *, deep: bool) -> Iterator[str]:
    yield from view.page_problems(PROBLEMS_MAX)
    for origin, have in view.have():
        yield from chain_problems(view, found, origin, have)
    for origin, floor in view.floor():
        found.notes.append(f"the log of {origin} holds no bodies up to {floor}, for their age")
    if withheld := view.withheld_ops():
        found.notes.append(f"{withheld} ops came without their bodies; they may still come")
    yield from _records(view, found)
    if deep:
        yield from _folded(view, found)
        yield from view.vector_problems()
        if view.spaces() and (due := view.vector_backlog()):
            found.notes.append(f"{due} memories have no vector yet")


def chain_problems(view: View, found: Verified, origin: Origin, have: int) -> Iterator[str]:
    """One log, op by op. Behind a broken op it goes on with what the next one says of the past."""
    head, last_is_broken = Head(), False
    while head.seq < have:
        page = view.ops_of_origin(origin, head.seq, OPS_PER_PAGE)
        if not page:
            yield f"the log of {origin} ends at {head.seq} and should reach {have}"
            _note_broken(found, origin, head.seq + 1, have)
            return
        for placed in page:
            op = placed.op
            if op.seq > head.seq + 1:
                yield f"the log of {origin} lacks {head.seq + 1} to {op.seq - 1}"
                _note_broken(found, origin, head.seq + 1, op.seq - 1)
                last_is_broken = True
            if last_is_broken:
                head = Head(op.seq - 1, op.prev_chain)
            try:
                head = admit(head, op)
                last_is_broken = False
            except PeerFault as fault:
                yield f"the log of {origin} is broken at {op.seq}: {fault}"
                _note_broken(found, origin, op.seq, op.seq)
                head, last_is_broken = Head(op.seq, op.chain), True
        found.ops += len(page)
    if head != view.head(origin):
        yield f"the log of {origin} ends in another op than the one noted"


def _note_broken(found: Verified, origin: Origin, first: int, last: int) -> None:
    room = PROBLEMS_MAX - len(found.broken)
    found.broken += [Dot(origin, seq) for seq in range(first, min(last + 1, first + room))]


def _records(view: View, found: Verified) -> Iterator[str]:
    """The records against their hashes, the digest and the rows made from them."""
    digest = Digest()
    after = ""
    while page := readable(view, after, RECORDS_PER_PAGE):
        after = page[-1][0]
        found.records += len(page)
        for name, kept in page:
            if kept is None:
                yield f"record {name} cannot be read"
                continue
            state = kept.state
            if record_hash(state) != kept.hash:
                yield f"record {name} does not match its hash"
            digest = digest.add(bucket_of(name), kept.hash)
            shown = display(state)
            row = memory_of(shown, kept.rid, kept.born_lamport, kept.born_id)
            if row != shown_row(view, name):
                yield f"the row of memory {name} is not what its record says"
            elif not has_its_marks(view, row):
                yield f"memory {name} is not looked up by what its record says"
            elif not found.broken and not has_its_past(view, row):
                yield f"memory {name} was not told of when its row says"
            if view.tag_rows(kept.rid) != (() if row is None else row.tags):
                yield f"the tags of memory {name} are not what its record says"
            if shown_link(view, shown, kept.born_lamport) != view.link(name):
                yield f"the row of link {name} is not what its record says"
            if names_of(shown) != view.name_rows(name):
                yield f"the names in {name} are not what its record says"
    for name in view.links_without_record(PROBLEMS_MAX):
        yield f"the row of link {name} stands for no record"
    for name in view.names_without_record(PROBLEMS_MAX):
        yield f"the names of {name} stand for no record"
    for bucket in digest.differing(view.digest()):
        yield f"bucket {bucket} of the digest is not the sum of its records"
    if not view.population_is_right():
        yield "the counts of live memories by namespace and agent are not what there is"


def _folded(view: View, found: Verified) -> Iterator[str]:
    """The whole log, folded from nothing, against the records."""
    states: dict[str, RecordState] = {}
    floor = view.floor()
    bare: dict[str, Op] = {}
    gone: set[str] = set()
    pos = 0
    while page := view.ops_after(pos, OPS_PER_PAGE):
        pos = page[-1].pos
        for placed in page:
            op = placed.op
            states[op.record_id] = apply(states.get(op.record_id), op)
            if op.body is None and op.kind != Kind.PURGE:
                if floor.covers(op.dot):
                    gone.add(op.record_id)
                else:
                    bare.setdefault(op.record_id, op)
    # A purge is in the log itself, so whether a record is banned is known without any body.
    bare = {record_id: op for record_id, op in bare.items() if not states[record_id].purged}
    gone = {record_id for record_id in gone if not states[record_id].purged}
    gone |= bare.keys() & view.withheld_from(list(bare))
    if gone:
        found.notes.append(f"{len(gone)} records were not compared: bodies of their ops are gone")
    for record_id, state in states.items():
        if record_id in gone:
            continue
        if record_id in bare:
            yield f"the body of {bare[record_id].dot} is missing, and nobody has erased it"
        elif _hash_of(view, record_id) != record_hash(state):
            yield f"record {record_id} is not what the log folds to"
    after = ""
    while rows := view.record_rows(after, RECORDS_PER_PAGE):
        after = rows[-1][0]
        for name, *_ in rows:
            if name not in states:
                yield f"record {name} is in no op of the log"


def readable(view: View, after: str, limit: int) -> list[tuple[str, KeptRecord | None]]:
    """The next records by name; None stands for a row that cannot be read."""
    return [(row[0], _read(row)) for row in view.record_rows(after, limit)]


def _read(row: tuple[Any, ...]) -> KeptRecord | None:
    try:
        return kept_record(row)
    except (ValueError, LookupError, TypeError, PeerFault):
        return None


def _hash_of(view: View, record_id: str) -> bytes | None:
    try:
        return record_hash(view.state(record_id))
    except (ValueError, LookupError, TypeError, PeerFault):
        return None


def shown_link(view: View, shown: Display, born_lamport: int) -> LinkRow | None:
    """The row that a record and its ops make of a link."""
    if shown.type != LINK:
        return None
    return link_of(shown, born_lamport, view.told_between(shown.record_id))


def has_its_marks(view: View, row: MemoryRow | None) -> bool:
    """Whether a memory is looked up by what it says."""
    return row is None or view.marks(row.rid) == marks_of(row)


def has_its_past(view: View, row: MemoryRow | None) -> bool:
    """Whether a memory was told of, and changed, when its row says."""
    return row is None or view.is_told_rightly(row.rid, row.record_id)


def shown_row(view: View, record_id: str) -> MemoryRow | str | None:
    """The row of a memory, or why it cannot be read."""
    try:
        return view.memory(record_id)
    except ValueError as cause:  # its tags or its metadata are no JSON any more
        return str(cause)
