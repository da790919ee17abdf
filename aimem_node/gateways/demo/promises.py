"""What a demonstration promised and did not keep.

A broken promise does not end the story: the reader should see the rest, which often tells why. It
does decide the exit code.
"""

from dataclasses import dataclass, field

BROKEN_MAX = 12
"""Shown. When more is wrong, it is one thing that is wrong."""


@dataclass(slots=True)
class Promises:
    """The list of those that were broken, in words, in order."""

    broken: list[str] = field(default_factory=list)
    more: int = 0
    """Broken ones beyond those that are kept in words."""

    def expect(self, holds: bool, otherwise: str) -> bool:
        """Write down what happened instead when a promise does not hold; whether it does."""
        if holds:
            return True
        if len(self.broken) < BROKEN_MAX:
            self.broken.append(otherwise)
        else:
            self.more += 1
        return False
