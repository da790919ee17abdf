"""JSON as text: one way to write it, and a guarded way to read it.

Python's reader takes more than JSON is: NaN, keys given twice (the last wins silently), halves
of surrogate pairs that no UTF-8 can carry on, and nesting until the stack ends. Each would be
a difference between what two surfaces understood, so each is refused here.
"""

import json
import math
from typing import Any, NoReturn

from aimem_node.contract.errors import Code, Failure

TEXT_BYTES_MAX = 4 << 20
"""As large as a gRPC message may be. Gateways may set less."""
TEXT_DEPTH_MAX = 64
"""Of a whole request; the metadata inside it may have OBJECT_DEPTH_MAX."""
OBJECT_DEPTH_MAX = 32
"""Of one value that is free JSON, its own braces counted."""
INT_DIGITS_MAX = 300
"""What aimem_sync takes into an op: more could be read on one machine and not on another."""

_COMPACT = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)
_PRETTY = json.JSONEncoder(indent=2, ensure_ascii=False, allow_nan=False)


def dumps(obj: Any) -> str:
    """Canonical JSON: sorted keys, no spaces. Raises Failure for what JSON cannot say."""
    return _encode(_COMPACT, obj)


def dumps_pretty(obj: Any) -> str:
    """JSON for people, in the order of declaration."""
    return _encode(_PRETTY, obj)


def _encode(encoder: json.JSONEncoder, obj: Any) -> str:
    try:
        return encoder.encode(obj)
    except (TypeError, ValueError, RecursionError) as error:
        raise Failure(Code.INVALID_ARGUMENT, f"not a JSON value: {error}", "$") from error


def loads(text: str | bytes, max_bytes: int = TEXT_BYTES_MAX) -> Any:
    """The value that JSON text holds.

    Raises Failure: TOO_LARGE beyond max_bytes, else INVALID_ARGUMENT with the path "$".
    """
    if len(text) > max_bytes:
        raise Failure(Code.TOO_LARGE, f"the JSON text is larger than {max_bytes} bytes", "$")
    try:
        shown = text if isinstance(text, str) else text.decode()
        value = _DECODER.decode(shown)
    except UnicodeDecodeError as error:
        raise _bad(f"it is not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        raise _bad(f"{error.msg} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise _bad("it is nested too deeply") from None
    # Depth cannot exceed the number of openings, and only an escape can bring in half a
    # surrogate pair: most text is cleared without a walk.
    openings = shown.count("{") + shown.count("[")
    if openings > TEXT_DEPTH_MAX or "\\u" in shown:
        check_json(value, TEXT_DEPTH_MAX)
    return value


def check_json(value: Any, depth_max: int = OBJECT_DEPTH_MAX) -> None:
    """Raise Failure, with the path, if value is not JSON that every node reads alike."""
    _check(value, depth_max, depth_max)


def _check(value: Any, left: int, depth_max: int) -> None:
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        check_unicode(value)
    elif isinstance(value, int):
        if not -_INT_MAX < value < _INT_MAX:
            raise _bad(f"a number has more than {INT_DIGITS_MAX} digits")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise _bad("NaN and infinities are no JSON")
    elif not isinstance(value, (dict, list, tuple)):
        raise _bad(f"{type(value).__name__} is no JSON value")
    elif left == 0:
        raise _bad(f"it is nested deeper than {depth_max} levels")
    elif isinstance(value, dict):
        for key, member in value.items():
            if not isinstance(key, str):
                raise _bad("a key is not text")
            check_unicode(key)
            _check(member, left - 1, depth_max)
    else:
        for member in value:
            _check(member, left - 1, depth_max)


def check_unicode(text: str) -> str:
    """The same text. Raises Failure when it holds half of a surrogate pair."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            message = "the text is not valid Unicode: it holds half of a surrogate pair"
            raise Failure(Code.INVALID_ARGUMENT, message, "$") from None
    return text


_INT_MAX = 10**INT_DIGITS_MAX


def _bad(why: str) -> Failure:
    return Failure(Code.INVALID_ARGUMENT, f"not valid JSON: {why}", "$")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _bad(f"the key {twice[:60]!a} is given twice")
    return made


def _read_int(text: str) -> int:
    if len(text) > INT_DIGITS_MAX:
        raise _bad(f"a number has more than {INT_DIGITS_MAX} digits")
    return int(text)


def _read_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _bad(f"the number {text[:40]} is too large")
    return value


def _no_constant(name: str) -> NoReturn:
    raise _bad(f"{name} is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_read_int,
    parse_float=_read_float,
    parse_constant=_no_constant,
)
