"""Undo one step of curation: wholly, or not at all.

Only what still stands as the step left it is changed back. A memory that somebody has deleted or
archived again since, or whose title another one has taken, is in the way: then nothing is done and
the answer names each of them. What is live again already needs nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import RollbackRequest, RollbackResponse
from aimem_node.operations.call import WriteCall
from aimem_node.operations.curation_log import Step, found_step, mark_reversed
from aimem_node.operations.links import end_link
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import (
    LINK,
    LIVE,
    MEMORY,
    archived,
    edit,
    has_ended,
    taken_title,
)  # fmt: skip
from aimem_node.operations.sight_of import sees
from aimem_node.store.rows import MemoryRow
from aimem_sync.change import LIFE, Change
from aimem_sync.display import display
from aimem_sync.state import RecordState

ROLLED_BACK: Final = "rolled back"
"""Why a memory is in the archive that an undone step had made."""
PROBLEMS_TOLD_MAX: Final = 5
_RESTORED: Final = frozenset({"priority", "confidence"})
"""Registers whose former values a step may keep."""


@operation
def rollback(call: WriteCall, request: RollbackRequest) -> RollbackResponse:
    """Undo a step. One that is undone already stays so."""
    speaker = call.speaker(request.agent_id)
    step = found_step(call, request.id)
    if step.reversed_us is not None:
        return RollbackResponse(reversed=True, id=step.id)
    rolled = _Rolled(call, step)
    rolled.refuse_what_changed()
    restored, gone = rolled.restored, rolled.made
    rolled.do()
    mark_reversed(call, step, speaker)
    return RollbackResponse(
        reversed=True,
        id=step.id,
        restored=tuple(row.record_id for row in restored),
        archived=tuple(row.record_id for row in gone),
    )


class _Rolled:
    """One step on its way back."""

    def __init__(self, call: WriteCall, step: Step) -> None:
        self._call = call
        self._step = step
        self._archived = _ids(step.undo.get("archived"))
        rows = {row.record_id: row for row in call.view.memories(self._archived)}
        self._rows: Mapping[str, MemoryRow] = rows
        self.restored = [row for row in rows.values() if row.life == "archived"]
        "In the order in which they went."
        made = call.view.memories(_ids(step.undo.get("made")))
        self.made = [row for row in made if row.life == "live"]

    def refuse_what_changed(self) -> None:
        """Raise CONFLICT if anything stands in the way, and say what and why."""
        problems = [{"id": record_id, "why": why} for record_id, why in self._problems()]
        if not problems:
            return
        told = "; ".join(f"{one['id']}: {one['why']}" for one in problems[:PROBLEMS_TOLD_MAX])
        more = len(problems) - PROBLEMS_TOLD_MAX
        raise Failure(
            Code.CONFLICT,
            f"step {self._step.id} cannot be undone as a whole, so nothing was: {told}"
            + (f"; and {more} more" if more > 0 else ""),
            path="$.id",
            next="Bring back what you need by itself: aimem archive-restore.",
            details={"problems": problems},
        )

    def _problems(self) -> Iterator[tuple[str, str]]:
        hidden = [row for row in (*self._rows.values(), *self.made) if not sees(self._call, row)]
        if hidden:  # of which the caller is told no more than that the step is not all theirs
            yield self._step.id, "some of its memories are out of your sight"
            return
        own = {row.record_id for row in (*self.restored, *self.made)}
        for record_id in self._archived:
            row = self._rows.get(record_id)
            why = _gone(row) or (self._changed(row) if row is not None else "")
            if why:
                yield record_id, why
            elif row is not None and row.life == "archived":
                other = taken_title(self._call, row.namespace, row.title)
                if other is not None and other.record_id not in own:
                    yield record_id, f"{other.record_id} has its title now"

    def _changed(self, row: MemoryRow) -> str:
        """Why an archived memory is not in the archive by this step alone; empty if it is."""
        if row.life != "archived":
            return ""
        state = self._call.view.state(row.record_id)
        heads = () if state is None else state.heads.get(LIFE, ())
        by_others = [head for head in heads if not self._step.has_written(head)]
        if not by_others:
            return ""
        together = " at the same time" if len(by_others) < len(heads) else " since"
        return f"{by_others[0].author} has archived it{together} ({row.archive_reason})"

    def do(self) -> None:
        """Change everything back."""
        for row in self.made:
            life = archived(ROLLED_BACK, self._call.now_us, None)
            self._call.tx.change(Change(row.record_id, MEMORY, set={LIFE: life}))
        for row in self.restored:
            end: dict[str, Any] = {"expires_at": None} if has_ended(self._call, row) else {}
            self._call.tx.change(edit(row.record_id, self._call.now_us, life=LIVE, **end))
        for link_id in _ids(self._step.undo.get("links")):
            self._end(link_id)
        for link_id, until_us in _pairs(self._step.undo.get("ended")):
            self._state_again(link_id, until_us)
        for record_id, registers in _pairs(self._step.undo.get("was")):
            self._give_back(record_id, registers)
        for record_id, dot in _pairs(self._step.undo.get("tagged")):
            self._untag(record_id, str(dot))

    def _end(self, link_id: str) -> None:
        link, now_us = self._call.view.link(link_id), self._call.now_us
        if link is None or link.life != "live":
            return
        if link.valid_until_us is None or link.valid_until_us > now_us:
            end_link(self._call, link, max(now_us, link.valid_from_us))

    def _state_again(self, link_id: str, until_us: Any) -> None:
        state = self._standing(link_id)
        if state is not None and self._is_as_left(state, "valid_until"):
            self._call.tx.change(Change(link_id, LINK, set={"valid_until": until_us}))

    def _give_back(self, record_id: str, registers: Any) -> None:
        state = self._standing(record_id)
        if state is None or not isinstance(registers, dict):
            return
        told = {
            name: value
            for name, value in registers.items()
            if name in _RESTORED and self._is_as_left(state, name)
        }
        if told:
            self._call.tx.change(edit(record_id, self._call.now_us, **told, **_same_life(state)))

    def _untag(self, record_id: str, dot: str) -> None:
        state = self._standing(record_id)
        if state is None:
            return
        # A tag that somebody has given as well, or again, stays: it is theirs.
        tags = tuple(
            sorted(tag for tag, adds in state.tags.items() if set(map(str, adds)) == {dot})
        )
        if not tags:
            return
        change = Change(record_id, state.type, set=_same_life(state))
        if state.type == MEMORY:
            change = edit(record_id, self._call.now_us, **_same_life(state))
        self._call.tx.change(replace(change, untag=tags))

    def _standing(self, record_id: str) -> RecordState | None:
        state = self._call.view.state(record_id)
        return None if state is None or state.purged else state

    def _is_as_left(self, state: RecordState, register: str) -> bool:
        return all(map(self._step.has_written, state.heads.get(register, ())))


def _same_life(state: RecordState) -> dict[str, Any]:
    """What is said of a record's life so that writing to it brings nothing back."""
    values = display(state).values
    return {LIFE: values[LIFE]} if LIFE in values else {}


def _gone(row: MemoryRow | None) -> str:
    if row is None:
        return "it was erased for good"
    return "it has been deleted since" if row.life == "deleted" else ""


def _ids(value: Any) -> list[str]:
    """Ids in a record; whatever a later version may write there, it is text or passed over."""
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _pairs(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []
