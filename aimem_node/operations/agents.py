"""Know the agents. Whoever registers an id first has it; others speak as it once they are bound.

The rule about two who register one id at the same time on two nodes is in identity.py: both were
told that it is theirs, and once their logs meet only the first in the order of writes keeps it. The
other one is told so whenever it next speaks as that agent, or registers it again.
"""

from collections.abc import Mapping
from typing import Any

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    Agent,
    AgentListRequest,
    AgentListResponse,
    AgentRegisterRequest,
    AgentRegisterResponse,
)
from aimem_node.operations.call import ReadCall, WriteCall
from aimem_node.operations.identity import (
    AGENT,
    AGREED,
    PRINCIPALS,
    REGISTERED,
    Registered,
    bindings,
    is_agreed,
    is_in_full,
    register_of,
    registered,
)
from aimem_node.operations.registry import operation
from aimem_sync.canon import Json
from aimem_sync.change import Change

KINDS = ("human", "system")
AI = "ai:"
NODE_ID_CHARS = 32


@operation
def agent_register(call: WriteCall, request: AgentRegisterRequest) -> AgentRegisterResponse:
    """Register an agent, or say something new of one that the caller is bound to."""
    agent_id = request.agent_id
    _check_type(request.agent_type)
    known = registered(call.view, agent_id)
    # The operator may bind others to any agent, and becomes its holder by that no more than they.
    binds_only = (
        known is not None
        and call.principal not in known.principals
        and call.operator
        and bool(request.principals)
    )
    if not binds_only:
        call.speaker(agent_id)
    if known is None and (agent_id == call.author or is_in_full(agent_id)):
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"{agent_id!r} is the name of a principal, which a connection proves, and of no agent",
            path="$.agent_id",
            next="Choose a name for the agent, such as ai:claude or ann.",
        )
    wanted: dict[str, Json] = {}
    tag: tuple[str, ...] = ()
    untag: tuple[str, ...] = ()
    if known is None:
        wanted[REGISTERED] = {"at": call.now_us}
    if not binds_only:
        have = () if known is None else known.capabilities
        tag = tuple(one for one in dict.fromkeys(request.capabilities) if one not in have)
        untag = tuple(
            one for one in have if request.capabilities and one not in request.capabilities
        )
        if known is None or known.agent_type != request.agent_type:
            wanted["agent_type"] = request.agent_type
    before = bindings(call.view.state(f"{AGENT}:{agent_id}"))
    more = _more(call, request, () if known is None else known.principals, before)
    if more:
        wanted[PRINCIPALS] = {name: dict(said) for name, said in (before | more).items()}
    if wanted or tag or untag:
        call.tx.change(Change(f"{AGENT}:{agent_id}", AGENT, set=wanted, tag=tag, untag=untag))
    now = registered(call.view, agent_id)
    assert now is not None
    return AgentRegisterResponse(
        registered=True, id=f"{AGENT}:{agent_id}", agent_id=agent_id, agent_type=now.agent_type,
        capabilities=now.capabilities, principals=now.principals,
    )  # fmt: skip


def _more(
    call: WriteCall,
    request: AgentRegisterRequest,
    bound: tuple[str, ...],
    before: Mapping[str, Mapping[str, Any]],
) -> dict[str, Mapping[str, Any]]:
    """Whom the request binds that was not bound, and by whose word; and who agrees to be bound, by
    naming themselves."""
    more: dict[str, Mapping[str, Any]] = {}
    for index, principal in enumerate(request.principals):
        _check_principal(principal, index)
        said = before.get(principal, {})
        is_new = principal not in bound
        if principal in bound[:1] or (not is_new and is_agreed(said)):
            continue
        if principal == call.principal:
            if not is_new:
                more[principal] = {**said, AGREED: True}
        elif is_new or call.operator:
            more[principal] = {"by": call.principal, "operator": call.operator}
    return more


@operation
def agent_list(call: ReadCall, _request: AgentListRequest) -> AgentListResponse:
    """The agents, by id."""
    agents = register_of(call.view).agents
    shown = tuple(_agent(call, agents[agent_id]) for agent_id in sorted(agents))
    return AgentListResponse(count=len(shown), agents=shown)


def _agent(call: ReadCall, one: Registered) -> Agent:
    return Agent(
        agent_id=one.agent_id,
        agent_type=one.agent_type,
        capabilities=one.capabilities,
        registered_at=one.registered_us,
        last_seen_at=call.view.newest_by(one.agent_id),
        principals=one.principals,
    )


def _check_type(agent_type: str) -> None:
    if agent_type in KINDS or (agent_type.startswith(AI) and len(agent_type) > len(AI)):
        return
    raise Failure(
        Code.INVALID_ARGUMENT,
        f"{agent_type!r} is no type of agent",
        path="$.agent_type",
        next="Use human, system, or ai: and what it is, such as ai:claude.",
    )


def _check_principal(principal: str, index: int) -> None:
    """The form is checked and not whether there is such a node: it may not have joined yet."""
    author, _, node_id = principal.rpartition("@")
    if author and len(node_id) == NODE_ID_CHARS and set(node_id) <= set("0123456789abcdef"):
        return
    raise Failure(
        Code.INVALID_ARGUMENT,
        f"{principal!r} is no principal",
        path=f"$.principals[{index}]",
        next="Give its name and the id of its node, such as user:ann@" + "0" * NODE_ID_CHARS + ".",
    )
