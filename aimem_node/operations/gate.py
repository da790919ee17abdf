"""Asked before every change is stamped, by whatever operation it comes: may it be made?

It stands where ops are appended, so no operation can forget to ask. What the rules forbid ends the
whole write at once. What they want approved is only noted, and the write goes on to its end as if
it were allowed: so everything that it would do has been seen before anybody is asked about it, and
then all of it is taken back. Where nothing is set a write costs one look into the index of records.

It fails closed: if the rules cannot be read, nothing is allowed.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from aimem_node.contract import codec, words
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Secrets
from aimem_node.operations.approvers import Ask
from aimem_node.operations.asked import PENDING, told_of
from aimem_node.operations.call import WriteCall
from aimem_node.operations.deeds import Deed, deeds_of
from aimem_node.operations.kept import is_any_kept
from aimem_node.operations.policy import POLICY, Book, Case, Decision, Verdict, refusal
from aimem_node.operations.quota import Stands, check_quotas, stands_at
from aimem_node.operations.secrets import redacted_json, screen_json
from aimem_node.replica.writing import Tx
from aimem_node.store.database import SqliteError
from aimem_sync.change import Change
from aimem_sync.op import Kind

SCREENED: Final = frozenset({"memory", "link", "entity", "standard", "agent", "step"})
"""Kinds of records that people's words are kept in; of agents only their tags hold such. What a
subscription keeps secret is sealed."""
TECHNICAL: Final = frozenset({"life", "namespace", "scope", "tier", "facts"})
"""Registers that hold words of ours and names: an id is as random as a key, and is none."""
NAMES: Final = frozenset({"source_id", "target_id", "observed_by"})
"""Members of a link that are names too."""


class ApprovalNeededError(Exception):
    """The end of a write that is to wait: raised inside the transaction, so nothing stays."""

    def __init__(self, call: WriteCall, watch: "Watch") -> None:
        super().__init__(f"{call.operation} waits for approval")
        self.call = call
        self.asks = tuple(watch.asks)
        self.reasons = tuple(watch.asks.values())
        self.namespaces = tuple(watch.namespaces)
        self.memory_id = watch.memory_id


class Approved(Protocol):
    """What a call has besides if it does what was approved."""

    def approves(self, ask: Ask) -> bool:
        """Whether the votes are enough for a rule."""
        ...


@dataclass(slots=True)
class Watch:
    """What the gate has seen of one write."""

    rules: bool
    "Whether any policy is set."
    asks: dict[Ask, str] = field(default_factory=dict)
    "Rules that want an approval, each with the reason."
    namespaces: dict[str, None] = field(default_factory=dict)
    "Where it would change something, in that order. Only told apart where rules are set."
    memory_id: str = ""
    "The first memory among what an approval is wanted for, if it was there before."
    before: dict[str, Stands | None] = field(default_factory=dict)
    "How memories stood before this write."
    purged: list[str] = field(default_factory=list)
    "Records that are erased for good."
    redacted: bool = False


class Gate:
    """See the module."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def change(self, tx: Tx, change: Change) -> Change:
        """The change as it may be made. Raises the Failure that refuses it."""
        call = tx.about
        if call is None or call.author.startswith("node:"):
            return change
        with failing_closed():
            watch = _watch(tx)
            operation = words.kebab(call.operation)
            if change.kind == Kind.PURGE:
                watch.purged.append(change.record_id)
            if watch.rules or change.kind == Kind.PURGE:
                for deed in deeds_of(tx.session, change, operation):
                    watch.namespaces[deed.namespace] = None
                    self._weigh(tx, change, case_of(call, operation, deed))
                if change.type == "memory" and change.record_id not in watch.before:
                    watch.before[change.record_id] = stands_at(tx.session, change.record_id)
            return self._screened(tx, watch, change, operation)

    def done(self, tx: Tx) -> None:
        """Called when all changes of a write are made: what they come to, all together."""
        watch = tx.notes
        if watch is None:
            return
        with failing_closed():
            if watch.asks:
                raise ApprovalNeededError(tx.about, watch)
            if watch.rules:
                check_quotas(tx.session, self.book, watch.before)
            self._purge_requests(tx, watch)

    def _purge_requests(self, tx: Tx, watch: Watch) -> None:
        """Erase with a memory what was asked for about it: the request holds its text too."""
        if not watch.purged or not is_any_kept(tx.session, PENDING):
            return
        call, tx.about = tx.about, None  # allowed with what it goes with
        for pending_id in told_of(tx.session, watch.purged):
            tx.purge(f"{PENDING}:{pending_id}")
        tx.about = call

    def _weigh(self, tx: Tx, change: Change, case: Case) -> None:
        decision = self.book.resolve(tx.session, case)
        if decision.verdict == Verdict.DENY:
            raise refusal(case, decision)
        if decision.verdict == Verdict.PENDING:
            self._note(tx, change, decision)

    def _note(self, tx: Tx, change: Change, decision: Decision) -> None:
        watch = _watch(tx)
        approves = getattr(tx.about, "approves", None)
        for met in decision.asking:
            assert met.rule.approver is not None
            ask = Ask(met.rule.text, met.set_at, met.rule.approver)
            if approves is None:
                watch.asks[ask] = met.reason
            elif not approves(ask):
                raise Failure(
                    Code.PERMISSION_DENIED,
                    f"the rules have changed: {ask.rule!r} set at {ask.set_at} is not met by the"
                    " votes",
                    next="Have it cancelled and asked for again.",
                    details={"rule": ask.rule, "set_at": ask.set_at},
                )
        if not watch.memory_id and tx.session.memory(change.record_id) is not None:
            watch.memory_id = change.record_id

    def _screened(self, tx: Tx, watch: Watch, change: Change, operation: str) -> Change:
        if change.type not in SCREENED or change.kind != Kind.EDIT:
            return change
        registers = {} if change.type == "agent" else change.set
        said = {
            name: _without_names(value) if change.type == "link" else value
            for name, value in registers.items()
            if isinstance(value, (str, dict, list)) and name not in TECHNICAL
        }
        found = screen_json({**said, "tags": list(change.tag)})
        if not found:
            return change
        where = next((deed.namespace for deed in deeds_of(tx.session, change, operation)), "")
        becomes, set_at = self.book.secrets(tx.session, where)
        if becomes == Secrets.ALLOW:
            return change
        if becomes == Secrets.REDACT:
            watch.redacted = True
            clean: Any = redacted_json(said)
            tags: Any = redacted_json(list(change.tag))
            kept = {name: _over(value, clean.get(name)) for name, value in change.set.items()}
            return replace(change, set=kept, tag=tuple(dict.fromkeys(tags)))
        path, finding = found[0]
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"it holds {finding.hint} ({finding.kind}), and secrets are not kept"
            f" in {where or 'what belongs to no namespace'}",
            path=path.replace("$.body.", "$.", 1),
            next="Take it out. Or have the operator set what becomes of secrets there:"
            f" aimem policy set {where or '*'} --secrets redact (or allow).",
            details={"kind": finding.kind, "set_at": set_at, "count": len(found)},
        )


