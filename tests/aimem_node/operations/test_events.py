"""What an op means to someone who follows the log."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.operations.events import EVENTS, event_name, event_of
from aimem_node.operations.kept import KINDS
from aimem_node.store.listing import Filter
from aimem_node.store.sight import Sight
from aimem_node.store.view import View
from aimem_sync.dot import Dot, Origin
from aimem_sync.edit import Edit
from aimem_sync.log import Head, append
from aimem_sync.op import Kind, Op, Stamp
from tests.every_write import writes
from tests.harness import Harness

ME = Origin("a" * 32, "b" * 16)
SEEN = (Dot(ME, 1),)


def op(kind: str = Kind.EDIT, **said: Any) -> Op:
    body = b"" if kind == Kind.PURGE else Edit(**{"type": "memory", **said}).encode()
    stamp = Stamp(1, 1, 0)
    return append(Head(), stamp, kind, "r", body, "user:ann", "", ME, lambda chain: chain)


NEW = {"facts": {}, "namespace": "n", "life": {"is": "live"}}


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"set": NEW}, "memory_stored"),
        ({"set": NEW, "over": dict.fromkeys(NEW, SEEN)}, "memory_updated"),
        ({"set": {"body": {}}}, "memory_updated"),
        ({"set": {"priority": 3, "accessed_at": 1}, "count": {"access": 2}}, None),
        ({"set": {"accessed_at": 1}, "tag": ("x",)}, "memory_updated"),
        ({"set": {"life": {"is": "archived"}}}, "memory_archived"),
        ({"set": {"life": {"is": "deleted"}}}, "memory_deleted"),
        ({"type": "link", "set": {"body": {}}}, "link_added"),
        ({"type": "link", "set": {"valid_until": 5}}, "link_invalidated"),
        ({"type": "link", "set": {"valid_until": None}}, "link_changed"),
        ({"type": "link", "set": {"life": {"is": "deleted"}}}, "link_deleted"),
    ],
)
def test_an_edit_is_called_after_what_it_does(said: dict[str, Any], name: str | None) -> None:
    assert event_name(op(**said)) == name


def test_an_erasure_is_an_event_and_a_kind_nobody_knows_is_none() -> None:
    assert event_name(op(Kind.PURGE)) == "record_purged"
    assert event_name(op("vote")) is None


def names(node: Harness, limit: int, **fields: Any) -> list[str]:
    return [e["event"] for e in node.stream("Events", after="start", limit=limit, **fields)]


def test_moving_a_memory_and_naming_its_session_is_an_update(node: Harness) -> None:
    record_id = node.store("t", namespace="a")
    node.call("Update", id=record_id, namespace="b", session="s", content="c2")
    assert names(node, 2) == ["memory_stored", "memory_updated"]


def test_an_erased_past_is_passed_over_and_the_erasure_is_told(node: Harness) -> None:
    record_id = node.store("t", "to be forgotten")
    node.call("Forget", pattern="forgotten", erase=True)
    node.store("u")
    events = node.stream("Events", after="start", limit=2)
    assert [e["event"] for e in events] == ["record_purged", "memory_stored"]
    assert events[0]["id"] == record_id


def test_a_subtree_is_followed_without_its_neighbours(node: Harness) -> None:
    ids = [node.store("t", namespace=place) for place in ("a", "a/b", "ab", "a/b/c")]
    events = node.stream("Events", after="start", limit=3, namespace="a/*")
    assert [e["id"] for e in events] == [ids[0], ids[1], ids[3]]


@pytest.mark.parametrize("after", ["x", "-1", "1.5", "²", "٣", "9" * 19, "9" * 1000, "1 ", "START"])
def test_what_is_not_a_token_is_refused(node: Harness, after: str) -> None:
    with pytest.raises(Failure) as caught:
        node.stream("Events", after=after, limit=1)
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.after")


def test_a_link_lies_where_the_memory_lies_that_says_it(node: Harness) -> None:
    a, b = node.store("a", namespace="n"), node.store("b", namespace="other")
    node.call("Link", source_id=a, target_id=b)
    told = node.stream("Events", after="start", namespace="n", limit=2)
    assert [(e["event"], e["namespace"]) for e in told] == [
        ("memory_stored", "n"),
        ("link_added", "n"),
    ]


def test_every_kind_of_write_makes_an_event_that_can_be_subscribed_to(node: Harness) -> None:
    for operation, fields in writes(node).items():
        node.call(operation, **fields)

    def read(view: View) -> list[tuple[str, str | None]]:
        return [(p.op.record_id, event_name(p.op)) for p in view.ops_after(0, 10_000)]

    named = node.core.store.readers.submit(read, 5_000).result(10)
    assert {name for _, name in named} <= {*EVENTS, None}
    silent = {record_id.partition(":")[0] for record_id, name in named if name is None}
    assert not silent & KINDS - {"subscription"}, "only what was erased, and bookkeeping"
    assert {
        "message_sent", "message_read", "agent_registered", "standard_set", "policy_set",
        "copies_set", "pending_requested", "pending_decided", "subscription_added",
        "subscription_deleted", "record_purged",
    } <= {name for _, name in named}  # fmt: skip


def test_only_the_events_asked_for_are_told(node: Harness) -> None:
    record_id = node.store("t")
    node.call("Notify", target_agent_id="x", title="t", payload="p")
    node.call("Update", id=record_id, content="new")
    node.call("Notify", target_agent_id="x", title="t", payload="p")
    assert names(node, 2, events="message_sent") == ["message_sent", "message_sent"]
    assert names(node, 3, events="message_sent, memory_updated") == [
        "message_sent", "memory_updated", "message_sent",
    ]  # fmt: skip
    with pytest.raises(Failure) as caught:
        names(node, 1, events="memory_eaten")
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.events")
    assert "memory_stored" in caught.value.next


def told(node: Harness, sight: Sight | None) -> list[str]:
    """The names of all events that someone with this sight hears of, in the order of the log."""

    def read(view: View) -> list[str]:
        found = (event_of(view, one, Filter(), sight) for one in view.ops_after(0, 10_000))
        return [event.event for event in found if event is not None]

    found: list[str] = node.core.store.readers.submit(read, 5_000).result(10)
    return found


def test_what_is_no_memory_is_told_to_those_whom_it_concerns(node: Harness) -> None:
    me = f"user:x@{node.call('Health')['node_id']}"
    node.call("NamespaceSetStandard", namespace="acme", content="c")
    node.call("PolicySet", namespace="zeta", quota={"memories": 9})
    node.call("SetNamespaceCopies", namespace="acme/web", w=1)
    node.call("AgentRegister", agent_id="ann", agent_type="human")
    node.call("Subscribe", url="https://hooks.example.com/")
    gone = node.store("t", namespace="acme/web")
    node.call("Archive", ids=[gone])
    node.call("PolicySet", namespace="*", rules=[{"action": "purge", "level": "admin"}])
    node.call("ArchivePurge")
    whole = told(node, None)
    assert set(whole) == {
        "memory_stored", "standard_set", "policy_set", "copies_set", "agent_registered",
        "subscription_added", "record_purged",
    }  # fmt: skip
    assert "subscription_added" not in told(node, Sight(own=(me,)))
    assert "record_purged" in told(node, Sight(own=(me,)))
    assert told(node, Sight(place="acme/web/ui", own=(me,))) == [
        "memory_stored", "standard_set", "copies_set", "agent_registered", "policy_set",
    ]  # fmt: skip
    assert told(node, Sight(place="other", own=(me,))) == ["agent_registered", "policy_set"]
