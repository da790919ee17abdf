"""Messages and registrations across nodes."""

from pathlib import Path

import pytest

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.rpc.access_edit import create_token
from chaos.team import Team

NOW = {"allow_pending": True, "deadline_ms": 50}


def token(team: Team, node: str, name: str, place: str = "") -> Credentials:
    bearer = create_token(str(team.dir(node)), name, Role.WRITER, place=place)
    team.clocks[node].move(seconds=1)
    return Credentials(channel=Channel.LOOPBACK, bearer=bearer)


def inbox(team: Team, node: str, **fields: object) -> list[tuple[str, bool]]:
    messages = team.call(node, "Inbox", agent_id="ai:bob", **fields)["messages"]
    return [(one["title"], one["read"]) for one in messages]


def test_a_message_reaches_every_node_and_is_read_there_once_it_is_read_anywhere(
    three: Team,
) -> None:
    for name in "abc":
        fields = {"target_agent_id": "ai:bob", "title": f"from {name}", "payload": "p"}
        three.call(name, "Notify", **fields, agent_id=f"ai:{name}")
        three.until_level()
    whole = [("from c", False), ("from b", False), ("from a", False)]
    assert inbox(three, "a") == inbox(three, "b") == inbox(three, "c") == whole
    [latest, *_] = three.call("b", "Inbox", agent_id="ai:bob")["messages"]
    three.call("b", "InboxMark", ids=[latest["id"]], agent_id="ai:bob")
    three.until_level()
    for name in "abc":
        assert inbox(three, name, unread_only=True) == whole[1:]
        shown = three.call(name, "Inbox", agent_id="ai:bob")["messages"][0]
        assert shown["read_at"]
    times = {n: three.call(n, "Inbox", agent_id="ai:bob")["messages"][0]["read_at"] for n in "abc"}
    assert len(set(times.values())) == 1


def test_what_two_nodes_register_at_once_one_of_them_keeps_and_the_other_is_told(
    three: Team,
) -> None:
    one, other = token(three, "a", "one"), token(three, "c", "other")
    fields = {"agent_id": "ai:bot", "agent_type": "ai:test", "options": NOW}
    three.part("c")
    for who, name in ((one, "a"), (other, "c")):
        made = three.call_as(who, name, "AgentRegister", **fields)
        assert made["principals"][0].startswith(f"token:{'one' if name == 'a' else 'other'}@")
    three.heal()
    three.until_level()
    listed = {str(three.call(name, "AgentList")["agents"]) for name in "abc"}
    assert len(listed) == 1, "every node says the same"
    [agent] = three.call("b", "AgentList")["agents"]
    [holder] = agent["principals"]
    winner, loser = ((one, "a"), (other, "c")) if "one@" in holder else ((other, "c"), (one, "a"))
    store = {"title": "t", "content": "c", "agent_id": "ai:bot"}
    assert three.call_as(*winner, "Store", **store)["id"]
    for operation, asked in (("Store", store), ("AgentRegister", fields)):
        with pytest.raises(Failure, match=holder) as caught:
            three.call_as(*loser, operation, **asked)
        assert caught.value.code is Code.PERMISSION_DENIED
    me = f"token:{'one' if loser[1] == 'a' else 'other'}@{three.ids[loser[1]]}"
    three.call_as(*winner, "AgentRegister", **fields, principals=[me])
    three.until_level()
    assert three.call_as(*loser, "Store", **store)["id"], "once it is bound, it speaks"


def test_a_namesake_on_another_node_is_somebody_else_and_a_bound_one_is_not(three: Team) -> None:
    here, there = token(three, "a", "ann", "acme/web"), token(three, "b", "ann", "zeta")
    kept = three.call_as(here, "a", "Store", title="t", content="c", namespace="acme/web")["id"]
    three.until_level()
    with pytest.raises(Failure) as caught:
        three.call_as(there, "b", "Get", id=kept)
    assert caught.value.code is Code.NOT_FOUND
    theirs = f"token:ann@{three.ids['b']}"
    fields = {"agent_id": "ann", "agent_type": "human", "principals": [theirs]}
    three.call_as(here, "a", "AgentRegister", **fields)
    three.until_level()
    three.call_as(there, "b", "AgentRegister", **fields)  # it takes the word of both
    assert three.call_as(there, "b", "Get", id=kept)["memory"]["title"] == "t"


def test_events_go_on_from_their_token_after_a_restart(tmp_path: Path) -> None:
    team = Team(tmp_path, 1)
    try:
        team.store("a", "one")
        team.store("a", "two")

        def told(after: str, limit: int) -> list[tuple[str, str]]:
            from aimem_node.contract.values import EventsRequest

            async def collect() -> list[tuple[str, str]]:
                request = EventsRequest(after=after, limit=limit)
                me = Credentials(channel=Channel.INPROCESS)
                answers = team.core("a").dispatcher.stream("Events", request, me)
                return [(event.event, event.token) async for event in answers]

            found: list[tuple[str, str]] = team.run(collect())
            return found

        [(_, first), second] = told("start", 2)
        team.stop("a")
        team.start("a")
        assert told(first, 1) == [second]
        team.store("a", "three")
        [(name, _)] = told(second[1], 1)
        assert name == "memory_stored"
    finally:
        team.close()
