"""Put together what one session has seen, as the texts that clients carry.

Clients need no more of a token than this. An answer's token holds all of the one that was sent, so
even this is only needed where several calls of a session run at once, or on several nodes.
"""

from collections.abc import Iterable

from aimem_sync.cursor import Cursor
from aimem_sync.dot import Dot
from aimem_sync.faults import OpFault
from aimem_sync.tokens import Token


def merged(older: str, newer: str) -> str:
    """All that either token has seen; `newer` alone when they speak of different clusters.

    Either may be empty. A token that cannot be read counts as empty: what is sent to a node has to
    be readable, or everything would be refused.
    """
    one, other = _read(older), _read(newer)
    if one is None or other is None or one.cluster_id != other.cluster_id:
        found = other or one
    else:
        found = one.merge(other)
    return "" if found is None else found.encode()


def without(token: str, lost: Iterable[str]) -> str:
    """The token without the logs that these writes (origin:sequence) were in. Empty if unreadable.

    For a session that was told DATA_LOST: it has been said once, and the session can go on.
    """
    found = _read(token)
    if found is None:
        return ""
    try:
        gone = {Dot.parse(text).origin for text in lost}
    except OpFault:
        return ""
    seen = Cursor({log: seq for log, seq in found.seen.seqs.items() if log not in gone})
    return Token(found.cluster_id, found.epoch, seen).encode()


def _read(text: str) -> Token | None:
    try:
        return Token.decode(text)
    except OpFault:
        return None
