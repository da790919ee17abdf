"""Every way a call can fail, and what each surface makes of it.

A failure is a row of one table: gRPC, HTTP, MCP and the command line read their own column,
so none of them can disagree. The column that matters most is `definite`: whether a failed call
can be known to have done nothing. An indefinite failure may only be retried with a request key.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any


class Code(StrEnum):
    """What went wrong, for programs."""

    INVALID_ARGUMENT = "INVALID_ARGUMENT"
    "The request itself is wrong. `path` says where."
    UNAUTHENTICATED = "UNAUTHENTICATED"
    "Nobody knows who is calling."
    PERMISSION_DENIED = "PERMISSION_DENIED"
    "It is known who is calling, and they may not do this."
    NOT_FOUND = "NOT_FOUND"
    "Nothing has this name."
    AMBIGUOUS = "AMBIGUOUS"
    "Several things start with this name."
    CONFLICT = "CONFLICT"
    "What is there already stands against it."
    TOO_LARGE = "TOO_LARGE"
    "The request is larger than any request may be."
    LIMITED = "LIMITED"
    "More is asked at once than the node takes on."
    NOT_WRITTEN = "NOT_WRITTEN"
    "Too few nodes are in reach to hold the write, so it was not begun."
    UNAVAILABLE = "UNAVAILABLE"
    "The node cannot serve now, and did nothing."
    UNKNOWN_OUTCOME = "UNKNOWN_OUTCOME"
    "The write was begun, and nobody can say whether it will stand."
    DEADLINE = "DEADLINE"
    "The time was up before there was an answer."
    STORAGE = "STORAGE"
    "The disk did not take it."
    CORRUPT = "CORRUPT"
    "What is on the disk is not what was written there."
    DATA_LOST = "DATA_LOST"
    "The session has seen something that was on one disk only, and that disk is gone."
    UNIMPLEMENTED = "UNIMPLEMENTED"
    "This node does not know the operation."
    INTERNAL = "INTERNAL"
    "The node made a mistake."


@dataclass(frozen=True, slots=True)
class Sign:
    """How one code shows itself on every surface."""

    grpc: str
    "Name of the gRPC status code."
    http: int
    "HTTP status."
    exit: int
    "Exit code of the command line."
    definite: bool
    "True: the call changed nothing. False: it may have taken effect."
    next: str
    "What the caller should do, when the failure itself knows nothing better."


_SAME_KEY = "Call again with the same request key: it cannot happen twice."

SIGNS: Mapping[Code, Sign] = MappingProxyType(
    {
        Code.INVALID_ARGUMENT: Sign(
            "INVALID_ARGUMENT", 400, 2, True, "Correct what the path points at and call again."
        ),
        Code.UNAUTHENTICATED: Sign(
            "UNAUTHENTICATED", 401, 6, True, "Show a token or a pinned certificate."
        ),
        Code.PERMISSION_DENIED: Sign(
            "PERMISSION_DENIED", 403, 6, True, "Ask the operator of this node for the permission."
        ),
        Code.NOT_FOUND: Sign("NOT_FOUND", 404, 3, True, "Look for it with list or search."),
        Code.AMBIGUOUS: Sign("FAILED_PRECONDITION", 409, 3, True, "Give more of the id."),
        Code.CONFLICT: Sign("ALREADY_EXISTS", 409, 4, True, "Read what is there, then decide."),
        Code.TOO_LARGE: Sign("RESOURCE_EXHAUSTED", 413, 2, True, "Send it in smaller parts."),
        Code.LIMITED: Sign("RESOURCE_EXHAUSTED", 429, 5, True, "Wait a moment and call again."),
        Code.NOT_WRITTEN: Sign(
            "UNAVAILABLE", 503, 5, True, "Call again when more nodes are in reach."
        ),
        Code.UNAVAILABLE: Sign("UNAVAILABLE", 503, 5, True, "Wait a moment and call again."),
        Code.UNKNOWN_OUTCOME: Sign("ABORTED", 503, 5, False, _SAME_KEY),
        Code.DEADLINE: Sign(
            "DEADLINE_EXCEEDED",
            504,
            5,
            False,
            _SAME_KEY,
        ),
        Code.STORAGE: Sign(
            "FAILED_PRECONDITION",
            507,
            5,
            True,
            "Free disk space on the node; run aimem-node doctor.",
        ),
        Code.CORRUPT: Sign(
            "DATA_LOSS", 500, 7, True, "Run aimem-node doctor; restore the last good backup."
        ),
        Code.DATA_LOST: Sign(
            "DATA_LOSS",
            410,
            7,
            True,
            "Store it again, and leave the session's token out from now on.",
        ),
        Code.UNIMPLEMENTED: Sign(
            "UNIMPLEMENTED", 501, 8, True, "Ask capabilities what this node can do."
        ),
        Code.INTERNAL: Sign(
            "INTERNAL",
            500,
            1,
            False,
            "Look into the node's log. " + _SAME_KEY,
        ),
    }
)
"""The one table. docs/failures.md is made from it."""


class Failure(Exception):  # noqa: N818 - it is a row of the table, not a Python mishap
    """A call that failed. The message says what happened, `next` what to do about it."""

    def __init__(
        self,
        code: Code,
        message: str,
        path: str = "",
        next: str = "",  # noqa: A002 - the word every surface shows
        details: Mapping[str, Any] | None = None,
        definite: bool | None = None,
    ) -> None:
        """`definite` overrides the table: a read that ran out of time changed nothing."""
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path
        """JSON path of the value that was wrong, such as $.memories[3].title; empty for none."""
        self.next = next or SIGNS[code].next
        self.details: Mapping[str, Any] = details or {}
        self.definite = SIGNS[code].definite if definite is None else definite

    def under(self, path: str) -> "Failure":
        """The same failure one level further out: $.title under $.memories[3] is both."""
        inner = self.path.removeprefix("$")
        return Failure(
            self.code, self.message, path + inner, self.next, self.details, self.definite
        )

    def __str__(self) -> str:
        """For logs and people: where, what, and what next."""
        where = f"{self.path}: " if self.path and self.path not in self.message else ""
        return f"{where}{self.message}. {self.next}"

    def __repr__(self) -> str:
        """For tests and debuggers."""
        return f"Failure({self.code.value}, {self.message!r}, path={self.path!r})"


def to_json(failure: Failure) -> dict[str, Any]:
    """The failure as every JSON surface shows it."""
    shown: dict[str, Any] = {
        "error": failure.message,
        "code": failure.code.value,
        "path": failure.path,
        "definite": failure.definite,
        "next": failure.next,
    }
    if failure.details:
        shown["details"] = dict(failure.details)
    return shown


def from_json(obj: Mapping[str, Any]) -> Failure:
    """The failure that to_json was given. A code this version does not know becomes INTERNAL."""
    code = str(obj.get("code"))
    known = Code(code) if code in Code.__members__ else Code.INTERNAL
    details = obj.get("details")
    return Failure(
        known,
        str(obj.get("error") or "the node gave no reason"),
        path=str(obj.get("path") or ""),
        next=str(obj.get("next") or ""),
        details=details if isinstance(details, dict) else None,
        definite=obj["definite"] if isinstance(obj.get("definite"), bool) else None,
    )
