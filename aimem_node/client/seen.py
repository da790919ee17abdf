"""What one client has seen, so that no later answer shows it less.

A client keeps one of these for as long as it lives. Whoever wants to go on elsewhere takes `token`
along and gives it to the next client, on any node of the cluster.
"""

import threading
from collections.abc import Iterable
from typing import Any

from aimem_node.contract import tokens
from aimem_node.contract.calls import AFTER_KEY, TOKEN_KEY, WAIT_KEY
from aimem_node.contract.errors import Code, Failure


class Seen:
    """A session's token, growing with every answer. Threads may share it."""

    def __init__(self, max_wait_ms: int | None = None) -> None:
        """max_wait_ms: how long a node may wait to have seen as much; None leaves it to the node"""
        self.max_wait_ms = max_wait_ms
        self._token = ""
        self._lock = threading.Lock()

    @property
    def token(self) -> str:
        """All that has been seen. Empty before the first answer."""
        return self._token

    def hear(self, told: str) -> None:
        """Take in the token of an answer, or one that was brought along."""
        with self._lock:
            if told != self._token:
                self._token = tokens.merged(self._token, told)

    def failed(self, failure: Failure) -> None:
        """Draw the consequences of a failed call: what is lost for good is asked for no more."""
        if failure.code is Code.DATA_LOST:
            lost = failure.details.get("lost")
            texts = [str(one) for one in lost] if isinstance(lost, list | tuple) else []
            with self._lock:
                self._token = tokens.without(self._token, texts) if texts else ""

    def headers(self) -> tuple[tuple[str, str], ...]:
        """What goes beside a request, as gRPC metadata or HTTP headers. The key goes in any case:
        it tells the node that this caller keeps tokens."""
        after = ((AFTER_KEY, self._token),)
        if self.max_wait_ms is None:
            return after
        return (*after, (WAIT_KEY, str(self.max_wait_ms)))

    def heard(self, beside: Iterable[tuple[str, Any]] | None) -> None:
        """Take in the token among the metadata of an answer."""
        for key, value in beside or ():
            if key == TOKEN_KEY:
                self.hear(str(value))
