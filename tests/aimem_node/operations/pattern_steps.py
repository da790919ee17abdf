"""Count the steps that a regular expression takes, by taking them.

Python's own engine does not tell. This walks the parsed pattern as that engine does, one choice
at a time, and counts each; it knows only what our patterns use. Its matches are compared with
those of the engine, so the counts are of the same search.
"""

import re
from collections.abc import Iterator
from re import _constants as sre
from re import _parser as parser
from typing import Any

_CATEGORIES = {
    sre.CATEGORY_SPACE: re.compile(r"\s", re.ASCII),
    sre.CATEGORY_NOT_SPACE: re.compile(r"\S", re.ASCII),
    sre.CATEGORY_DIGIT: re.compile(r"\d", re.ASCII),
    sre.CATEGORY_WORD: re.compile(r"\w", re.ASCII),
}


class Steps:
    """One search through one text."""

    def __init__(self, pattern: re.Pattern[str], text: str) -> None:
        self.count = 0
        self._text = text
        self._ops = list(parser.parse(pattern.pattern, pattern.flags))
        self._folds = bool(pattern.flags & re.IGNORECASE)

    def spans(self) -> list[tuple[int, int]]:
        """Every match, as finditer has them."""
        found, at = [], 0
        while at <= len(self._text):
            end = next(self._run(self._ops, 0, at, self._folds), None)
            if end is None or end == at:
                at += 1
            else:
                found.append((at, end))
                at = end
        return found

    def _run(self, ops: list[Any], index: int, at: int, folds: bool) -> Iterator[int]:
        if index == len(ops):
            yield at
            return
        op, argument = ops[index]
        for after in self._one(op, argument, at, folds):
            yield from self._run(ops, index + 1, after, folds)

    def _one(self, op: Any, argument: Any, at: int, folds: bool) -> Iterator[int]:
        self.count += 1
        if op in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY):
            if at < len(self._text) and self._takes(op, argument, self._text[at], folds):
                yield at + 1
        elif op is sre.SUBPATTERN:
            _, added, _, inner = argument
            yield from self._run(list(inner), 0, at, folds or bool(added & re.IGNORECASE))
        elif op is sre.BRANCH:
            for branch in argument[1]:
                yield from self._run(list(branch), 0, at, folds)
        elif op is sre.POSSESSIVE_REPEAT:
            least, most, inner = argument
            yield from self._all(least, most, list(inner), at, folds)
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT):
            yield from self._some(op, *argument, at, folds)
        elif op in (sre.ASSERT, sre.ASSERT_NOT):
            direction, inner = argument
            start = at if direction > 0 else at - inner.getwidth()[0]
            holds = start >= 0 and next(self._run(list(inner), 0, start, folds), None) is not None
            if holds is (op is sre.ASSERT):
                yield at
        else:
            raise NotImplementedError(op)

    def _all(self, least: int, most: int, inner: list[Any], at: int, folds: bool) -> Iterator[int]:
        taken = 0
        while taken < most:
            after = next(self._run(inner, 0, at, folds), None)
            if after is None or (after == at and taken >= least):
                break
            at, taken = after, taken + 1
        if taken >= least:
            yield at

    def _some(
        self, op: Any, least: int, most: int, inner: Any, at: int, folds: bool
    ) -> Iterator[int]:
        if op is sre.MIN_REPEAT and least == 0:
            yield at
        if most:
            for after in self._run(list(inner), 0, at, folds):
                if after > at or least:
                    yield from self._some(op, max(0, least - 1), most - 1, inner, after, folds)
        if op is sre.MAX_REPEAT and least == 0:
            yield at

    def _takes(self, op: Any, argument: Any, char: str, folds: bool) -> bool:
        if op is sre.ANY:
            return char != "\n"
        if op is sre.LITERAL:
            return chr(argument) == char or (folds and chr(argument).lower() == char.lower())
        if op is sre.NOT_LITERAL:
            return chr(argument) != char
        if folds:
            return any(self._is_in(argument, ord(one)) for one in (char.lower(), char.upper()))
        return self._is_in(argument, ord(char))

    @staticmethod
    def _is_in(items: list[Any], code: int) -> bool:
        negated = bool(items) and items[0][0] is sre.NEGATE
        for kind, value in items[negated:]:
            if (
                (kind is sre.LITERAL and value == code)
                or (kind is sre.RANGE and value[0] <= code <= value[1])
                or (kind is sre.CATEGORY and _CATEGORIES[value].match(chr(code)))
            ):
                return not negated
        return negated
