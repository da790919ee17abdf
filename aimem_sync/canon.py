"""JSON that is the same bytes everywhere.

Hashes and signatures are taken over these bytes, so there must be one way to write a value and
one answer to "can this be read at all?". Python's own reader gives two answers to the second
question: it accepts NaN, infinities and lone surrogates that it will not write back, and how deep
or how long a number may be depends on the process. Here those are refused, by number.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import NoReturn, TypeAlias

from aimem_sync.faults import OpFault
from aimem_sync.limits import JSON_DEPTH_MAX, JSON_INT_DIGITS_MAX

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A JSON value. Lists, tuples and dicts only; never changed once it is part of an op or a state."""

_INT_MAX = 10**JSON_INT_DIGITS_MAX
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical_json(value: Json) -> bytes:
    """The one spelling of `value`: sorted keys, no spaces, UTF-8.

    Raises OpFault for what JSON cannot say (NaN, lone surrogates, other types).
    """
    try:
        return _ENCODER.encode(value).encode()
    except (TypeError, ValueError, RecursionError) as cause:
        raise OpFault(f"not a JSON value: {cause}") from cause


def read_json(text: bytes) -> Json:
    """Read `text`, canonical or not. Whatever this returns, canonical_json can write.

    Raises OpFault for anything that `check_json` would refuse.
    """
    try:
        value: Json = _DECODER.decode(text.decode())
    except (ValueError, RecursionError) as cause:
        raise OpFault(f"not JSON: {cause}") from cause
    # Depth cannot exceed the number of openings, and only an escape can smuggle in a surrogate:
    # so ordinary text is cleared by three searches, without a walk.
    openings = text.count(b"{") + text.count(b"[")
    if openings > JSON_DEPTH_MAX or b"\\ud" in text or b"\\uD" in text:
        check_json(value)
    return value


def check_json(value: Json, depth: int = 0) -> None:
    """Raise OpFault if `value` is not JSON that every replica reads alike."""
    if value is None or isinstance(value, float):  # canonical_json refuses NaN and infinities
        return
    if isinstance(value, str):
        _check_text(value)
    elif isinstance(value, int):
        if not -_INT_MAX < value < _INT_MAX:
            raise OpFault(f"a number has more than {JSON_INT_DIGITS_MAX} digits")
    elif depth == JSON_DEPTH_MAX:
        raise OpFault(f"nested deeper than {JSON_DEPTH_MAX}")
    elif isinstance(value, dict):
        for key, member in value.items():
            _check_text(key)
            check_json(member, depth + 1)
    elif isinstance(value, (list, tuple)):
        for member in value:
            check_json(member, depth + 1)
    else:
        raise OpFault(f"not a JSON value: {type(value).__name__}")


def _check_text(text: str) -> None:
    if not isinstance(text, str):
        raise OpFault(f"a key must be text, not {type(text).__name__}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as cause:
            raise OpFault("text holds half of a surrogate pair") from cause


def _read_int(text: str) -> int:
    if len(text) - text.startswith("-") > JSON_INT_DIGITS_MAX:
        raise ValueError(f"a number has more than {JSON_INT_DIGITS_MAX} digits")
    return int(text)


def _read_float(text: str) -> float:
    number = float(text)
    if number - number != 0:  # an infinity: the text was a number too large for a double
        raise ValueError(f"{text[:40]} is too large")
    return number


def _refuse(text: str) -> NoReturn:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_int=_read_int, parse_float=_read_float, parse_constant=_refuse)
