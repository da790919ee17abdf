"""Whose subscriptions are whose, and what may be said about them."""

from typing import Any

import pytest

from aimem_node.contract.calls import Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.operations import subscriptions
from tests.every_write import somebody_else
from tests.harness import Harness

URL = "https://hooks.example.com/"


@pytest.fixture
def ann(node: Harness) -> Credentials:
    return somebody_else(node, "ann", Role.WRITER)


def refused(node: Harness, operation: str, who: Any = None, **fields: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call(operation, who, **fields)
    return caught.value


def test_a_subscription_is_its_owners_and_the_operators_and_nobody_elses(
    node: Harness, ann: Credentials
) -> None:
    hers = node.call("Subscribe", ann, url=URL)["id"]
    his = node.call("Subscribe", url=URL)["id"]
    bob = somebody_else(node, "bob", Role.WRITER)
    assert [one["id"] for one in node.call("ListSubscriptions", ann)["subscriptions"]] == [hers]
    assert node.call("ListSubscriptions", bob)["count"] == 0
    assert {one["id"] for one in node.call("ListSubscriptions")["subscriptions"]} == {hers, his}
    for operation in ("Unsubscribe", "Replay", "DeadLetters"):
        assert refused(node, operation, bob, id=hers).code == Code.NOT_FOUND
    assert node.call("Unsubscribe", id=hers)["removed"] is True


def test_an_id_may_be_cut_short_as_long_as_it_names_one(
    node: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [node.call("Subscribe", url=URL)["id"] for _ in range(2)]
    assert refused(node, "Unsubscribe", id="").code == Code.INVALID_ARGUMENT
    one = next(n for n in range(1, 40) if ids[0][:n] != ids[1][:n])
    assert node.call("Unsubscribe", id=ids[0][:one])["id"] == ids[0]


def test_there_is_an_end_to_how_many_there_may_be(
    node: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "SUBSCRIPTIONS_MAX", 2)
    for _ in range(2):
        node.call("Subscribe", url=URL)
    failure = refused(node, "Subscribe", url=URL)
    assert (failure.code, "unsubscribe" in failure.next) == (Code.CONFLICT, True)


def test_one_that_has_ended_cannot_be_sent_again(node: Harness) -> None:
    subscription_id = node.call("Subscribe", url=URL)["id"]
    node.call("Unsubscribe", id=subscription_id)
    assert refused(node, "Replay", id=subscription_id).code == Code.NOT_FOUND


def test_the_same_request_key_subscribes_once_and_tells_the_same_secret(node: Harness) -> None:
    fields = {"url": URL, "options": {"request_key": "k"}}
    first, again = node.call("Subscribe", **fields), node.call("Subscribe", **fields)
    assert (first["id"], first["secret"]) == (again["id"], again["secret"])
    assert node.call("ListSubscriptions")["count"] == 1
