"""Wait for approval, vote, and do what was approved: once, and in the transaction of the last vote.

It is done as whoever asked for it, under the ids that follow from its own, and whatever forbids it
by then forbids it still. If it cannot be done the vote is not taken either: the failure goes to the
voter, and the thing goes on waiting. Nobody approves what they have asked for themselves, under
whatever name and on whatever machine.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from aimem_node.contract import codec, validate, words
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.contract.values import (
    Approval,
    Awaiting,
    PendingAction,
    PendingApproveRequest,
    PendingApproveResponse,
    PendingCancelRequest,
    PendingCancelResponse,
    PendingListRequest,
    PendingListResponse,
    PendingRejectRequest,
    PendingRejectResponse,
    Secrets,
)
from aimem_node.operations import registry
from aimem_node.operations.approvers import Ask, Vote, as_of_now, is_registered
from aimem_node.operations.asked import (
    APPROVED,
    CANCELLED,
    PENDING,
    REJECTED,
    VOTE,
    WAITS,
    Asked,
    Decided,
    Request,
    all_asked,
    asked,
    found,
)
from aimem_node.operations.call import RECORD_IDS, ReadCall, WriteCall
from aimem_node.operations.gate import ApprovalNeededError, Watch
from aimem_node.operations.identity import person_of, same_person, share_an_agent
from aimem_node.operations.kept import is_any_kept
from aimem_node.operations.policy import Book
from aimem_node.operations.registry import operation
from aimem_node.operations.secrets import redacted_json
from aimem_node.operations.shapes import LIVE
from aimem_node.operations.sight_of import sight_of
from aimem_node.replica.writing import Tx
from aimem_node.store.view import View
from aimem_sync.change import Change
from aimem_sync.limits import BODY_BYTES_MAX

SECRET_FIELDS: Final = frozenset({"secret"})
"""Fields of requests that are not kept as they are. Without them nothing can be done later."""
PAYLOAD_BYTES_MAX: Final = BODY_BYTES_MAX - 64 * 1024
"""What waits is one op; the rest is room for who asked and where."""


@dataclass(slots=True)
class ApprovedCall(WriteCall):
    """A call that does what was approved, as whoever asked for it."""

    asked: Asked = field(kw_only=True)
    votes: Mapping[str, Vote] = field(kw_only=True)

    @property
    def principal(self) -> str:
        """In full already: the call is done on another node than it was made on."""
        return self.author

    def speaker(self, claim: str | None) -> str:
        """As it was found when it was asked for."""
        self.spoken = claim or self.asked.request.agent_id
        return self.spoken

    def may_claim(self, agent_id: str) -> bool:
        """As it was found when it was asked for."""
        request = self.asked.request
        return agent_id == request.agent_id or agent_id in request.claimed

    def new_id(self, index: int = 0) -> str:
        """The same one wherever it is done: two nodes may find the votes complete at once."""
        record_id = _id_of("made", self.asked.id, str(index))
        if self.view.state(record_id) is not None:
            raise Failure(Code.CONFLICT, f"record {record_id} of this request is there already")
        return record_id

    def approves(self, ask: Ask) -> bool:
        """Whether the votes are enough for a rule that is met while it is done."""
        return ask.approver.is_met(self.votes.values())


# ---- asking --------------------------------------------------------------------------------------


def ask(tx: Tx, needed: ApprovalNeededError, request: Any, sha256: bytes, book: Book) -> Asked:
    """Put before the approvers what a write was not allowed to do at once.

    The same request key finds the same thing again, whatever has become of it since.
    """
    call, key = needed.call, request.options.request_key if request.options is not None else ""
    name = _id_of("asked", call.author, key) if key else call.chance.record_id()
    known = asked(tx.session, name)
    if known is not None:
        if known.request.sha256 != sha256.hex():
            raise Failure(
                Code.CONFLICT, "this request key was used for a different request",
                path="$.options.request_key", next="Use a new key for a new request.",
            )  # fmt: skip
        return known
    view: View = tx.session
    wait_secs = min(book.pending_secs(view, place) for place in needed.namespaces)
    said = Request(
        operation=call.operation,
        payload=_payload(view, needed, request, book),
        sha256=sha256.hex(),
        requested_by=call.principal,
        agent_id=call.spoken or call.agent_id,
        claimed=tuple(sorted(call.claimed)),
        operator=call.operator,
        place=call.place,
        namespaces=needed.namespaces,
        memory_id=needed.memory_id,
        reason="; ".join(dict.fromkeys(needed.reasons)),
        requested_us=tx.now_us,
        expires_us=tx.now_us + wait_secs * 1_000_000,
    )
    registers: dict[str, Any] = {
        "said": said.register(),
        "rules": [one.register() for one in needed.asks],
        "life": LIVE,
    }
    tx.change(Change(f"{PENDING}:{name}", PENDING, set=registers))
    return Asked(name, said, needed.asks)


def refuse_asked_before(call: WriteCall, key: str) -> None:
    """Raise ApprovalNeededError for a request key under which something was put before approvers:
    what it waits for may be allowed by now, and would be done once more when they approve it."""
    if not key or not is_any_kept(call.view, PENDING):
        return
    if asked(call.view, _id_of("asked", call.author, key)) is not None:
        raise ApprovalNeededError(call, Watch(rules=False))


def awaiting(one: Asked) -> Awaiting:
    """What the caller is told of what now waits."""
    return Awaiting(
        pending_id=one.id,
        action=words.kebab(one.request.operation),
        namespace=one.request.namespace,
        reason=one.request.reason,
        rule=", ".join(ask.rule for ask in one.asks),
        set_at=", ".join(dict.fromkeys(ask.set_at for ask in one.asks)),
    )


def _payload(
    view: View, needed: ApprovalNeededError, request: Any, book: Book
) -> Mapping[str, Any]:
    payload: Any = codec.to_json(request)
    payload.pop("options", None)
    if any(each.name in SECRET_FIELDS for each in fields(request)):
        raise Failure(
            Code.PERMISSION_DENIED,
            "this needs an approval and cannot wait for one: its secret would be kept in the clear"
            f" until then, or be shown to nobody; {'; '.join(dict.fromkeys(needed.reasons))}",
            next="Have somebody do it whom the rules allow it, such as the operator under the level"
            " admin: aimem policy set.",
        )
    if any(book.secrets(view, place)[0] == Secrets.REDACT for place in needed.namespaces):
        payload = redacted_json(payload)
    if len(codec.dumps(payload).encode()) > PAYLOAD_BYTES_MAX:
        raise Failure(
            Code.TOO_LARGE,
            "this needs an approval, and is too large to wait for one",
            next="Send it in smaller parts.",
        )
    return dict(payload)


def _id_of(what: str, *parts: str) -> str:
    return str(uuid.uuid5(RECORD_IDS, "\n".join((PENDING, what, *parts))))


# ---- deciding ------------------------------------------------------------------------------------


@operation
def pending_approve(call: WriteCall, request: PendingApproveRequest) -> PendingApproveResponse:
    """Vote for it. The vote that completes what every rule asks for also does it."""
    one = _seen(call, request.id)
    votes, registers = as_of_now(call.view, one.votes), dict[str, Any]()
    if not _is_node(call):
        vote = _vote(call, request.agent_id)
        again = any(_says_no_more(vote, other) for other in votes.values())
        if not again or one.status(call.now_us) not in (WAITS, APPROVED):
            _refuse_decided(call, one, "")
            _refuse_unfit(call, one, vote)
            votes[vote.person] = vote
            registers[VOTE + vote.person] = vote.register()
    decided = one.decided
    if decided is None and one.status(call.now_us) == WAITS and one.is_met_by(votes):
        decided = _do(call, one, votes)
        registers["decided"] = decided.register()
    if registers:
        call.tx.change(Change(f"{PENDING}:{one.id}", PENDING, set=registers))
    return PendingApproveResponse(
        approved=decided is not None,
        status=WAITS if decided is None else APPROVED,
        id=one.id,
        decided_by="" if decided is None else decided.by,
        executed=decided is not None,
        memory_id=one.request.memory_id if decided is None else decided.memory_id,
        votes=len(votes),
        quorum=one.quorum,
        reason=f"it still needs {one.who}" if decided is None else "",
    )


@operation
def pending_reject(call: WriteCall, request: PendingRejectRequest) -> PendingRejectResponse:
    """End it undone, by anyone who could have approved it."""
    one = _seen(call, request.id)
    vote = _vote(call, request.agent_id)
    if not _is_again(one, REJECTED, vote.person):
        _refuse_decided(call, one, REJECTED)
        _refuse_unfit(call, one, vote)
        _decide(call, one, Decided(REJECTED, vote.person, call.now_us))
    return PendingRejectResponse(rejected=True, id=one.id, decided_by=vote.person)


@operation
def pending_cancel(call: WriteCall, request: PendingCancelRequest) -> PendingCancelResponse:
    """Take it back, by the one who asked."""
    one = _seen(call, request.id)
    vote = _vote(call, request.agent_id)
    if not same_person(call.view, one.request.requested_by, call.principal):
        raise Failure(
            Code.PERMISSION_DENIED,
            f"only {one.request.requested_by}, who asked for it, may take it back",
            next="Whoever may approve it may reject it: aimem pending reject.",
        )
    if not _is_again(one, CANCELLED, vote.person):
        _refuse_decided(call, one, CANCELLED)
        _decide(call, one, Decided(CANCELLED, vote.person, call.now_us))
    return PendingCancelResponse(cancelled=True, id=one.id)


def ripe(view: View, now_us: int) -> list[str]:
    """What has all its votes and was not done: they were cast on two nodes at once."""
    return [
        one.id
        for one in all_asked(view)
        if one.status(now_us) == WAITS and one.votes and one.is_met_by(as_of_now(view, one.votes))
    ]


def _do(call: WriteCall, one: Asked, votes: Mapping[str, Vote]) -> Decided:
    """Do what was asked for. Raises whatever refuses it: then nothing is done, and no vote cast."""
    asked_for = one.request
    given = {each.name: getattr(call, each.name) for each in fields(WriteCall) if each.init}
    given |= {
        "author": asked_for.requested_by, "operator": asked_for.operator,
        "operation": asked_for.operation, "place": asked_for.place, "agent_pattern": "",
    }  # fmt: skip
    inner = ApprovedCall(**given, asked=one, votes=votes)
    tx, before = call.tx, len(call.tx.ops)
    tx.about = inner
    declared = OPERATIONS.get(asked_for.operation)
    if declared is None:
        raise Failure(Code.UNIMPLEMENTED, f"this version does not know {asked_for.operation}")
    try:
        wanted = validate.check(codec.from_json(declared.request, asked_for.payload))
        response = registry.HANDLERS[asked_for.operation](inner, wanted)
    except Failure as failure:
        raise Failure(
            failure.code, f"it cannot be done now: {failure.message}", failure.path, failure.next,
            {**failure.details, "pending_id": one.id}, failure.definite,
        ) from None  # fmt: skip
    finally:
        tx.about = call
    made = tuple(str(op.dot) for op in tx.ops[before:])
    memory_id = getattr(response, "clone_id", None) or getattr(response, "id", None)
    by = person_of(call.view, call.principal)
    return Decided(
        APPROVED, by, call.now_us, made,
        memory_id if isinstance(memory_id, str) and memory_id else asked_for.memory_id,
    )  # fmt: skip


def _decide(call: WriteCall, one: Asked, decided: Decided) -> None:
    registers = {"decided": decided.register()}
    call.tx.change(Change(f"{PENDING}:{one.id}", PENDING, set=registers))


def _vote(call: WriteCall, claim: str | None) -> Vote:
    agent_id = call.speaker(claim)
    person = person_of(call.view, call.principal)
    return Vote(
        person, call.principal, agent_id, is_registered(call.view, agent_id, call.principal),
        call.operator, call.now_us,
    )  # fmt: skip


def _says_no_more(vote: Vote, other: Vote) -> bool:
    """Whether somebody votes once more, and counts for nothing that they did not count for."""
    is_one = vote.person == other.person or vote.principal == other.principal
    return is_one and vote.is_agent <= other.is_agent and vote.is_admin <= other.is_admin


def _is_node(call: WriteCall) -> bool:
    """Whether the node itself completes what has its votes."""
    return call.author.startswith("node:")


def _is_again(one: Asked, status: str, person: str) -> bool:
    """Whether somebody says once more what they said before."""
    return one.decided is not None and (one.decided.status, one.decided.by) == (status, person)


def _refuse_decided(call: WriteCall, one: Asked, wanted: str) -> None:
    status = one.status(call.now_us)
    if status == WAITS:
        return
    by = "" if one.decided is None else f" by {one.decided.by}"
    raise Failure(
        Code.CONFLICT,
        f"it is {status}{by} already" + (f" and cannot be {wanted}" if wanted else ""),
        path="$.id",
        next="Ask for it anew if it is still wanted." if status != APPROVED else "",
        details={"pending_id": one.id, "status": status, "decided_by": by.removeprefix(" by ")},
    )


def _refuse_unfit(call: WriteCall, one: Asked, vote: Vote) -> None:
    """Nobody decides what they have asked for, nor what the rules would have others decide."""
    request = one.request
    same_agent = vote.is_agent and vote.agent_id == request.agent_id
    rules = ", ".join(f"{each.rule!r} set at {each.set_at}" for each in one.asks)
    pair = (request.requested_by, vote.principal)
    if same_agent or same_person(call.view, *pair) or share_an_agent(call.view, *pair):
        raise Failure(
            Code.PERMISSION_DENIED,
            f"who asks for something does not approve it, and {vote.person} asked for this",
            next=f"It waits for {one.who} by {rules}. Take it back with: aimem pending cancel.",
            details={"pending_id": one.id},
        )
    if not any(each.approver.counts(vote) for each in one.asks):
        raise Failure(
            Code.PERMISSION_DENIED,
            f"{vote.person} is not one of those who decide this: it waits for {one.who},"
            f" by {rules}",
            next="Have one of those decide it.",
            details={"pending_id": one.id},
        )


# ---- reading -------------------------------------------------------------------------------------


@operation
def pending_list(call: ReadCall, request: PendingListRequest) -> PendingListResponse:
    """What waits or was decided, as far as the caller may see it, the latest first."""
    those = [
        one
        for one in all_asked(call.view)
        if request.status in (None, one.status(call.now_us)) and _may_see(call, one)
    ]
    those.sort(key=lambda one: (-one.request.requested_us, one.id))
    shown = tuple(_shown(one, call.now_us) for one in those[: request.limit])
    return PendingListResponse(pending=shown, count=len(shown))


@dataclass(frozen=True, slots=True)
class _Shadow:
    """Stands for what is asked for where the question is who may see it."""

    author: str
    namespace: str
    scope: str
    write_id: str = ""


def _may_see(call: ReadCall, one: Asked) -> bool:
    """Whether a caller may see all places that a request speaks of, and the memory it is about."""
    sight = sight_of(call)
    if sight is None:
        return True
    request = one.request
    row = call.view.memory(request.memory_id) if request.memory_id else None
    scope = request.payload.get("scope")
    wider = scope if isinstance(scope, str) else "private"
    shadows: list[Any] = [
        _Shadow(request.requested_by, place, wider if row is None else row.scope)
        for place in request.namespaces
    ]
    return all(sight.sees(shadow) for shadow in shadows)


def _seen(call: ReadCall, prefix: str) -> Asked:
    return found(call.view, prefix, lambda one: _may_see(call, one))


def _shown(one: Asked, now_us: int) -> PendingAction:
    request, decided = one.request, one.decided
    return PendingAction(
        id=one.id,
        action_type=words.kebab(request.operation),
        memory_id=request.memory_id or ("" if decided is None else decided.memory_id),
        namespace=request.namespace,
        payload=request.payload,
        requested_by=request.requested_by,
        requested_at=request.requested_us,
        status=one.status(now_us),
        decided_by="" if decided is None else decided.by,
        decided_at=None if decided is None else decided.at_us,
        approvals=tuple(
            Approval(voter=vote.person, approved_at=vote.at_us)
            for vote in sorted(one.votes.values(), key=lambda vote: (vote.at_us, vote.person))
        ),
        expires_at=request.expires_us,
        asking_rule=", ".join(ask.rule for ask in one.asks),
        set_at=", ".join(dict.fromkeys(ask.set_at for ask in one.asks)),
        approver=", ".join(dict.fromkeys(ask.approver.text for ask in one.asks)),
        quorum=one.quorum,
    )
