"""Who is who, where two nodes did not hear of each other."""

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract.errors import Code, Failure
from aimem_node.operations.identity import (
    AGENT,
    AGREED,
    PRINCIPALS,
    REGISTERED,
    Registered,
    owner_of,
    person_of,
    registered,
    registered_to_another,
    same_person,
    share_an_agent,
)
from aimem_sync.change import Change
from tests.aimem_node.operations.test_sight_of import caller
from tests.aimem_node.store.scribes import Scribe
from tests.harness import Harness


def seen_by(scribe: Scribe) -> Any:
    """As much of a view as the register looks at."""
    marks = tuple((name, repr(state).encode()) for name, state in sorted(scribe.states.items()))
    return SimpleNamespace(state=scribe.states.get, record_marks=lambda _prefix: marks)


def registers(scribe: Scribe, agent_id: str, *binds: str, operator: bool = False) -> str:
    """Register as the scribe's user, who binds others; the principal."""
    me = f"user:{scribe.origin.node_id[0]}@{scribe.origin.node_id}"
    wanted: dict[str, Any] = {REGISTERED: {"at": len(scribe.log)}, "agent_type": "human"}
    if binds:
        wanted[PRINCIPALS] = {name: {"by": me, "operator": operator} for name in binds}
    scribe.write(Change(f"{AGENT}:{agent_id}", AGENT, set=wanted), "")
    return me


def level(*scribes: Scribe) -> None:
    logs = [list(one.log) for one in scribes]
    for one in scribes:
        for log in logs:
            for op in log:
                if op.seq > one.seen.get(op.origin, 0):
                    one.see(op)


@given(st.permutations("abc"), st.integers(0, 3))
def test_of_those_who_register_at_once_the_first_in_the_order_of_writes_holds_it(
    order: list[str], ahead: int
) -> None:
    scribes = [Scribe(digit) for digit in order]
    for _ in range(ahead):
        scribes[0].write(Change("m", "memory", set={"priority": 1}), "")
    claims = {registers(one, "bot", f"token:{one.origin.node_id[0]}@{'9' * 32}") for one in scribes}
    level(*scribes)
    found = {registered(seen_by(one), "bot") for one in scribes}
    assert len(found) == 1, "every node says the same"
    [agent] = found
    assert isinstance(agent, Registered)
    first = min(order) if not ahead else min(set(order) - {order[0]})
    assert agent.holder == f"user:{first}@{first * 32}"
    assert agent.principals == (agent.holder, f"token:{first}@{'9' * 32}"), "nor whom they bound"
    for loser in claims - {agent.holder}:
        assert registered_to_another(seen_by(scribes[0]), "bot", loser) == agent.holder


def test_whom_the_bound_bind_is_bound_and_whom_others_bind_is_not() -> None:
    one, other = Scribe("a"), Scribe("b")
    registers(one, "bot", "p@1")
    level(one, other)
    bound = {"p@1": {"by": f"user:a@{'a' * 32}"}, "q@1": {"by": "p@1"}, "r@1": {"by": "nobody@1"},
             "s@1": {"by": "nobody@1", "operator": True}, "t@1": "nonsense"}  # fmt: skip
    other.write(Change("agent:bot", AGENT, set={PRINCIPALS: bound}), "")
    agent = registered(seen_by(other), "bot")
    assert agent is not None
    assert agent.principals == (f"user:a@{'a' * 32}", "p@1", "q@1", "s@1")


def test_two_who_bind_at_once_both_do() -> None:
    one, other = Scribe("a"), Scribe("b")
    registers(one, "bot")
    level(one, other)
    for scribe, name in ((one, "p@1"), (other, "q@1")):
        said = {name: {"by": f"user:a@{'a' * 32}"}}
        scribe.write(Change("agent:bot", AGENT, set={PRINCIPALS: said}), "")
    level(one, other)
    for scribe in (one, other):
        agent = registered(seen_by(scribe), "bot")
        assert agent is not None
        assert agent.principals[1:] == ("p@1", "q@1")


