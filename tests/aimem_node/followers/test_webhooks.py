"""Deliveries: at least once, in order, signed, and given up in the end rather than for ever."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.followers import webhooks
from aimem_node.outbound.signing import verify
from aimem_node.replica.writing import Intent
from aimem_sync.change import Change
from tests.harness import Harness

URL = "https://hooks.example.com/aimem"
SECRET = "correct horse battery"


class Receiver:
    """Takes what is posted, or answers as a test says."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.headers: list[Mapping[str, str]] = []
        self.bodies: list[bytes] = []
        self.answers: list[int | Failure | None] = []
        """Status, failure, or None for a receiver that never answers; 204 when it is empty."""
        self.came = asyncio.Event()

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        assert url == URL
        self.headers.append(headers)
        self.bodies.append(body)
        self.got.append(json.loads(body))
        answer = self.answers.pop(0) if self.answers else 204
        self.came.set()
        if answer is None:
            await asyncio.Event().wait()
        if isinstance(answer, Failure):
            raise answer
        return answer or 204


class Node(Harness):
    """A node whose webhooks go to a receiver in the test."""

    def __init__(self, data_dir: Path, receiver: Receiver) -> None:
        super().__init__(data_dir)
        self.receiver = receiver
        self.core.webhooks._post = receiver.post

    def until(self, count: int) -> list[dict[str, Any]]:
        """What has come, once that many deliveries have."""

        async def wait() -> None:
            while len(self.receiver.got) < count:
                self.receiver.came.clear()
                await self.receiver.came.wait()

        self.run(asyncio.wait_for(wait(), 20))
        return self.receiver.got

    def subscribe(self, **fields: Any) -> str:
        asked = {"url": URL, "secret": SECRET, **fields}
        return str(self.call("Subscribe", **asked)["id"])

    def until_no_letters(self, subscription_id: str) -> None:
        """Return once nothing is given up any more."""

        async def wait() -> None:
            while (await self.acall("DeadLetters", id=subscription_id))["count"]:
                before = self.core.dispatcher.announcements.pos
                await asyncio.wait_for(self.core.dispatcher.announcements.beyond(before), 20)

        self.run(wait())


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real pauses are minutes."""
    monkeypatch.setattr(webhooks, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(webhooks, "KEEP_AFTER_S", 0.01)
    monkeypatch.setattr(webhooks, "RETRY_AFTER_S", (0.0, 0.0, 0.0))


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    running = Node(tmp_path / "data", Receiver())
    yield running
    running.stop()


def test_what_happens_after_the_subscription_is_sent_in_order_and_signed(node: Node) -> None:
    node.store("before")
    subscription_id = node.subscribe()
    ids = [node.store(f"after {n}", namespace="acme") for n in range(3)]
    node.call("Delete", id=ids[0])
    got = node.until(4)
    assert [(one["event"], one["memory_id"]) for one in got] == [
        *(("memory_stored", record_id) for record_id in ids),
        ("memory_deleted", ids[0]),
    ]
    assert {one["subscription_id"] for one in got} == {subscription_id}
    assert {one["namespace"] for one in got} == {"acme"}
    now_s = node.clock.now_us() // 1_000_000
    for headers, body in zip(node.receiver.headers, node.receiver.bodies, strict=True):
        assert verify(SECRET.encode(), headers, body, now_s)


def test_no_text_of_a_memory_is_sent(node: Node) -> None:
    node.subscribe()
    node.store("a title", "the content")
    body = json.dumps(node.until(1))
    assert "a title" not in body
    assert "the content" not in body


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"events": "memory_deleted"}, [("memory_deleted", "a")]),
        ({"namespace_filter": "n/b"}, [("memory_stored", "b")]),
        ({"namespace_filter": "n/*", "events": "memory_stored,memory_deleted"},
         [("memory_stored", "a"), ("memory_stored", "b"), ("memory_deleted", "a")]),
        ({"agent_filter": "ai:b"}, [("memory_stored", "b")]),
    ],
)  # fmt: skip
def test_only_what_was_asked_for_is_sent(
    node: Node, asked: dict[str, Any], wanted: list[tuple[str, str]]
) -> None:
    node.subscribe(**asked)
    ids = {
        node.store(name, namespace=f"n/{name}", agent_id=f"ai:{name}"): name for name in ("a", "b")
    }
    node.call("Delete", id=next(iter(ids)))
    got = node.until(len(wanted))
    assert [(one["event"], ids[one["memory_id"]]) for one in got] == wanted


def test_a_receiver_that_fails_gets_the_same_delivery_again_and_the_next_ones_wait(
    node: Node,
) -> None:
    node.receiver.answers = [500, Failure(Code.UNAVAILABLE, "refused"), 200]
    subscription_id = node.subscribe()
    first, second = node.store("first"), node.store("second")
    got = node.until(4)
    assert [one["memory_id"] for one in got] == [first, first, first, second]
    assert len({one["delivery_id"] for one in got[:3]}) == 1
    shown = node.call("ListSubscriptions")["subscriptions"][0]
    assert (shown["id"], shown["failure_count"]) == (subscription_id, 2)


def test_what_is_never_taken_is_given_up_and_can_be_sent_once_more(node: Node) -> None:
    node.receiver.answers = [500] * 4
    subscription_id = node.subscribe()
    lost, taken = node.store("lost"), node.store("taken")
    assert node.until(5)[-1]["memory_id"] == taken
    letters = node.call("DeadLetters", id=subscription_id)["deliveries"]
    assert [(one["memory_id"], one["attempts"], one["reason"]) for one in letters] == [
        (lost, 4, "the receiver answered 500")
    ]
    assert node.call("Replay", id=subscription_id)["replayed"] == 1
    assert node.until(6)[-1]["memory_id"] == lost
    node.until_no_letters(subscription_id)


def test_a_redirect_is_no_delivery(node: Node) -> None:
    node.receiver.answers = [302]
    node.subscribe()
    node.store("a")
    got = node.until(2)
    assert got[0]["delivery_id"] == got[1]["delivery_id"]


def test_one_can_go_back_to_a_moment(node: Node) -> None:
    first = node.store("first")
    node.clock.move(seconds=10)
    subscription_id = node.subscribe()
    second = node.store("second")
    assert [one["memory_id"] for one in node.until(1)] == [second]
    node.call("Replay", id=subscription_id, since="2020-01-01T00:00:00Z")
    got = node.until(3)
    assert [one["memory_id"] for one in got[1:]] == [first, second]


def test_a_sender_that_dies_midway_sends_again_what_nobody_confirmed(tmp_path: Path) -> None:
    receiver = Receiver()
    receiver.answers = [None]
    first = Node(tmp_path / "data", receiver)
    first.subscribe()
    record_id = first.store("a")
    first.until(1)
    first.stop()
    again = Receiver()
    second = Node(tmp_path / "data", again)
    try:
        got = second.until(1)
        assert got[0]["memory_id"] == record_id
        assert got[0]["delivery_id"] == receiver.got[0]["delivery_id"]
    finally:
        second.stop()


def test_after_unsubscribing_nothing_is_sent_any_more(node: Node) -> None:
    gone, stays = (node.subscribe(events="memory_stored") for _ in range(2))
    assert node.call("Unsubscribe", id=gone)["removed"] is True
    assert node.call("Unsubscribe", id=gone)["removed"] is False
    node.store("a")
    assert {one["subscription_id"] for one in node.until(1)} == {stays}


def test_the_secret_is_shown_once_and_stands_nowhere_in_the_clear(node: Node) -> None:
    made = node.call("Subscribe", url=URL)
    assert len(made["secret"]) == 48
    assert node.call("Subscribe", url=URL, secret=SECRET)["secret"] == ""
    listed = json.dumps(node.call("ListSubscriptions"))
    on_disk = b"".join(path.read_bytes() for path in node.data_dir.glob("aimem.db*"))
    for secret in (made["secret"], SECRET):
        assert secret not in listed
        assert secret.encode() not in on_disk


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"url": "http://hooks.example.com/"}, "$.url"),
        ({"url": "https://user:pass@hooks.example.com/"}, "$.url"),
        ({"url": "https://169.254.169.254/latest"}, "$.url"),
        ({"url": "https://0x7f.1/"}, "$.url"),
        ({"events": "memory_eaten"}, "$.events"),
        ({"namespace_filter": "a//b"}, "$.namespace_filter"),
    ],
)
def test_what_cannot_be_delivered_is_refused_when_it_is_asked_for(
    node: Node, fields: dict[str, Any], path: str
) -> None:
    with pytest.raises(Failure) as refused:
        node.subscribe(**fields)
    assert refused.value.path == path


def test_a_damaged_subscription_holds_up_no_other(node: Node) -> None:
    me = node.core.replica.identity.fingerprint
    said: Any = {"url": URL, "owner": "user:x@1", "place": "", "events": 7}
    damaged: Any = {"said": said, "sealed": {me: "garbage", "other": 1}, "life": {"is": "live"}}

    def work(tx: Any) -> str:
        for name in ("0", "~"):  # before the other one and behind it
            tx.change(Change(f"subscription:{name}", "subscription", set=damaged))
        return ""

    intent: Any = Intent("node:test", node.clock.now_us(), str.encode, bytes.decode)
    node.run(node.core.replica.write(intent, work))
    node.subscribe()
    record_id = node.store("t")
    node.store("u")
    assert next(one["memory_id"] for one in node.until(2)) == record_id
    listed = node.call("ListSubscriptions")
    assert listed["count"] == 3
