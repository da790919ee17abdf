"""Find the operation that an HTTP method and path name.

The table is made from the `google.api.http` annotations and nothing else. A path is matched
segment by segment before it is unquoted, so a value may hold an escaped slash; a literal
segment wins over a value, which is what lets /memories/bulk stand beside /memories/{id}.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote

from aimem_node.contract.operations import HttpRule, Operation

NEAREST_SHOWN = 3
"""Enough to see a slip of the pen without printing the whole table."""


@dataclass(frozen=True, slots=True)
class Found:
    """The operation, and the values its path gave for fields of the request."""

    operation: Operation
    rule: HttpRule
    values: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class NoSuchPath:
    """No operation has this path."""

    nearest: tuple[str, ...]
    """`METHOD /path` of the operations that look most like what was asked for."""


@dataclass(frozen=True, slots=True)
class NoSuchMethod:
    """The path exists, but not with this method."""

    allowed: tuple[str, ...]


@dataclass(slots=True)
class _Place:
    """One position in the tree of path segments."""

    literals: dict[str, "_Place"] = field(default_factory=dict)
    value: "_Place | None" = None
    ends: dict[str, tuple[Operation, HttpRule, tuple[str, ...]]] = field(default_factory=dict)
    """By method: the operation, its rule, and the names of the values along the way."""


class Paths:
    """Every path of the HTTP surface."""

    def __init__(self, operations: Iterable[Operation]) -> None:
        self._root = _Place()
        self._shown: list[str] = []
        for operation in operations:
            for rule in operation.http:
                self._add(operation, rule)

    def _add(self, operation: Operation, rule: HttpRule) -> None:
        place, names = self._root, []
        for segment in _segments(rule.path):
            if segment.startswith("{"):
                names.append(segment.strip("{}"))
                place.value = place.value or _Place()
                place = place.value
            else:
                place = place.literals.setdefault(segment, _Place())
        method = rule.method.upper()
        assert method not in place.ends, f"{method} {rule.path} is declared twice"
        place.ends[method] = (operation, rule, tuple(names))
        self._shown.append(f"{method} {rule.path}")

    def find(self, method: str, raw_path: str) -> Found | NoSuchPath | NoSuchMethod:
        """What a method and a still quoted path name. HEAD is answered as GET."""
        asked = "GET" if method == "HEAD" else method
        allowed: dict[str, None] = {}
        for place, values in _walk(self._root, _segments(raw_path), ()):
            end = place.ends.get(asked)
            if end is not None:
                operation, rule, names = end
                return Found(operation, rule, dict(zip(names, values, strict=True)))
            allowed.update(dict.fromkeys(place.ends))
        if allowed:
            return NoSuchMethod(tuple(sorted(allowed)))
        return NoSuchPath(self._nearest(method, raw_path))

    def _nearest(self, method: str, raw_path: str) -> tuple[str, ...]:
        import difflib  # only where somebody mistyped

        asked = f"{method} {raw_path[:200]}"
        ranked = difflib.get_close_matches(asked, self._shown, n=NEAREST_SHOWN, cutoff=0.5)
        return tuple(ranked)


def _segments(path: str) -> tuple[str, ...]:
    return tuple(path.removesuffix("/").split("/"))


def _walk(
    place: _Place, segments: tuple[str, ...], values: tuple[str, ...]
) -> Iterable[tuple[_Place, tuple[str, ...]]]:
    """Every place that the segments lead to, the most literal first."""
    if not segments:
        if place.ends:
            yield place, values
        return
    here, rest = segments[0], segments[1:]
    literal = place.literals.get(unquote(here))
    if literal is not None:
        yield from _walk(literal, rest, values)
    if place.value is not None and here:
        yield from _walk(place.value, rest, (*values, unquote(here)))