def test_principals_of_one_agent_are_one_person() -> None:
    scribe = Scribe("a")
    me = registers(scribe, "ann", "token:laptop@1", operator=True)
    registers(scribe, "bee", "token:laptop@1", operator=True)
    view = seen_by(scribe)
    assert person_of(view, me) == person_of(view, "token:laptop@1") == "ann"
    assert person_of(view, "user:x@1") == "user:x@1"
    assert same_person(view, me, "token:laptop@1")
    assert not same_person(view, me, "user:a@" + "b" * 32)


def test_to_be_bound_by_another_makes_nobody_one_person_until_they_agree() -> None:
    scribe = Scribe("a")
    me = registers(scribe, "ann", "victim@1")
    view = seen_by(scribe)
    assert share_an_agent(view, me, "victim@1")
    assert not same_person(view, me, "victim@1")
    assert person_of(view, "victim@1") == "victim@1"
    agreed: Any = {"victim@1": {"by": me, "operator": False, AGREED: True}}
    scribe.write(Change(f"{AGENT}:ann", AGENT, set={PRINCIPALS: agreed}), "")
    assert same_person(seen_by(scribe), me, "victim@1")
    assert same_person(seen_by(scribe), "victim@1", me)


def test_who_agreed_keeps_it_whatever_is_said_at_the_same_time() -> None:
    one, other = Scribe("a"), Scribe("b")
    me = registers(one, "ann", "p@1")
    level(one, other)
    said: Any = {"by": me, "operator": False}
    one.write(Change("agent:ann", AGENT, set={PRINCIPALS: {"p@1": {**said, AGREED: True}}}), "")
    both: Any = {"p@1": said, "q@1": said}
    other.write(Change("agent:ann", AGENT, set={PRINCIPALS: both}), "")
    level(one, other)
    for scribe in (one, other):
        assert same_person(seen_by(scribe), me, "p@1")


def test_one_with_one_of_them_is_one_with_all() -> None:
    scribe = Scribe("a")
    me = registers(scribe, "bee", "p@1", operator=True)
    far = Scribe("b")
    level(scribe, far)
    other = registers(far, "ann", "p@1", operator=True)
    level(scribe, far)
    view = seen_by(scribe)
    assert same_person(view, me, other)
    assert person_of(view, me) == person_of(view, other) == person_of(view, "p@1") == "ann"


def test_a_writer_who_binds_another_to_its_own_agent_gets_nothing_of_theirs(node: Harness) -> None:
    me = node.call("Health")["node_id"]
    node.call("PolicySet", namespace="zeta", rules=[{"action": "delete", "level": "owner"}])
    thief, victim = caller(node, "thief", "acme/web"), caller(node, "victim", "zeta")
    kept = node.call("Store", victim, title="t", content="c", namespace="zeta", scope="collective")
    hidden = node.call("Store", victim, title="u", content="c", namespace="zeta")["id"]
    fields = {"agent_id": "ai:x", "agent_type": "human", "principals": [f"token:victim@{me}"]}
    node.call("AgentRegister", thief, **fields)
    for operation, record_id, code in (
        ("Delete", kept["id"], Code.PERMISSION_DENIED),
        ("Get", hidden, Code.NOT_FOUND),
    ):
        with pytest.raises(Failure) as caught:
            node.call(operation, thief, id=record_id)
        assert caught.value.code is code


def test_a_memory_belongs_to_who_wrote_it_first_on_its_node(node: Harness) -> None:
    record_id = node.store("t")

    def read(view: Any) -> Any:
        row = view.memory(record_id)
        return owner_of(row), row.author

    owner, author = node.core.store.readers.submit(read, 1_000).result(10)
    assert owner == f"{author}@{node.call('Health')['node_id']}"


def test_what_one_person_wrote_under_two_names_both_see(node: Harness) -> None:
    me = node.call("Health")["node_id"]
    web, far = caller(node, "web", "acme/web"), caller(node, "far", "zeta")
    kept = node.call("Store", web, title="t", content="c", namespace="acme/web")["id"]
    assert node.call("List", far)["count"] == 0
    fields = {"agent_id": "ann", "agent_type": "human", "principals": [f"token:far@{me}"]}
    node.call("AgentRegister", web, **fields)
    assert node.call("List", far)["count"] == 0, "nobody is made another without a word of theirs"
    node.call("AgentRegister", far, **fields)
    assert [one["id"] for one in node.call("List", far)["memories"]] == [kept]
