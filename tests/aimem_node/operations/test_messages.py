"""Messages wait for whom they are for, and are seen by nobody else."""

from typing import Any

import pytest

from aimem_node.contract.calls import Credentials
from aimem_node.contract.errors import Code, Failure
from tests.aimem_node.operations.test_agents import refused, register, token
from tests.harness import Harness


def send(
    node: Harness, to: str, title: str = "t", as_: Credentials | None = None, **more: Any
) -> str:
    fields = {"target_agent_id": to, "title": title, "payload": f"{title}: text", **more}
    return str(node.call("Notify", as_, **fields)["id"])


def titles(node: Harness, as_: Credentials | None = None, **fields: Any) -> list[str]:
    return [one["title"] for one in node.call("Inbox", as_, **fields)["messages"]]


def test_two_messages_of_one_title_are_two_and_say_who_sent_them(node: Harness) -> None:
    sent = node.call("Notify", target_agent_id="ai:bob", title="hi", payload="one", agent_id="ann")
    assert (sent["from"], sent["to"], sent["namespace"]) == ("ann", "ai:bob", "_messages/ai:bob")
    send(node, "ai:bob", "hi", agent_id="eve")
    messages = node.call("Inbox", agent_id="ai:bob")["messages"]
    assert [(m["title"], m["from"], m["read"]) for m in messages] == [
        ("hi", "eve", False), ("hi", "ann", False),
    ]  # fmt: skip
    assert messages[1]["payload"] == "one"
    memory = node.memory(messages[1]["id"])
    assert (memory["source"], memory["tags"]) == ("notify", ["_message", "_unread"])
    assert memory["metadata"] == {"message_kind": "message", "recipient_agent_id": "ai:bob"}


