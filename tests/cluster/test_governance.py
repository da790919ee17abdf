"""Rules, votes and decisions of several nodes: they add up, and what is approved is done once."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from chaos.team import Team
from tests.every_write import somebody_else

NOW = {"allow_pending": True, "deadline_ms": 50}


class _Node:
    """One node of a team, as somebody_else wants it."""

    def __init__(self, team: Team, name: str) -> None:
        self.data_dir = team.dir(name)
        self.clock = team.clocks[name]


def ask(team: Team, name: str = "a") -> str:
    """Have somebody of this node ask for something that needs an approval; its id."""
    who = somebody_else(_Node(team, name), "asker", Role.WRITER)
    write = team.call_as(who, name, "Store", title="t", content="c", namespace="x")["write"]
    assert write["outcome"] == "awaiting_approval"
    team.until_level()
    return str(write["awaiting"]["pending_id"])


def rule(team: Team, approver: str) -> None:
    said = {"action": "store", "level": "approve", "approver": approver}
    team.call("a", "PolicySet", namespace="x", rules=[said])
    for name in team.names:
        team.call(name, "AgentRegister", agent_id=f"ai:{name}", agent_type="ai:judge")
    team.until_level()


def vote(team: Team, name: str, pending_id: str, **more: Any) -> dict[str, Any]:
    return team.call(name, "PendingApprove", id=pending_id, agent_id=f"ai:{name}", **more)


def listed(team: Team, name: str) -> list[str]:
    return [one["id"] for one in team.call(name, "List", namespace="x")["memories"]]


def status(team: Team, name: str, pending_id: str) -> str:
    waiting = team.call(name, "PendingList")["pending"]
    return str(next(one["status"] for one in waiting if one["id"] == pending_id))


def test_votes_of_three_nodes_add_up_and_the_last_one_does_it(three: Team) -> None:
    rule(three, "consensus:3")
    pending_id = ask(three)
    for name in "ab":
        assert vote(three, name, pending_id)["approved"] is False
        three.until_level()
    done = vote(three, "c", pending_id)
    assert (done["approved"], done["votes"]) == (True, 3)
    three.until_level()
    for name in three.names:
        assert listed(three, name) == [done["memory_id"]]
        assert status(three, name, pending_id) == "approved"
    memory = three.call("b", "Get", id=done["memory_id"])["memory"]
    assert memory["author"] == f"token:asker@{three.ids['a']}"


def test_two_nodes_that_approve_at_once_make_one_record(three: Team) -> None:
    rule(three, "human")
    pending_id = ask(three)
    three.part("b")
    made = [vote(three, name, pending_id, options=NOW)["memory_id"] for name in "bc"]
    assert made[0] == made[1]
    three.heal()
    three.until_level()
    assert len({three.digest(name) for name in three.names}) == 1
    for name in three.names:
        assert listed(three, name) == made[:1]
        assert status(three, name, pending_id) == "approved"


def test_votes_that_never_met_are_counted_by_the_one_that_tidies_up(three: Team) -> None:
    rule(three, "consensus:2")
    pending_id = ask(three)
    three.part("b")
    for name in "bc":
        assert vote(three, name, pending_id, options=NOW)["approved"] is False
    three.heal()
    three.until_level()
    assert status(three, "a", pending_id) == "pending"
    for name in three.names:
        three.run(three.core(name)._collect())
    three.until_level()
    assert [status(three, name, pending_id) for name in three.names] == ["approved"] * 3
    assert len(listed(three, "a")) == 1


def test_what_one_node_did_counts_more_than_what_another_rejected_meanwhile(three: Team) -> None:
    rule(three, "human")
    pending_id = ask(three)
    three.part("b")
    vote(three, "b", pending_id, options=NOW)
    three.call("c", "PendingReject", id=pending_id, options=NOW)
    three.heal()
    three.until_level()
    assert [status(three, name, pending_id) for name in three.names] == ["approved"] * 3
    assert len(listed(three, "c")) == 1


def test_in_company_a_purge_takes_two_operators_on_whatever_nodes(three: Team) -> None:
    three.call("a", "Archive", ids=[three.store("a", "t")["id"]])
    write = three.call("a", "ArchivePurge")["write"]
    assert write["outcome"] == "awaiting_approval"
    assert write["awaiting"]["set_at"] == "(built in)"
    pending_id = write["awaiting"]["pending_id"]
    three.until_level()
    with pytest.raises(Failure) as caught:
        three.call("a", "PendingApprove", id=pending_id)
    assert caught.value.code is Code.PERMISSION_DENIED
    assert three.call("c", "PendingApprove", id=pending_id)["executed"] is True
    three.until_level()
    assert three.call("b", "ArchiveStats")["archived_total"] == 0


def test_a_rule_set_on_one_node_holds_on_every_node(three: Team) -> None:
    deny = [{"action": "write", "level": "deny"}]
    three.call("a", "PolicySet", namespace="x", rules=deny, options={"w": 3})
    for name in three.names:
        with pytest.raises(Failure) as caught:
            three.store(name, "t", namespace="x/y")
        assert caught.value.details["set_at"] == "x"


def test_the_same_request_key_waits_once_whatever_node_it_is_sent_to(three: Team) -> None:
    rule(three, "human")
    fields: dict[str, Any] = {"title": "t", "content": "c", "namespace": "x"}
    ids = set()
    for name in "ab":
        answer = three.call(name, "Store", **fields, options={"request_key": "k"})
        ids.add(answer["write"]["awaiting"]["pending_id"])
        three.until_level()
    assert len(ids) == 1
