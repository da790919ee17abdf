"""What a session has seen, carried by the client from node to node.

A token turns "I have just written it, where is it?" into a short wait or an honest refusal. It is
a plain cursor: whoever has taken in those prefixes cannot answer with less than the session saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum

from aimem_sync.cursor import Cursor, Range
from aimem_sync.faults import OpFault
from aimem_sync.limits import NUMBER_MAX

TOKEN_CHARS_MAX = 64 * 1024
"""A thousand origins: more than any team has restored nodes."""


@dataclass(frozen=True, slots=True)
class Token:
    """What a session has seen of one cluster."""

    cluster_id: str
    epoch: int = 0
    seen: Cursor = field(default_factory=Cursor)

    def merge(self, other: Token) -> Token:
        """What the session has seen once it has seen both. Raises OpFault across clusters."""
        if other.cluster_id != self.cluster_id:
            raise OpFault("the tokens are of two clusters")
        return Token(self.cluster_id, max(self.epoch, other.epoch), self.seen.merge(other.seen))

    def encode(self) -> str:
        """Text without spaces."""
        return f"{self.cluster_id}/{self.epoch}/{self.seen.encode()}"

    @staticmethod
    def decode(text: str) -> Token:
        """Read what `encode` wrote. Raises OpFault."""
        if len(text) > TOKEN_CHARS_MAX:
            raise OpFault("the token is too long")
        cluster_id, _, rest = text.partition("/")
        epoch, slash, seen = rest.partition("/")
        plain = epoch.isascii() and epoch.isdecimal() and str(int(epoch)) == epoch
        if not cluster_id or not slash or not plain or int(epoch) > NUMBER_MAX:
            raise OpFault("not a token")
        return Token(cluster_id, int(epoch), Cursor.decode(seen))


class Verdict(Enum):
    """What to do with a read that carries a token."""

    SERVE = "serve"
    WAIT = "wait"
    "Ask for what is missing, and wait."
    LOST = "lost"
    "It will never come: its origin died before it had spread."


def judge(
    after: Cursor, have: Cursor, live: Mapping[str, str], others: Iterable[Cursor | None]
) -> tuple[Verdict, tuple[Range, ...]]:
    """Whether a read may be served, and what is missing or lost.

    `live` maps node ids to their present incarnations, as far as known; `others` is what each
    other member has, None for one not heard of. Only when all have spoken can anything be called
    lost.
    """
    missing = after.missing_from(have)
    if not missing:
        return Verdict.SERVE, ()
    known = list(others)
    if all(cursor is not None for cursor in known):
        lost = tuple(
            gap
            for gap in missing
            if live.get(gap.origin.node_id, gap.origin.incarnation) != gap.origin.incarnation
            and not any(cursor.get(gap.origin) >= gap.last for cursor in known if cursor)
        )
        if lost:
            return Verdict.LOST, lost
    return Verdict.WAIT, missing
