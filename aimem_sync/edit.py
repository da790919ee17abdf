"""What an edit op says about one record.

An edit names what its writer *saw*: which versions it overwrites, which add-dots of a tag it
takes away. That is why edits may arrive in any order, and why two writers who did not see each
other both keep their words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from aimem_sync.canon import Json, canonical_json, check_json, read_json
from aimem_sync.dot import Dot
from aimem_sync.faults import OpFault
from aimem_sync.limits import BODY_BYTES_MAX, NUMBER_MAX


@dataclass(frozen=True, slots=True)
class Edit:
    """The body of an op of kind EDIT. Dots are sorted and tags unique once encoded."""

    type: str
    "The record's type, a word: memory, link, ..."
    set: Mapping[str, Json] = field(default_factory=dict)
    "Registers written, with their new values."
    over: Mapping[str, tuple[Dot, ...]] = field(default_factory=dict)
    "Per register: the versions its writer saw, which this edit overwrites."
    tag: tuple[str, ...] = ()
    "Tags added; the op's own dot is their add-dot."
    untag: Mapping[str, tuple[Dot, ...]] = field(default_factory=dict)
    "Per tag: the add-dots its writer saw, which this edit takes away."
    count: Mapping[str, int] = field(default_factory=dict)
    "Per counter: the total so far of this op's origin for this record, not an increment."

    def encode(self) -> bytes:
        """Canonical JSON; parts that say nothing are left out. Raises OpFault past a bound."""
        parts: dict[str, Json] = {"type": self.type}
        if self.set:
            parts["set"] = self.set
        if self.over:
            parts["over"] = _dots_text(self.over)
        if self.tag:
            parts["tag"] = sorted(frozenset(self.tag))
        if self.untag:
            parts["untag"] = _dots_text(self.untag)
        if self.count:
            parts["count"] = self.count
        check_json(parts)
        body = canonical_json(parts)
        if len(body) > BODY_BYTES_MAX:
            raise OpFault(f"an edit of {len(body)} bytes; at most {BODY_BYTES_MAX} fit one op")
        return body

    @staticmethod
    def decode(body: bytes) -> Edit:
        """Read a body. Keys this version does not know are passed over. Raises OpFault."""
        parts = read_json(body)
        if not isinstance(parts, dict):
            raise OpFault("an edit must be a JSON object")
        return Edit(
            type=_text(parts.get("type"), "$.type"),
            set=_members(parts, "set"),
            over=_dots(_members(parts, "over"), "$.over"),
            tag=_tags(parts.get("tag", ())),
            untag=_dots(_members(parts, "untag"), "$.untag"),
            count=_counts(_members(parts, "count")),
        )


def _dots_text(dots: Mapping[str, Iterable[Dot]]) -> dict[str, Json]:
    return {name: sorted(map(str, seen)) for name, seen in dots.items()}


def _text(value: Json, path: str) -> str:
    if not isinstance(value, str):
        raise OpFault(f"{path} must be text")
    return value


def _members(parts: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    members = parts.get(name)
    if members is None:
        return {}
    if not isinstance(members, dict):
        raise OpFault(f"$.{name} must be an object")
    return members


def _dots(members: Mapping[str, Json], path: str) -> dict[str, tuple[Dot, ...]]:
    dots: dict[str, tuple[Dot, ...]] = {}
    for name, seen in members.items():
        if not isinstance(seen, list):
            raise OpFault(f"{path}.{name} must be a list of dots")
        dots[name] = tuple(Dot.parse(_text(dot, f"{path}.{name}")) for dot in seen)
    return dots


def _tags(value: Json) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)):
        raise OpFault("$.tag must be a list of text")
    return tuple(_text(tag, "$.tag") for tag in value)


def _counts(members: Mapping[str, Json]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name, total in members.items():
        if not isinstance(total, int) or isinstance(total, bool) or not 0 <= total <= NUMBER_MAX:
            raise OpFault(f"$.count.{name} must be a whole number from 0 to {NUMBER_MAX}")
        counts[name] = total
    return counts
