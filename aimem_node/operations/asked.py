"""What waits for approval, as a record: the request, the rules that ask, the votes, the decision.

Every vote is a register of its own, so votes cast on several nodes add up. The decision is one
register, and two nodes may decide without having heard of each other. Then what was approved has
been done, so approved it is: no other word would undo it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.operations.approvers import Approver, Ask, Vote
from aimem_node.operations.kept import all_kept, kept
from aimem_node.store.view import View
from aimem_sync.display import Display

PENDING: Final = "pending"
VOTE: Final = "vote:"
WAITS: Final = "pending"
APPROVED: Final = "approved"
REJECTED: Final = "rejected"
CANCELLED: Final = "cancelled"
EXPIRED: Final = "expired"
OPS_MAX: Final = 10_000
"""Of one record. Nobody has changed a memory so often."""
DECIDED: Final = (APPROVED, REJECTED, CANCELLED)


@dataclass(frozen=True, slots=True)
class Request:
    """Who asked for what. It never changes."""

    operation: str
    "The rpc's name."
    payload: Mapping[str, Any]
    "The request as JSON, without its options."
    sha256: str
    "Of the request with its operation, in hex: what its request key is bound to."
    requested_by: str
    "The principal in the whole cluster."
    agent_id: str
    "Who spoke."
    claimed: tuple[str, ...]
    "Other agents that the caller was found to be allowed to speak for."
    operator: bool
    place: str
    namespaces: tuple[str, ...]
    "Where it would change something."
    memory_id: str
    reason: str
    requested_us: int
    expires_us: int

    def register(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "operation": self.operation,
            "payload": dict(self.payload),
            "sha256": self.sha256,
            "requested_by": self.requested_by,
            "agent_id": self.agent_id,
            "claimed": list(self.claimed),
            "operator": self.operator,
            "place": self.place,
            "namespaces": list(self.namespaces),
            "memory_id": self.memory_id,
            "reason": self.reason,
            "requested_at": self.requested_us,
            "expires_at": self.expires_us,
        }

    @classmethod
    def read(cls, said: Mapping[str, Any]) -> "Request":
        """Raises KeyError, TypeError or ValueError for what is none."""
        texts = ("operation", "sha256", "requested_by", "agent_id", "place", "memory_id", "reason")
        if not all(isinstance(said[name], str) for name in texts):
            raise TypeError("a text is none")
        if said["operator"] not in (True, False) or not isinstance(said["payload"], dict):
            raise TypeError("a member has the wrong type")
        return cls(
            **{name: said[name] for name in texts},
            payload=said["payload"],
            operator=said["operator"],
            claimed=tuple(str(one) for one in said["claimed"]),
            namespaces=tuple(str(one) for one in said["namespaces"]),
            requested_us=int(said["requested_at"]),
            expires_us=int(said["expires_at"]),
        )

    @property
    def namespace(self) -> str:
        """Where, in one word."""
        return self.namespaces[0] if self.namespaces else ""


@dataclass(frozen=True, slots=True)
class Decided:
    """How it ended."""

    status: str
    by: str
    "The person."
    at_us: int
    made: tuple[str, ...] = ()
    "The ops that did it, by all who did it."
    memory_id: str = ""

    def register(self) -> dict[str, Any]:
        """As it is kept."""
        return {
            "status": self.status,
            "by": self.by,
            "at": self.at_us,
            "made": list(self.made),
            "memory_id": self.memory_id,
        }


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that waits, or was decided."""

    id: str
    request: Request
    asks: tuple[Ask, ...]
    votes: Mapping[str, Vote] = field(default_factory=dict)
    "By person."
    decided: Decided | None = None

    def status(self, now_us: int) -> str:
        """One word: WAITS, EXPIRED or one of DECIDED."""
        if self.decided is not None:
            return self.decided.status
        return EXPIRED if self.request.expires_us <= now_us else WAITS

    def is_met_by(self, votes: Mapping[str, Vote]) -> bool:
        """Whether these votes are enough for every rule that asked."""
        return all(ask.approver.is_met(votes.values()) for ask in self.asks)

    @property
    def who(self) -> str:
        """Who may approve it, for people."""
        return " and ".join(dict.fromkeys(ask.approver.who for ask in self.asks))

    @property
    def quorum(self) -> int:
        """How many votes it takes at least."""
        return max((ask.approver.needed for ask in self.asks), default=1)


