"""Subscriptions, whichever way in was taken."""

from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure

URL = "https://hooks.example.com/aimem"


def test_a_subscription_is_made_listed_and_ended(way: Any, place: str) -> None:
    made = way.call("Subscribe", url=URL, events="record_purged", namespace_filter=place)
    assert len(made["secret"]) == 48
    assert (made["url"], made["events"], made["namespace_filter"]) == (URL, "record_purged", place)
    listed = way.call("ListSubscriptions")["subscriptions"]
    (mine,) = [one for one in listed if one["id"] == made["id"]]
    assert (mine["url"], mine["dispatch_count"], mine["dead"]) == (URL, 0, 0)
    assert "secret" not in mine
    assert way.call("DeadLetters", id=made["id"])["count"] == 0
    assert way.call("Replay", id=made["id"])["replayed"] == 0
    assert way.call("Unsubscribe", id=made["id"])["removed"] is True
    assert made["id"] not in str(way.call("ListSubscriptions"))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"url": "https://10.0.0.1/"}, "$.url"),
        ({"url": "https://a:b@hooks.example.com/"}, "$.url"),
        ({"url": URL, "events": "lunch"}, "$.events"),
    ],
)
def test_a_receiver_that_may_not_be_called_is_refused_at_once(
    way: Any, fields: dict[str, Any], path: str
) -> None:
    with pytest.raises(Failure) as refused:
        way.call("Subscribe", **fields)
    assert refused.value.path == path
    assert refused.value.code in (Code.INVALID_ARGUMENT, Code.PERMISSION_DENIED)
