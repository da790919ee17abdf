"""Whoever registers an agent first has it, and nobody else speaks as it."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.formats import RESERVED_AGENTS
from aimem_node.contract.operations import OPERATIONS, Role
from aimem_node.contract.shapes import SHAPES
from aimem_node.rpc.access_edit import create_token
from tests.harness import Harness

OTHER = "f" * 32


def token(node: Harness, name: str, pattern: str = "*", role: Role = Role.WRITER) -> Credentials:
    bearer = create_token(str(node.data_dir), name, role, pattern)
    node.clock.move(seconds=1)
    return Credentials(channel=Channel.LOOPBACK, bearer=bearer)


def refused(
    node: Harness, operation: str, as_: Credentials | None = None, **fields: Any
) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call(operation, as_, **fields)
    return caught.value


def register(node: Harness, as_: Credentials | None, agent_id: str, **more: Any) -> dict[str, Any]:
    return node.call(
        "AgentRegister", as_, agent_id=agent_id, **{"agent_type": "ai:test", **more}
    )  # fmt: skip


def test_an_agent_is_registered_listed_and_registered_again(node: Harness) -> None:
    made = register(node, None, "ann", agent_type="human", capabilities=["review", "merge"])
    assert made["id"] == "agent:ann"
    [me] = made["principals"]
    assert me.startswith("user:")
    assert me.endswith("@" + node.call("Health")["node_id"])
    [listed] = node.call("AgentList")["agents"]
    assert "last_seen_at" not in listed
    node.store("t", agent_id="ann")
    again = register(node, None, "ann", agent_type="system", capabilities=["merge", "deploy"])
    assert again["capabilities"] == ["deploy", "merge"]
    [listed] = node.call("AgentList")["agents"]
    assert (listed["agent_type"], listed["capabilities"]) == ("system", ["deploy", "merge"])
    assert listed["last_seen_at"] == listed["registered_at"]
    same = register(node, None, "ann", agent_type="system")
    assert same["write"]["write_ids"] == []


@pytest.mark.parametrize("agent_type", ["robot", "ai", "ai:", "AI:x", "human "])
def test_a_type_that_is_none_is_refused(node: Harness, agent_type: str) -> None:
    failure = refused(node, "AgentRegister", agent_id="x", agent_type=agent_type)
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, "$.agent_type")


def test_from_then_on_only_who_is_bound_speaks_as_it(node: Harness) -> None:
    one, other = token(node, "one"), token(node, "other")
    assert (
        node.call("Store", other, title="a", content="c", agent_id="ai:bot")["agent_id"] == "ai:bot"
    )
    register(node, one, "ai:bot")
    failure = refused(node, "Store", other, title="b", content="c", agent_id="ai:bot")
    assert (failure.code, failure.path) == (Code.PERMISSION_DENIED, "$.agent_id")
    assert "token:one@" in failure.message
    assert "--principals token:other@" in failure.next
    assert refused(node, "AgentRegister", other, agent_id="ai:bot", agent_type="human").code == (
        Code.PERMISSION_DENIED
    )
    assert refused(node, "Inbox", other, agent_id="ai:bot").code == Code.PERMISSION_DENIED
    trusted = {"id": "m-1", "title": "t", "content": "c", "agent_id": "ai:bot"}
    failure = refused(node, "Import", other, memories=[trusted], trust_source=True)
    assert failure.code == Code.PERMISSION_DENIED
    assert node.call("Store", one, title="b", content="c", agent_id="ai:bot")["duplicate"] is False
    hinted = Credentials(channel=Channel.LOOPBACK, bearer=other.bearer, agent_hint="ai:bot")
    said = node.call("Store", hinted, title="c", content="c")
    assert said["agent_id"] == "token:other", "a hint is passed over and refuses nothing"


def test_who_is_bound_binds_another_and_so_may_the_operator(node: Harness) -> None:
    me = node.call("Health")["node_id"]
    one, two, three = (token(node, name) for name in ("one", "two", "three"))
    register(node, one, "ai:bot", principals=[f"token:two@{me}"])
    assert node.call("Store", two, title="a", content="c", agent_id="ai:bot")["id"]
    assert refused(node, "AgentRegister", three, agent_id="ai:bot", agent_type="ai:x",
                   principals=[f"token:three@{me}"]).code == Code.PERMISSION_DENIED  # fmt: skip
    failure = refused(node, "AgentRegister", agent_id="ai:bot", agent_type="ai:x")
    assert failure.code == Code.PERMISSION_DENIED, "nor does the operator take it by the way"
    bound = register(node, None, "ai:bot", agent_type="human", principals=[f"token:three@{me}"])
    assert bound["principals"] == [f"token:{name}@{me}" for name in ("one", "three", "two")]
    assert bound["agent_type"] == "ai:test", "and binds only"
    assert node.call("Store", three, title="b", content="c", agent_id="ai:bot")["id"]
    register(node, three, "ai:bot", principals=[f"user:ann@{OTHER}"])
    [listed] = node.call("AgentList")["agents"]
    assert f"user:ann@{OTHER}" in listed["principals"]


@pytest.mark.parametrize("principal", ["user:ann", "@" + OTHER, "user:ann@laptop", "x@" + "F" * 32])
def test_a_principal_that_is_none_is_refused(node: Harness, principal: str) -> None:
    failure = refused(
        node, "AgentRegister", agent_id="x", agent_type="human", principals=[principal]
    )
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, "$.principals[0]")


def test_a_name_that_is_proven_cannot_be_registered(node: Harness) -> None:
    one = token(node, "one")
    in_full = f"loopback@{OTHER}"
    for claim in ("token:one", "token:two", "user:root", "node:x", "system", in_full):
        failure = refused(node, "AgentRegister", one, agent_id=claim, agent_type="human")
        assert failure.path == "$.agent_id"
    narrow = token(node, "narrow", "ai:narrow-*")
    assert register(node, narrow, "ai:narrow-1")["registered"]
    assert refused(node, "AgentRegister", narrow, agent_id="ai:x", agent_type="human").code == (
        Code.PERMISSION_DENIED
    )


# ---- D1 and D2: a claim is only a claim, over all operations that take one -----------------------


FILTERS = {"Recall", "Search", "List", "SessionStart", "ListSubscriptions", "PolicyExplain"}
"""Where agent_id says whose memories are asked for, or whom the question is about."""
CLAIMING = sorted(
    name
    for name, declared in OPERATIONS.items()
    if any(field.name == "agent_id" for field in declared.fields) and name not in FILTERS
)
"""Everywhere else it says who speaks, and is checked."""


def least(cls: type) -> dict[str, Any]:
    """The least that a request of this kind takes."""
    values: dict[str, Any] = {}
    for field in SHAPES[cls].fields:
        if not field.required:
            continue
        if field.kind == "enum":
            one: Any = field.words[0]
        elif field.kind == "message":
            one = least(field.message)
        else:
            one = {"url": "https://example.com/x", "agent_type": "human"}.get(field.name, "x")
        values[field.name] = [one] if field.repeated else one
    return values


@pytest.mark.parametrize("operation", CLAIMING)
def test_no_operation_takes_a_claim_that_the_connection_does_not_allow(
    node: Harness, operation: str
) -> None:
    narrow = token(node, "narrow", "ai:narrow")
    register(node, None, "ai:taken")
    wide = token(node, "wide")
    given = least(OPERATIONS[operation].request)
    if operation.startswith("Pending"):
        rule = {"action": "store", "level": "approve"}
        node.call("PolicySet", namespace="p", rules=[rule])
        asked = node.call("Store", token(node, "asks"), title="t", content="c", namespace="p")
        given["id"] = asked["write"]["awaiting"]["pending_id"]
    for as_, claim in (
        (narrow, "ai:other"),
        (wide, "user:root"),
        (wide, "ai:taken"),
        (wide, "NODE:x"),
    ):
        failure = refused(node, operation, as_, **{**given, "agent_id": claim})
        if failure.code == Code.UNIMPLEMENTED:
            pytest.skip(f"{operation} is not built yet")
        assert (failure.code, failure.path) == (Code.PERMISSION_DENIED, "$.agent_id"), claim


def test_a_claim_never_becomes_the_author(node: Harness) -> None:
    wide = token(node, "wide")
    stored = node.call("Store", wide, title="t", content="c", agent_id="ai:anyone")["id"]
    assert node.memory(stored)["author"] == "token:wide"
    told = node.stream("Events", after="start", limit=1)
    assert (told[0]["author"], told[0]["agent_id"]) == ("token:wide", "ai:anyone")


reserved = st.sampled_from(sorted(RESERVED_AGENTS))
spelled = st.tuples(reserved, st.lists(st.booleans(), min_size=8, max_size=8)).map(
    lambda two: "".join(c.upper() if up else c for c, up in zip(*two, strict=False))
)
claims = st.tuples(spelled, st.just("") | st.text("abn01:@./-_~", max_size=8).map(":".__add__))


def test_what_the_node_calls_itself_cannot_be_spelled_on_the_wire(node: Harness) -> None:
    wide = token(node, "wide")
    me = node.call("Health")["node_id"]

    @settings(max_examples=40, deadline=None)
    @given(claims.map("".join) | st.just(f"node:{me}"))
    def spell(claim: str) -> None:
        if claim == "token:wide":
            return
        for operation, fields in (
            ("Store", {"title": "t", "content": "c"}),
            ("Notify", {"target_agent_id": "x", "title": "t", "payload": "p"}),
            ("AgentRegister", {"agent_type": "human"}),
        ):
            failure = refused(node, operation, wide, **fields, agent_id=claim)
            assert failure.code in (Code.PERMISSION_DENIED, Code.INVALID_ARGUMENT)

    spell()
    assert node.call("List")["count"] == 0


RESERVED_PLACES = ("_messages/ai:bob", "_messages", "_agents", "_x/y", "_")


@pytest.mark.parametrize("namespace", RESERVED_PLACES)
def test_namespaces_of_the_node_are_not_written_by_hand(node: Harness, namespace: str) -> None:
    record_id = node.store("t", namespace="n/m")
    memory = {"id": "m-1", "title": "t", "content": "c", "namespace": namespace}
    tried = {
        "Store": {"title": "t", "content": "c", "namespace": namespace},
        "BulkStore": {"memories": [{"title": "t", "content": "c", "namespace": namespace}]},
        "Update": {"id": record_id, "namespace": namespace},
        "Import": {"memories": [memory]},
        "SyncPush": {"memories": [memory]},
        "NamespaceSetStandard": {"namespace": namespace, "content": "c"},
    }
    for operation, fields in tried.items():
        failure = refused(node, operation, **fields)
        assert failure.code == Code.PERMISSION_DENIED
        assert failure.next
    assert node.call("Stats")["total"] == 1


def test_a_record_of_the_node_s_own_kind_cannot_be_imported_over(node: Harness) -> None:
    for record_id in ("agent:ann", "policy:acme", "standard:*", "copies:x", "entity:1"):
        memory = {"id": record_id, "title": "t", "content": "c"}
        assert refused(node, "Import", memories=[memory]).path == "$.memories[0].id"
    assert register(node, None, "ann")["registered"]
