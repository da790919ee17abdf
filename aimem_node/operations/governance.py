"""Set and show policies, and say what they mean for somebody."""

from collections.abc import Iterator
from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.formats import FORMATS
from aimem_node.contract.values import (
    Level,
    Policy,
    PolicyClearRequest,
    PolicyClearResponse,
    PolicyExplainRequest,
    PolicyExplainResponse,
    PolicyGetRequest,
    PolicyGetResponse,
    PolicyRule,
    PolicySetRequest,
    PolicySetResponse,
    Quota,
    RuleTaken,
)
from aimem_node.operations.approvers import Approver
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.deeds import setter_of_standard
from aimem_node.operations.identity import owner_of, registered
from aimem_node.operations.kept import all_kept, kept
from aimem_node.operations.policy import (
    EFFECT_OF,
    MEMORIES,
    OF_POLICY,
    PER_AGENT,
    POLICY,
    QUOTA,
    ROOT,
    RULE,
    Case,
    Effect,
    Rule,
    Said,
    action_of,
)
from aimem_node.operations.registry import operation
from aimem_node.operations.shapes import found
from aimem_node.operations.sight_of import concerns
from aimem_sync.change import Change

PENDING_SECS = "pending_secs"
SECRETS = "secrets"


@operation
def policy_set(call: WriteCall, request: PolicySetRequest) -> PolicySetResponse:
    """Set what is given; all else stays as it is."""
    namespace = _place(request.namespace)
    wanted: dict[str, Any] = {}
    for index, rule in enumerate(request.rules):
        try:
            read = _rule(rule)
        except Failure as failure:
            raise failure.under(f"$.rules[{index}]") from None
        if RULE + read.action in wanted:
            raise Failure(
                Code.INVALID_ARGUMENT, f"there are two rules for {read.action!r}",
                path=f"$.rules[{index}].action", next="Give one of them.",
            )  # fmt: skip
        wanted[RULE + read.action] = read.register()
    quota = request.quota or Quota()
    for name, limit in ((MEMORIES, quota.memories), (PER_AGENT, quota.memories_per_agent)):
        if limit is not None:
            wanted[QUOTA + name] = limit
    if request.secrets is not None:
        wanted[SECRETS] = request.secrets.value
    if request.pending_secs is not None:
        wanted[PENDING_SECS] = request.pending_secs
    if not wanted:
        raise Failure(
            Code.INVALID_ARGUMENT, "nothing is to be set", path="$.rules",
            next="Give rules, a quota, secrets or pending_secs.",
        )  # fmt: skip
    _write(call, namespace, wanted)
    return PolicySetResponse(policy=_policy(namespace, _said(call, namespace)))


@operation
def policy_get(call: ReadCall, request: PolicyGetRequest) -> PolicyGetResponse:
    """What holds in a namespace, from the top down, or all that is set."""
    if request.namespace is None:
        names = (name for name, _ in all_kept(call.view, POLICY) if concerns(call.place, name))
        found_here = ((name, _said(call, name)) for name in names)
        shown = tuple(_policy(name, said) for name, said in found_here if not said.is_empty)
        return PolicyGetResponse(policies=shown)
    levels = call.book.levels(call.view, _place(request.namespace))
    return PolicyGetResponse(policies=tuple(_policy(name, said) for name, said in levels))


@operation
def policy_clear(call: WriteCall, request: PolicyClearRequest) -> PolicyClearResponse:
    """Take away rules, quotas, what becomes of secrets, or all of it."""
    namespace = _place(request.namespace)
    shown = kept(call.view, POLICY, namespace)
    values = {} if shown is None else shown.values
    names = {name for name, value in values.items() if name != "life" and value is not None}
    if request.actions:
        names &= set(_registers(request.actions))
    if names:
        _write(call, namespace, dict.fromkeys(names))
    return PolicyClearResponse(cleared=bool(names))