def test_pages_of_an_inbox_follow_the_log_and_leave_out_what_was_read(node: Harness) -> None:
    ids = [send(node, "me", f"m{n}") for n in range(6)]
    node.call("InboxMark", ids=[ids[1], ids[4]], agent_id="me")
    found: list[str] = []
    cursor = ""
    while True:
        more = {"cursor": cursor} if cursor else {}
        page = node.call("Inbox", agent_id="me", unread_only=True, limit=3, **more)
        found += [one["title"] for one in page["messages"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert found == ["m5", "m3", "m2", "m0"]
    assert titles(node, agent_id="me") == [f"m{n}" for n in reversed(range(6))]


def test_reading_marks_nothing_and_marking_says_when(node: Harness) -> None:
    record_id = send(node, "me")
    for _ in range(2):
        [message] = node.call("Inbox", agent_id="me")["messages"]
        assert (message["read"], "read_at" in message) == (False, False)
    node.clock.move(seconds=60)
    assert node.call("InboxMark", ids=[record_id[:8]], agent_id="me")["marked"] == 1
    assert node.call("InboxMark", ids=[record_id], agent_id="me")["marked"] == 0
    [message] = node.call("Inbox", agent_id="me")["messages"]
    assert message["read"] is True
    assert message["read_at"] > message["created_at"]
    assert node.call("InboxMark", ids=[record_id], agent_id="me", unread=True)["marked"] == 1
    [message] = node.call("Inbox", agent_id="me", unread_only=True)["messages"]
    assert "read_at" not in message


def test_a_message_of_another_inbox_is_not_marked(node: Harness) -> None:
    record_id = send(node, "me")
    kept = node.store("no message")
    for named in (record_id, kept):
        assert refused(node, "InboxMark", ids=[named], agent_id="you").code == Code.NOT_FOUND


def test_only_who_may_speak_as_an_agent_reads_what_it_is_sent(node: Harness) -> None:
    bob, eve = token(node, "bob"), token(node, "eve", "eve*")
    register(node, bob, "bob")
    secret = send(node, "bob", "for bob")
    assert titles(node, bob, agent_id="bob") == ["for bob"]
    assert refused(node, "Inbox", eve, agent_id="bob").code == Code.PERMISSION_DENIED
    assert refused(node, "Get", eve, id=secret).code == Code.NOT_FOUND
    for operation, fields in (
        ("List", {"namespace": "_messages/bob"}),
        ("List", {"namespace": "_messages/*"}),
        ("Search", {"query": "text", "namespace": "_messages/*"}),
        ("ArchiveList", {"namespace": "_messages/*"}),
    ):
        assert secret not in str(node.call(operation, eve, **fields))
        assert operation == "ArchiveList" or secret in str(node.call(operation, bob, **fields))
    mine = send(node, "bob", "from eve", eve)
    assert node.call("Get", eve, id=mine)["memory"]["title"] == "from eve"
    assert node.call("GetTaxonomy", eve, namespace_prefix="_messages")["total_count"] == 1
    told = {e["id"] for e in node.stream("Events", after="start", limit=3)}
    assert {secret, mine} < told, "the operator sees all"


def test_an_inbox_that_nobody_has_registered_is_for_those_who_may_use_the_name(
    node: Harness,
) -> None:
    ci, other = token(node, "ci", "ai:ci-*"), token(node, "other", "ai:x")
    record_id = send(node, "ai:ci-7")
    assert titles(node, ci, agent_id="ai:ci-7") == ["t"]
    assert node.call("Get", ci, id=record_id)["memory"]["id"] == record_id
    assert refused(node, "Get", other, id=record_id).code == Code.NOT_FOUND
    to_name = send(node, "token:other")
    assert titles(node, other) == ["t"]
    assert refused(node, "Get", ci, id=to_name).code == Code.NOT_FOUND


def test_messages_are_never_found_by_the_way(node: Harness) -> None:
    send(node, "me", "apples")
    node.store("apples too")
    asks: dict[str, Any] = {
        "List": {}, "Search": {"query": "apples"}, "Recall": {"context": "apples"},
        "SessionStart": {}, "SyncSince": {}, "Namespaces": {}, "GetTaxonomy": {}, "Stats": {},
    }  # fmt: skip
    for operation, fields in asks.items():
        answer = str(node.call(operation, **fields))
        assert "apples: text" not in answer
        assert "_messages" not in answer
    assert node.call("Stats")["total"] == 1
    assert all("_messages" not in str(record) for record in node.stream("Export"))
    assert node.call("Forget", pattern="apples")["deleted"] == 1
    assert titles(node, agent_id="me") == ["apples"]


def test_a_session_begins_with_the_number_of_messages_that_wait(node: Harness) -> None:
    ids = [send(node, "me", f"m{n}") for n in range(3)]
    assert node.call("SessionStart", agent_id="me")["unread"] == 3
    assert node.call("SessionStart")["unread"] == 0
    node.call("InboxMark", ids=ids[:1], agent_id="me")
    assert node.call("SessionStart", agent_id="me")["unread"] == 2
    bob = token(node, "bob")
    register(node, None, "me")
    assert node.call("SessionStart", bob, agent_id="me")["unread"] == 0


def test_an_agent_with_a_slash_has_an_inbox_of_its_own(node: Harness) -> None:
    send(node, "team/a", "one")
    send(node, "team/a/b", "two")
    assert titles(node, agent_id="team/a") == ["one"]
    assert node.call("Inbox", agent_id="team/a")["namespace"] == "_messages/team~a"
    for nobody in (".", ".."):
        assert refused(
            node, "Notify", target_agent_id=nobody, title="t", payload="p"
        ).path == "$.target_agent_id"  # fmt: skip


def test_a_message_is_not_rewritten_and_may_be_deleted(node: Harness) -> None:
    record_id = send(node, "me")
    for operation, fields in (("Update", {"content": "forged"}), ("Promote", {})):
        with pytest.raises(Failure, match="cannot be written by hand"):
            node.call(operation, id=record_id, **fields)
    assert node.call("Delete", id=record_id)["deleted"] is True
    assert titles(node, agent_id="me") == []


def test_a_retry_of_a_message_is_the_same_message(node: Harness) -> None:
    options = {"request_key": "k"}
    assert send(node, "me", options=options) == send(node, "me", options=options)
    assert titles(node, agent_id="me") == ["t"]


@pytest.mark.parametrize("who", ["sender", "recipient"])
def test_a_message_is_not_rewritten_by_an_import_over_its_id(node: Harness, who: str) -> None:
    sender, recipient = token(node, "sender"), token(node, "recipient")
    sent = send(node, "token:recipient", "hello", sender)
    by = {"sender": sender, "recipient": recipient}[who]
    forged = node.memory(sent) | {"content": "forged", "namespace": "mine"}
    for operation in ("Import", "SyncPush"):
        failure = refused(node, operation, by, memories=[forged])
        assert failure.code is Code.PERMISSION_DENIED
