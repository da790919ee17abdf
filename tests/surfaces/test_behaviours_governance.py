"""Policies and what waits for approval, by every way in."""

import json
from typing import Any

import pytest

from aimem_node.contract import codec
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS
from tests.surfaces.ways import Running

SOMEBODY_ELSE = Credentials(channel=Channel.LOOPBACK, surface="http")
"""Whoever comes over the loopback port, which this node leaves open to writers."""


def asked(running: Running, place: str, who: Credentials = SOMEBODY_ELSE) -> str:
    """Something that waits for the node's own user, or for somebody else; its id."""
    core = running.node.core
    assert core is not None
    fields = {"title": "wish", "content": "c", "namespace": place}
    request = codec.from_json(OPERATIONS["Store"].request, fields)
    write = codec.to_json(running.run(core.dispatcher.call("Store", request, who)))["write"]
    assert write["outcome"] == "awaiting_approval"
    return str(write["awaiting"]["pending_id"])


def test_a_policy_is_set_shown_explained_enforced_and_taken_away(way: Any, place: str) -> None:
    rules = [{"action": "delete", "level": "deny"}, {"action": "store", "level": "any"}]
    done = way.call("PolicySet", namespace=place, rules=rules, secrets="redact")
    assert [rule["action"] for rule in done["policy"]["rules"]] == ["delete", "store"]
    held = way.call("PolicyGet", namespace=f"{place}/x")["policies"]
    assert held[-1]["namespace"] == place
    assert held[-1]["secrets"] == "redact"
    told = way.call("PolicyExplain", action="delete", namespace=f"{place}/x")
    assert (told["verdict"], told["set_at"], told["reason"]) == ("deny", place, "nobody may")
    record_id = way.call("Store", title="t", content="c", namespace=f"{place}/x")["id"]
    with pytest.raises(Failure) as caught:
        way.call("Delete", id=record_id)
    assert caught.value.code is Code.PERMISSION_DENIED
    assert f"the rule 'delete: deny' set at {place}" in caught.value.message
    assert f"aimem policy explain delete {place}/x" in caught.value.next
    assert way.call("PolicyClear", namespace=place, actions=["delete"])["cleared"] is True
    assert way.call("Delete", id=record_id)["deleted"] is True


def test_a_quota_is_refused_by_name(way: Any, place: str) -> None:
    way.call("PolicySet", namespace=place, quota={"memories": 1})
    way.call("Store", title="one", content="c", namespace=place)
    with pytest.raises(Failure) as caught:
        way.call("Store", title="two", content="c", namespace=place)
    assert f"the quota set at {place} allows 1 live memories" in caught.value.message


def test_a_secret_is_refused_without_being_repeated(way: Any, place: str) -> None:
    secret = "hunter2-" + "Zq8" * 4
    with pytest.raises(Failure) as caught:
        way.call("Store", title="t", content=f"password: {secret}", namespace=place)
    failure = caught.value
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, "$.content")
    assert secret not in json.dumps([failure.message, failure.next, dict(failure.details)])
    way.call("PolicySet", namespace=place, secrets="redact")
    record_id = way.call("Store", title="t", content=f"password: {secret}", namespace=place)["id"]
    assert secret not in json.dumps(way.call("Get", id=record_id))


def test_what_waits_is_listed_approved_rejected_and_taken_back(
    way: Any, running: Running, place: str
) -> None:
    rules = [{"action": "store", "level": "approve", "approver": "human"}]
    way.call("PolicySet", namespace=place, rules=rules)
    yes, no = asked(running, place), asked(running, place)
    mine = asked(running, place, running.me)
    waiting = way.call("PendingList", status="pending", limit=1000)["pending"]
    here = [one["id"] for one in waiting if one["namespace"] == place]
    assert sorted(here) == sorted([yes, no, mine])
    done = way.call("PendingApprove", id=yes)
    assert (done["approved"], done["executed"]) == (True, True)
    assert way.call("Get", id=done["memory_id"])["memory"]["title"] == "wish"
    assert way.call("PendingReject", id=no)["rejected"] is True
    with pytest.raises(Failure) as caught:
        way.call("PendingApprove", id=mine)
    assert caught.value.code is Code.PERMISSION_DENIED
    assert way.call("PendingCancel", id=mine)["cancelled"] is True
    with pytest.raises(Failure) as caught:
        way.call("PendingApprove", id=no)
    assert caught.value.code is Code.CONFLICT
