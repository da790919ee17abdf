"""What this user has seen from the command line, kept from call to call in one small file.

Whoever stores on one machine and asks another gets a wait or an honest refusal, and no answer from
before. The file lies in the runtime directory, so a session ends when the user's own does. It
must cost next to nothing, and it does, because an answer's token holds the one that was sent:
merging is only needed when two commands ran at once.
"""

from __future__ import annotations

import fcntl
import json
import os

from aimem_node import places

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FILE_BYTES_MAX = 1 << 20
CLUSTERS_MAX = 8
"""Tokens kept, those used last. A person works with one or two clusters."""
TARGETS_MAX = 64


class SeenFile:
    """The tokens of one user, by cluster, and which cluster each target last belonged to."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._path = places.seen_path(dict(env))
        self._known: set[str] = set()

    def after(self, target: str) -> str:
        """What to send to a target: all that was seen of its cluster, "" if nothing was.

        Of a target never asked before nobody knows the cluster: it is sent the token used last,
        and a node of another cluster pays no attention to it.
        """
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return ""
        try:
            tokens, targets = _read(handle)
        finally:
            os.close(handle)
        if target in targets:
            self._known.add(target)
            return tokens.get(targets[target], "")
        return next(reversed(tokens.values()), "")

    def hear(self, target: str, sent: str, told: str) -> None:
        """Take in the token of an answer."""
        if not told or (told == sent and target in self._known):
            return

        def change(tokens: dict[str, str], targets: dict[str, str]) -> None:
            cluster = told.partition("/")[0]
            kept = tokens.pop(cluster, "")
            if kept not in ("", sent, told):
                # Another command was answered meanwhile, or ours was sent none of what there is.
                from aimem_node.contract.tokens import merged

                tokens[cluster] = merged(kept, told)
            else:
                tokens[cluster] = told
            targets.pop(target, None)
            targets[target] = cluster

        self._change(change)

    def forget(self, sent: str, lost: list[str]) -> None:
        """Ask no more for what is lost for good; without `lost`, for nothing of that token."""
        cluster = sent.partition("/")[0]

        def change(tokens: dict[str, str], _targets: dict[str, str]) -> None:
            kept = tokens.pop(cluster, "")
            if kept and lost:
                from aimem_node.contract.tokens import without

                tokens[cluster] = without(kept, lost)

        self._change(change)

    def _change(self, change: Any) -> None:
        """Change the file while nobody else does. Where it cannot be kept there is no session."""
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(self._path, flags, 0o600)
        except OSError:
            return
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            tokens, targets = _read(handle)
            before = (list(tokens.items()), list(targets.items()))
            change(tokens, targets)
            if before == (list(tokens.items()), list(targets.items())):
                return
            kept = {
                "tokens": dict([(c, t) for c, t in tokens.items() if t][-CLUSTERS_MAX:]),
                "targets": dict(list(targets.items())[-TARGETS_MAX:]),
            }
            text = json.dumps(kept).encode()
            os.ftruncate(handle, 0)
            os.pwrite(handle, text, 0)
        except OSError:
            return
        finally:
            os.close(handle)


def _read(handle: int) -> tuple[dict[str, str], dict[str, str]]:
    """Tokens by cluster and clusters by target; nothing of what is not ours or not whole."""
    if os.fstat(handle).st_uid != os.geteuid():
        return {}, {}
    try:
        kept = json.loads(os.pread(handle, FILE_BYTES_MAX, 0))
        return _texts(kept["tokens"]), _texts(kept["targets"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}, {}


def _texts(given: Any) -> dict[str, str]:
    return {
        name: text for name, text in given.items()
        if isinstance(text, str) and text.isascii() and text.isprintable()
    }  # fmt: skip