def _without_names(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: item for name, item in value.items() if name not in NAMES}


def _over(value: Any, redacted: Any) -> Any:
    """A register with what was taken out of it; what was not looked at stays."""
    if isinstance(value, dict) and isinstance(redacted, dict):
        return {name: item for name, item in value.items() if name in NAMES} | redacted
    return value if redacted is None else redacted


def case_of(call: WriteCall, operation: str, deed: Deed) -> Case:
    """A deed of this caller, as the rules look at it."""
    return Case(
        operation, deed.effect, deed.namespace, call.principal, call.spoken or call.agent_id,
        call.operator, deed.owner, deed.of_policy,
    )  # fmt: skip


def told(tx: Tx, response: Any) -> Any:
    """The answer without what was taken out of what is kept: answers are kept and copied too."""
    if tx.notes is None or not tx.notes.redacted:
        return response
    shown: Any = redacted_json(codec.to_json(response))
    return codec.from_json(type(response), shown)


def _watch(tx: Tx) -> Watch:
    if tx.notes is None:
        tx.notes = Watch(rules=is_any_kept(tx.session, POLICY))
    watch: Watch = tx.notes
    return watch


@contextmanager
def failing_closed() -> Iterator[None]:
    """What goes wrong while the rules are read allows nothing, and says that it was this."""
    try:
        yield
    except (Failure, ApprovalNeededError, SqliteError):  # the last is told as the disk's
        raise
    except Exception as error:
        raise Failure(
            Code.CORRUPT,
            f"the rules could not be read, so nothing is allowed: {type(error).__name__}",
            next="Look into the node's log and run aimem-node doctor.",
        ) from error


def gate_of(is_alone: Callable[[], bool]) -> Gate:
    """The gate of a node. `is_alone`: whether it has no other members to ask."""
    return Gate(Book(is_alone))
