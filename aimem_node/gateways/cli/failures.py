"""A failure as the command line shows it: what happened, what to do next, and an exit code.

The node's failures arrive as JSON and keep their words. The exit codes repeat the contract's
table, because importing that table costs more than a whole fast call; a test compares the two.
"""

from __future__ import annotations

import json
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TextIO

EXITS = {
    "INVALID_ARGUMENT": 2,
    "UNAUTHENTICATED": 6,
    "PERMISSION_DENIED": 6,
    "NOT_FOUND": 3,
    "AMBIGUOUS": 3,
    "CONFLICT": 4,
    "TOO_LARGE": 2,
    "LIMITED": 5,
    "NOT_WRITTEN": 5,
    "UNAVAILABLE": 5,
    "UNKNOWN_OUTCOME": 5,
    "DEADLINE": 5,
    "STORAGE": 5,
    "CORRUPT": 7,
    "DATA_LOST": 7,
    "UNIMPLEMENTED": 8,
    "INTERNAL": 1,
}
"""Exit code of each failure code, as in contract/errors.py."""
PENDING_EXIT = 9
"""Exit code of a write that is not on as many nodes as it should be, or waits for approval."""


class CallFailure(Exception):  # noqa: N818 - the contract's word for it
    """A call that failed, here or at the node."""

    def __init__(
        self, code: str, message: str, path: str = "", next_step: str = "", definite: bool = True,
        details: dict[str, Any] | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path
        self.next_step = next_step
        self.definite = definite
        """False when nobody can say whether the call took effect."""
        self.details = details or {}
        self.place = ""
        """What the path is called on the command line, once that is known."""

    @property
    def exit_code(self) -> int:
        """What the process exits with."""
        return EXITS.get(self.code, 1)

    def sentence(self) -> str:
        """The message with the place it speaks of."""
        place = self.place or self.path
        if not place or self.path in self.message or place in self.message.split():
            return self.message
        if self.message.startswith("must "):
            return f"{place.removeprefix('$.')} {self.message}"
        return f"{self.message} ({place})"

    def in_words_of(self, word: str, operation: dict[str, Any]) -> None:
        """Speak of flags and arguments of a command, where the node speaks of a JSON path."""
        name = self.path.removeprefix("$.").removeprefix("options.").partition("[")[0]
        for field in operation["fields"]:
            if field["name"] == name:
                flag = "--" + name.replace("_", "-")
                self.place = name.upper() if field.get("positional") else flag
        if self.code == "INVALID_ARGUMENT" and "the path points" in self.next_step:
            self.next_step = f"See: aimem help {word}"

    def to_json(self) -> dict[str, Any]:
        """The contract's JSON shape of a failure."""
        shown: dict[str, Any] = {
            "error": self.message,
            "code": self.code,
            "path": self.path,
            "definite": self.definite,
            "next": self.next_step,
        }
        return shown | {"details": self.details} if self.details else shown

    def show(self, out: TextIO, as_json: bool = False, program: str = "aimem") -> None:
        """Write it for a person, or as one line of JSON."""
        if as_json:
            out.write(json.dumps(self.to_json(), ensure_ascii=False) + "\n")
            return
        out.write(f"{program}: {self.sentence()}\n")
        out.writelines(f"  {line}\n" for line in peer_lines(self.details.get("peers")))
        if self.next_step:
            out.write(f"next: {self.next_step}\n")


def usage(message: str, next_step: str = "", path: str = "") -> CallFailure:
    """A failure of the one who typed the command."""
    return CallFailure("INVALID_ARGUMENT", message, path, next_step)


def from_json(said: Any, status: int = 0) -> CallFailure:
    """The failure that a node answered with; anything unreadable counts as INTERNAL."""
    if isinstance(said, dict) and "error" in said:
        return CallFailure(
            str(said.get("code", "INTERNAL")),
            str(said["error"]),
            str(said.get("path") or ""),
            str(said.get("next") or ""),
            bool(said.get("definite", False)),
            said["details"] if isinstance(said.get("details"), dict) else None,
        )
    return CallFailure(
        "INTERNAL",
        f"the node answered with HTTP status {status} and no explanation",
        next_step="See what it logged: aimem-node status shows where.",
        definite=False,
    )


def peer_lines(peers: Any) -> list[str]:
    """One line for each other node that does not hold a write, with the reason."""
    return [
        f"{peer.get('name') or str(peer.get('node_id', ''))[:8]}: "
        + ", ".join(str(peer[part]) for part in ("state", "reason") if peer.get(part))
        for peer in peers or ()
        if isinstance(peer, dict) and peer.get("state") != "holds"
    ]


def pending(write: dict[str, Any]) -> str:
    """What is still open about a write that is pending, on one line."""
    awaiting = write.get("awaiting")
    if isinstance(awaiting, dict):
        return (
            f"nothing was done yet: {awaiting.get('reason')}, says the rule"
            f" {awaiting.get('rule')!r} set at {awaiting.get('set_at')}. It waits as"
            f" {awaiting.get('pending_id')}: aimem pending approve {awaiting.get('pending_id')}"
        )
    why = "; ".join(peer_lines(write.get("peers"))) or write.get("reason") or "no reason is known"
    return (
        f"pending: on {write.get('acks', 0)} of {write.get('needed', 0)} nodes so far ({why}). "
        "It spreads by itself; do not send it again."
    )


def is_failure(said: Any) -> bool:
    """Whether a line of a stream is a failure instead of an item."""
    return isinstance(said, dict) and "error" in said and "code" in said


def note(text: str) -> None:
    """Tell the person at the terminal something that is not the answer."""
    sys.stderr.write(f"aimem: {text}\n")
