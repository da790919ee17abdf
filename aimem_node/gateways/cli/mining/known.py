"""What a namespace holds of earlier minings, asked of the node once and before anything is sent.

The node's own word is the only one that counts: a list kept here would still call a memory known
after the node was restored from last week's backup. So mining again sends only what is new, goes
on where it was interrupted, and leaves alone what people have changed, moved or archived.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from aimem_node.gateways.cli.call import Caller
from aimem_node.gateways.cli.failures import CallFailure
from aimem_node.gateways.cli.mining.composing import HASH, ID_PREFIX, Draft


class Fate(Enum):
    """What is to become of a draft."""

    NEW = "new"
    "It is not there."
    CHANGED = "changed"
    "It is there, and the source says something else by now."
    UNCHANGED = "unchanged"
    "It is there as the source has it."
    ARCHIVED = "archived"
    "It is there, in the archive: somebody or time has put it there, and it stays."
    TWIN = "twin"
    "Another memory of this or an earlier mining says the same."
    AGAIN = "again"
    "This run has met it before, saying something else."


@dataclass(slots=True)
class _Place:
    """One namespace."""

    memories: dict[str, tuple[str, bool]] = field(default_factory=dict)
    "Hash of what was mined and whether it is archived, by id."
    hashes: dict[str, str] = field(default_factory=dict)
    "Ids by hash."
    met: set[str] = field(default_factory=set)
    "Ids that this run has decided on."


class Known:
    """What is there, by namespace; each is asked for when its first draft comes."""

    def __init__(self, caller: Caller, export: dict[str, Any]) -> None:
        self._caller = caller
        self._export = export
        self._places: dict[str, _Place] = {}

    def fate(self, draft: Draft) -> Fate:
        """Decide on a draft, and count it as met. Raises CallFailure."""
        place = self._place(draft.memory["namespace"])
        record_id, said = draft.memory["id"], draft.content_hash
        there = place.memories.get(record_id)
        is_met = record_id in place.met
        place.met.add(record_id)
        if there is None:
            twin = place.hashes.get(said)
            if twin is not None:
                return Fate.TWIN
            place.memories[record_id] = (said, False)
            place.hashes[said] = record_id
            return Fate.NEW
        if there[0] == said:
            if is_met:
                return Fate.TWIN
            return Fate.ARCHIVED if there[1] else Fate.UNCHANGED
        if is_met:
            return Fate.AGAIN
        if there[1]:
            return Fate.ARCHIVED
        place.memories[record_id] = (said, False)
        place.hashes[said] = record_id
        return Fate.CHANGED

    def _place(self, namespace: str) -> _Place:
        place = self._places.get(namespace)
        if place is None:
            place = self._places[namespace] = self._read(namespace)
        return place

    def _read(self, namespace: str) -> _Place:
        place = _Place()
        counted, trailer = 0, None
        values = {"namespace": namespace, "include_archived": True}
        for line in self._caller.lines(self._export, values):
            record = json.loads(line)
            trailer = record.get("trailer") or trailer
            memory = record.get("memory")
            if not memory:
                continue
            counted += 1
            metadata = memory.get("metadata")
            said = metadata.get(HASH) if isinstance(metadata, dict) else None
            if not isinstance(said, str):
                continue
            # A memory that was moved here or copied up is no part of what is mined into here.
            if str(memory["id"]).startswith(ID_PREFIX):
                place.memories[memory["id"]] = (said, memory.get("life") == "archived")
            place.hashes[said] = memory["id"]
        if trailer is None or int(trailer.get("memories", -1)) != counted:
            raise CallFailure(
                "CORRUPT", f"the node did not tell all that {namespace!r} holds",
                next_step="Mine again. If it stays so: aimem-node verify --deep",
            )  # fmt: skip
        return place
