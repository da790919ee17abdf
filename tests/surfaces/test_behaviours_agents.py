"""Agents and their messages, by every way in."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure


def agent(place: str) -> str:
    """An agent of the test's own."""
    return "ai:" + place.replace("/", "-")


def test_an_agent_is_registered_and_listed(way: Any, place: str) -> None:
    name = agent(place)
    made = way.call(
        "AgentRegister", agent_id=name, agent_type="ai:tester", capabilities=["review", "merge"]
    )
    assert (made["registered"], made["id"]) == (True, f"agent:{name}")
    assert len(made["principals"]) == 1
    [listed] = [a for a in way.call("AgentList")["agents"] if a["agent_id"] == name]
    assert (listed["agent_type"], listed["capabilities"]) == ("ai:tester", ["merge", "review"])
    with pytest.raises(Failure) as caught:
        way.call("AgentRegister", agent_id=name, agent_type="robot")
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.agent_type")


def test_messages_are_sent_read_and_marked(way: Any, place: str) -> None:
    to, sender = agent(place), agent(place) + "-sender"
    sent = way.call(
        "Notify", target_agent_id=to, title="hello", payload="first", agent_id=sender, priority=8
    )
    assert (sent["from"], sent["to"], sent["namespace"]) == (sender, to, f"_messages/{to}")
    way.call("Notify", target_agent_id=to, title="hello", payload="second", agent_id=sender)
    box = way.call("Inbox", agent_id=to, limit=1)
    [latest] = box["messages"]
    assert (latest["payload"], latest["from"], latest["read"]) == ("second", sender, False)
    rest = way.call("Inbox", agent_id=to, limit=1, cursor=box["next_cursor"])
    assert [m["payload"] for m in rest["messages"]] == ["first"]
    assert way.call("SessionStart", agent_id=to)["unread"] == 2
    assert way.call("InboxMark", ids=[sent["id"]], agent_id=to)["marked"] == 1
    unread = way.call("Inbox", agent_id=to, unread_only=True)
    assert [m["payload"] for m in unread["messages"]] == ["second"]
    assert way.call("Search", query="hello first")["count"] == 0


def test_a_message_is_not_stored_by_hand(way: Any, place: str) -> None:
    with pytest.raises(Failure) as caught:
        way.call("Store", title="t", content="c", namespace=f"_messages/{agent(place)}")
    assert (caught.value.code, caught.value.path) == (Code.PERMISSION_DENIED, "$.namespace")
    assert "notify" in caught.value.next


def test_what_was_changed_is_told_to_other_tools(way: Any, place: str) -> None:
    record_id = way.call("Store", title="t", content="c", namespace=place)["id"]
    page = way.call("SyncSince", since="2020-01-01T00:00:00Z", limit=10_000)
    assert record_id in {memory["id"] for memory in page["memories"]}
    gone = way.call("SyncPush", deletions=[record_id], dry_run=True)
    assert (gone["deleted"], gone["dry_run"]) == (1, True)
    assert way.call("SyncPush", deletions=[record_id])["deleted"] == 1
    assert way.call("List", namespace=place)["count"] == 0