@operation
def policy_explain(call: ReadCall, request: PolicyExplainRequest) -> PolicyExplainResponse:
    """Resolve a case as the gate would, and show every rule on the way."""
    action = action_of(request.action, "$.action")
    if action == ROOT:
        raise Failure(
            Code.INVALID_ARGUMENT, "* is for rules; ask about one operation or effect",
            path="$.action", next="Such as store, delete or promote.",
        )  # fmt: skip
    case = _case(call, request, action)
    decision = call.book.resolve(call.view, case)
    decider = decision.decider
    taken = tuple(
        RuleTaken(
            namespace=met.set_at, rule=met.rule.shown(), verdict=met.verdict.value,
            reason=met.reason, counts=met.counts,
        )
        for met in decision.met
    )  # fmt: skip
    return PolicyExplainResponse(
        verdict=decision.verdict.value,
        reason="no rule says anything of it" if decider is None else decider.reason,
        set_at="" if decider is None else decider.set_at,
        rules=taken,
    )


def _case(call: ReadCall, request: PolicyExplainRequest, action: str) -> Case:
    """The case of the caller, or of an agent that the operator asks about."""
    principal, agent_id, operator = call.principal, call.agent_id, call.operator
    if request.agent_id is not None and request.agent_id != agent_id:
        if call.may_claim(request.agent_id):
            agent_id = request.agent_id
        elif call.operator:
            agent = registered(call.view, request.agent_id)
            principal = request.agent_id if agent is None else agent.holder
            agent_id, operator = request.agent_id, False
        else:
            raise Failure(
                Code.PERMISSION_DENIED, "only the operator may ask what others may do",
                path="$.agent_id", next="Leave agent_id out.",
            )  # fmt: skip
    row = found(call, request.id, life="any") if request.id else None

    def owner() -> str:
        return setter_of_standard(call.view, request.namespace) if row is None else owner_of(row)

    of_policy = action in OF_POLICY - {Effect.GOVERN.value}
    effect = Effect(action) if action in set(Effect) else EFFECT_OF.get(action, Effect.WRITE)
    return Case(action, effect, request.namespace, principal, agent_id, operator, owner, of_policy)


# ---- records ---------------------------------------------------------------------------------


def _rule(rule: PolicyRule) -> Rule:
    action = action_of(rule.action, "$.action")
    if rule.level == Level.DENY and action in OF_POLICY:
        raise Failure(
            Code.INVALID_ARGUMENT,
            "nobody could ever change the policies again",
            path="$.level",
            next="Use approve, so that it takes two, or admin.",
        )
    if rule.level != Level.APPROVE:
        if rule.approver:
            raise Failure(
                Code.INVALID_ARGUMENT, "only what needs an approval has an approver",
                path="$.approver", next="Leave it out, or use the level approve.",
            )  # fmt: skip
        return Rule(action, rule.level, delegated=rule.delegated)
    return Rule(action, rule.level, Approver.read(rule.approver), rule.delegated)


def _place(text: str) -> str:
    if text == ROOT:
        return text
    try:
        kept_as: str = FORMATS["namespace"](text)
    except Failure as failure:
        raise failure.under("$.namespace") from None
    return kept_as


def _registers(actions: tuple[str, ...]) -> Iterator[str]:
    """The registers that a request to clear names."""
    for index, text in enumerate(actions):
        if text == "quota":
            yield from (QUOTA + MEMORIES, QUOTA + PER_AGENT)
        elif text.replace("-", "_") in (SECRETS, PENDING_SECS):
            yield text.replace("-", "_")
        else:
            yield RULE + action_of(text, f"$.actions[{index}]")


def _write(call: WriteCall, namespace: str, wanted: dict[str, Any]) -> None:
    shown = kept(call.view, POLICY, namespace)
    now = {} if shown is None else shown.values
    changed = {name: value for name, value in wanted.items() if now.get(name) != value}
    if changed:
        call.tx.change(Change(f"{POLICY}:{namespace}", POLICY, set=changed))


def _said(call: ReadCall, namespace: str) -> Said:
    return call.book.said(call.view, namespace) or Said()


def _policy(namespace: str, said: Said) -> Policy:
    rules = [rule.shown() for _, rule in sorted(said.rules.items())]
    if said.strange is not None:
        rules.append(said.strange.shown())
    quota = None
    if said.quota:
        limits = said.quota
        quota = Quota(memories=limits.get(MEMORIES), memories_per_agent=limits.get(PER_AGENT))
    return Policy(
        namespace=namespace, rules=tuple(rules), quota=quota, secrets=said.secrets,
        pending_secs=said.pending_secs, author=said.author,
    )  # fmt: skip
