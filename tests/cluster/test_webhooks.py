"""Webhooks of a cluster: one member delivers, and the next one goes on where it stopped."""

import json
import threading
from collections.abc import Mapping
from typing import Any

import pytest

from aimem_node.followers import webhooks
from aimem_node.outbound.signing import verify
from chaos.team import Team

SECRET = "shared with the receiver"


class Receiver:
    """One receiver for the webhooks of all nodes, which notes who called it."""

    def __init__(self, team: Team) -> None:
        self._lock = threading.Lock()
        self.got: list[tuple[str, dict[str, Any]]] = []
        for name in team.names:
            self.listen_to(team, name)

    def listen_to(self, team: Team, name: str) -> None:
        clock = team.clocks[name]

        async def post(_url: str, headers: Mapping[str, str], body: bytes) -> int:
            assert verify(SECRET.encode(), headers, body, clock.now_us() // 1_000_000)
            with self._lock:
                self.got.append((name, json.loads(body)))
            return 204

        team.core(name).webhooks._post = post

    def of(self, record_id: str) -> list[str]:
        """Which nodes told of a memory, in order."""
        return [name for name, body in self.got if body["memory_id"] == record_id]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "LOOK_EVERY_S", 0.05)
    monkeypatch.setattr(webhooks, "KEEP_AFTER_S", 0.05)


def test_one_member_delivers_what_happens_on_any_and_another_goes_on_when_it_is_down(
    three: Team,
) -> None:
    receiver = Receiver(three)
    asked = {"url": "https://hooks.example.com/", "secret": SECRET, "events": "memory_stored"}
    subscription_id = three.call("a", "Subscribe", **asked)["id"]
    three.until_level()
    first = [three.store(name, f"by {name}")["id"] for name in three.names]
    three.until(lambda: all(receiver.of(one) for one in first), "all three are told of")
    told_by = {name for one in first for name in receiver.of(one)}
    assert len(told_by) == 1, "one member delivers"
    assert [len(receiver.of(one)) for one in first] == [1, 1, 1]
    (deliverer,) = told_by
    three.until_level()

    three.stop(deliverer)
    left = [name for name in three.names if name != deliverer]
    second = [three.store(name, f"later by {name}")["id"] for name in left]
    three.until(lambda: all(receiver.of(one) for one in second), "told of by another")
    assert {name for one in second for name in receiver.of(one)} <= set(left)
    shown = three.call(left[0], "ListSubscriptions")["subscriptions"][0]
    assert shown["id"] == subscription_id
    assert shown["deliverer"] in {three.ids[name] for name in left}
    ids = [body["delivery_id"] for _, body in receiver.got]
    assert len(set(ids)) == len(first) + len(second)


def test_a_member_that_is_cut_off_delivers_nothing(three: Team) -> None:
    receiver = Receiver(three)
    asked = {"url": "https://hooks.example.com/", "secret": SECRET, "events": "memory_stored"}
    three.call("a", "Subscribe", **asked)
    three.until_level()
    one = three.store("a", "before")["id"]
    three.until(lambda: receiver.of(one), "told of")
    (deliverer,) = set(receiver.of(one))
    three.part(deliverer)
    alone = three.store(
        deliverer, "nobody else knows", options={"allow_pending": True, "deadline_ms": 50}
    )["id"]
    others = [name for name in three.names if name != deliverer]
    known = three.store(others[0], "the others know")["id"]
    three.until(lambda: receiver.of(known), "the others tell of theirs")
    three.heal()
    three.until(lambda: receiver.of(alone), "told of once it is known")
    assert len({body["delivery_id"] for _, body in receiver.got}) == 3
