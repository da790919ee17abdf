"""Find where two histories of one log part, in as many questions as the log's length has bits.

A hash of a chain stands for all before it: where two logs have one hash they are equal up to
there. So one answer halves what is in doubt, and no list of hashes need ever travel.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bisection:
    """What is known so far. Ask about `question` until it is None; then `common` is the answer."""

    common: int
    "Both logs are equal up to here: 0, or a floor that both have agreed on."
    differing: int
    "They are known to differ here, or one of them ends before."

    def __post_init__(self) -> None:
        assert 0 <= self.common < self.differing

    @property
    def question(self) -> int | None:
        """The sequence whose hash to ask for next; None once the answer is known."""
        if self.differing - self.common == 1:
            return None
        return (self.common + self.differing) // 2

    def told(self, seq: int, mine: bytes | None, theirs: bytes | None) -> Bisection:
        """What is known with these two hashes; None where a log does not reach so far."""
        assert self.common < seq < self.differing, "an answer to no question"
        if mine is not None and mine == theirs:
            return Bisection(seq, self.differing)
        return Bisection(self.common, seq)


def questions_max(length: int) -> int:
    """How many questions a fork within so many ops can take."""
    return max(0, length - 1).bit_length()