def read(name: str, shown: Display) -> Asked | None:
    """A record as it is shown; None for one that cannot be understood, which nobody can approve."""
    said, rules = shown.values.get("said"), shown.values.get("rules")
    if not isinstance(said, dict) or not isinstance(rules, list) or not rules:
        return None
    try:
        request = Request.read(said)
        asks = tuple(
            Ask(str(one["rule"]), str(one["set_at"]), Approver.read(str(one["approver"])))
            for one in rules
            if isinstance(one, dict)
        )
    except (KeyError, TypeError, ValueError, Failure):
        return None
    if len(asks) != len(rules):
        return None
    found = (
        Vote.read(register.removeprefix(VOTE), value)
        for register, value in shown.values.items()
        if register.startswith(VOTE)
    )
    votes = {vote.person: vote for vote in found if vote is not None}
    return Asked(name, request, asks, votes, _decided(shown))


def _decided(shown: Display) -> Decided | None:
    versions = [shown.values.get("decided")]
    versions += [version.value for version in shown.conflicts.get("decided", ())]
    found = [
        value for value in versions if isinstance(value, dict) and value.get("status") in DECIDED
    ]
    if not found:
        return None
    done = [value for value in found if value["status"] == APPROVED]
    first, made = (done or found)[0], dict[str, None]()
    for value in done:
        ops = value.get("made")
        made.update(dict.fromkeys(str(op) for op in ops) if isinstance(ops, list) else {})
    at = first.get("at")
    return Decided(
        str(first["status"]), str(first.get("by", "")), at if isinstance(at, int) else 0,
        tuple(made), str(first.get("memory_id", "")),
    )  # fmt: skip


def asked(view: View, name: str) -> Asked | None:
    """One by its whole id."""
    shown = kept(view, PENDING, name)
    return None if shown is None else read(name, shown)


def all_asked(view: View) -> Iterator[Asked]:
    """All that was ever asked for and can be understood, by id."""
    for name, shown in all_kept(view, PENDING):
        one = read(name, shown)
        if one is not None:
            yield one


WITHOUT_TEXT: Final = frozenset({"ArchivePurge"})


def told_of(view: View, record_ids: Sequence[str]) -> list[str]:
    """The ids of all that was asked for about these records, or made one of them.

    What asked to purge the archive stays: it holds no text, and the audit needs it.
    """
    ids = set(record_ids)
    ops = {str(placed.op.dot) for one in record_ids for placed in view.ops_of(one, None, OPS_MAX)}
    return [
        one.id
        for one in all_asked(view)
        if one.request.operation not in WITHOUT_TEXT
        if one.request.memory_id in ids
        or (one.decided is not None and not ops.isdisjoint(one.decided.made))
        or not ids.isdisjoint(_texts(one.request.payload))
    ]


def _texts(value: Any) -> Iterator[str]:
    """Every text of a request, whole: an id may be as short as a word of what others wrote."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (Mapping, Sequence)):
        for item in value.values() if isinstance(value, Mapping) else value:
            yield from _texts(item)


def found(view: View, prefix: str, is_seen: Callable[[Asked], bool]) -> Asked:
    """The one that an id or the beginning of one names, of those that may be seen.

    Raises NOT_FOUND or AMBIGUOUS.
    """
    exact = asked(view, prefix)
    those = [exact] if exact is not None else _beginning(view, prefix)
    those = [one for one in those if is_seen(one)]
    if not those:
        raise Failure(
            Code.NOT_FOUND, f"nothing waits under the id {prefix!r}", path="$.id",
            next="See what waits: aimem pending list.",
        )  # fmt: skip
    if len(those) > 1:
        raise Failure(
            Code.AMBIGUOUS, f"{prefix!r} is the beginning of {len(those)} ids", path="$.id",
            next="Give more characters of the one you mean.",
            details={"ids": [one.id for one in those[:5]]},
        )  # fmt: skip
    return those[0]


def _beginning(view: View, prefix: str) -> list[Asked]:
    return [one for one in all_asked(view) if one.id.startswith(prefix)]
