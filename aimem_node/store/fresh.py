"""What one edit makes of a record that nobody has heard of: the shortest way to the same rows.

Nearly every op that a node takes in begins a memory. Then there is nothing to join and nothing to
rank, and what is hashed, kept and shown holds the same values three times over; here each value
is spelled once. The long way round (merge, digest, state, display) is the definition, and a test
compares the two.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from json.encoder import encode_basestring  # C if there is C
from typing import Any, Final

from aimem_sync.change import LIFE
from aimem_sync.deeds import plain
from aimem_sync.display import Display, Life
from aimem_sync.edit import Edit
from aimem_sync.faults import OpFault
from aimem_sync.op import Kind, Op
from aimem_sync.state import Version

_spell_any = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
).encode
_text: Final = encode_basestring


@dataclass(frozen=True, slots=True)
class Fresh:
    """A record after its first op."""

    type: str
    hash: bytes
    "As digest.record_hash makes it."
    encoded: bytes
    "As state.encode_state makes it."
    shown: Display


def fresh(op: Op) -> Fresh | None:
    """The record that this op alone makes; None if it says anything out of the ordinary."""
    if op.kind != Kind.EDIT or op.body is None:
        return None
    try:
        edit = Edit.decode(op.body)
    except OpFault:
        return None
    said = edit.set
    if not said or edit.over or edit.untag or edit.count:
        return None
    life = said.get(LIFE)
    if isinstance(life, dict) and "reason" in life:
        return None  # an archive may be void: display knows the rule
    names = sorted(said)
    dot, origin = op.dot, str(op.origin)
    name = _text(f"{origin}:{op.seq}")
    values = [(_text(register), _spell(said[register])) for register in names]
    tags = sorted({*edit.tag})
    spelled_tags = [_text(tag) for tag in tags]
    spelled_type = _text(edit.type)
    visible = (
        f"[{_text(op.record_id)},{spelled_type},false,"
        f"{{{','.join([f'{r}:[[{name},{v}]]' for r, v in values])}}},"
        f"{{{','.join([f'{tag}:[{name}]' for tag in spelled_tags])}}},{{}}]"
    )
    kept_tags = f'"t":{{{",".join([f"{tag}:[0]" for tag in spelled_tags])}}},' if tags else ""
    kept = (
        f'{{"d":[[0,{op.seq},{op.lamport},{op.wall_us},{_text(op.author)}]],'
        f'"h":{{{",".join([f"{r}:[[0,{v}]]" for r, v in values])}}},'
        f'"o":["{origin}"],{kept_tags}"type":{spelled_type}}}'
    )
    first = names[0] if names[0] != LIFE or len(names) == 1 else names[1]
    version = Version(dot, op.lamport, op.wall_us, op.author, said[first])
    shown = Display(
        record_id=op.record_id,
        type=edit.type,
        values={**said, LIFE: plain(life)} if isinstance(life, dict) else said,
        tags=tuple(tags),
        life=_word(life) if LIFE in said else Life.UNBORN,
        first=version,
        last=version,
    )
    return Fresh(edit.type, sha256(visible.encode()).digest(), kept.encode(), shown)


def _spell(value: Any) -> str:
    """Canonical JSON of a value that was read from JSON."""
    kind = type(value)
    if kind is str:
        return str(_text(value))
    if value is None:
        return "null"
    if kind is int or kind is float:
        return repr(value)
    return _spell_any(value)


def _word(life: Any) -> str:
    word = life.get("is") if isinstance(life, dict) else None
    return word if isinstance(word, str) else Life.LIVE
