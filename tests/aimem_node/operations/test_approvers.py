"""The words for approvers, and which votes meet them."""

import pytest

from aimem_node.contract.errors import Failure
from aimem_node.operations.approvers import Approver, Vote


def vote(person: str, agent_id: str = "", *, agent: bool = False, admin: bool = False) -> Vote:
    return Vote(person, f"{person}@n", agent_id or person, agent, admin, 1)


@pytest.mark.parametrize("text", ["human", "admin", "agent:ai:x", "consensus:1", "consensus:100"])
def test_an_approver_is_read_as_it_is_written(text: str) -> None:
    assert Approver.read(text).text == text
    assert Approver.read(text).who


@pytest.mark.parametrize(
    "text",
    ["Human", "agent:", "agent", "agent:a b", "consensus:0", "consensus:101", "consensus:-1",
     "consensus:1.5", "consensus:\u0661", "admin:x", " human", "anyone"],
)  # fmt: skip
def test_what_is_no_approver_is_refused(text: str) -> None:
    with pytest.raises(Failure):
        Approver.read(text)


def test_without_a_word_anyone_else_approves() -> None:
    assert Approver.read("").text == "human"


def test_two_who_speak_as_one_agent_are_one_voice() -> None:
    two = Approver.read("consensus:2")
    assert not two.is_met([vote("a", "ai:x", agent=True), vote("b", "ai:x", agent=True)])
    assert not two.is_met([vote("a", "ai:x", agent=True), vote("b", "ai:y")])
    assert two.is_met([vote("a", "ai:x", agent=True), vote("b", "ai:y", agent=True)])


def test_one_who_speaks_as_two_agents_is_one_voice() -> None:
    two = Approver.read("consensus:2")
    assert not two.is_met([vote("a", "ai:x", agent=True), vote("a", "ai:y", agent=True)])
    chain = [vote("a", "ai:x", agent=True), vote("b", "ai:y", agent=True)]
    assert two.is_met(chain)
    assert not two.is_met([*chain, vote("a", "ai:y", agent=True)]), "one of them is both"


def test_a_vote_is_read_as_it_is_kept_and_nonsense_is_none() -> None:
    cast = vote("a", "ai:x", agent=True, admin=True)
    assert Vote.read("a", cast.register()) == cast
    for nonsense in (None, [], {}, {"principal": 1, "agent_id": "x", "at": 1}):
        assert Vote.read("a", nonsense) is None
    assert Vote.read("a", {**cast.register(), "is_admin": "yes"}) == vote("a", "ai:x", agent=True)
