"""What was curated is written down, the latest first, and told to those who see it."""

from typing import Any

import pytest

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.operations import curation_log
from aimem_node.operations.curation_log import step_of
from aimem_node.rpc.access_edit import create_token
from aimem_sync.state import RecordState
from tests.harness import Harness


def caller(node: Harness, name: str, place: str = "") -> Credentials:
    bearer = create_token(str(node.data_dir), name, Role.WRITER, "*", place=place)
    node.clock.move(seconds=1)
    return Credentials(channel=Channel.LOOPBACK, bearer=bearer)


def curate(node: Harness, as_: Credentials | None = None, namespace: str = "n") -> dict[str, str]:
    """One step of each kind, a second apart; their ids by action."""

    def new(title: str) -> str:
        fields = {"title": f"{title} {node.clock.us}", "content": "telling words about zebras"}
        node.clock.move(seconds=1)
        return str(node.call("Store", as_, namespace=namespace, tier="long", **fields)["id"])

    node.call("AutoTag", as_, id=new("tagged"))
    done = {
        "resolve": node.call("Resolve", as_, winner_id=new("w"), loser_id=new("l"))["step_id"],
        "consolidate": node.call(
            "Consolidate", as_, ids=[new("a"), new("b")], title=f"c {node.clock.us}", summary="s"
        )["step_id"],
    }
    node.call("Supersede", as_, winner_id=new("w"), loser_id=new("l"))
    names = [f"{name} {node.clock.us}" for name in ("Ada", "Countess")]
    into, gone = (
        node.call("EntityRegister", as_, canonical_name=name, namespace=namespace)["entity_id"]
        for name in names
    )
    node.clock.move(seconds=1)
    node.call("EntityMerge", as_, into_id=into, from_id=gone)
    return done


def test_every_step_is_written_down_the_latest_first(node: Harness) -> None:
    done = curate(node)
    log = node.call("CurationLog")
    assert [one["action"] for one in log["steps"]] == [
        "merge", "supersede", "consolidate", "resolve", "auto_tag",
    ]  # fmt: skip
    by_action = {one["action"]: one for one in log["steps"]}
    assert {action: by_action[action]["id"] for action in done} == done
    for step in log["steps"]:
        assert (step["namespace"], step["author"]) == ("n", step["agent_id"])
        assert step["sources"]
        assert "reversed_at" not in step
    times = [one["done_at"] for one in log["steps"]]
    assert times == sorted(times, reverse=True)
    assert len(by_action["consolidate"]["sources"]) == 2


def test_steps_are_told_page_by_page_and_by_kind(node: Harness, monkeypatch) -> None:
    curate(node)
    curate(node)
    everything = node.call("CurationLog")["steps"]
    assert len(everything) == 10

    def pages(**fields: Any) -> list[dict[str, Any]]:
        found, cursor = [], ""
        while True:
            page = node.call("CurationLog", cursor=cursor, **fields)
            found += page["steps"]
            cursor = page["next_cursor"]
            if not cursor:
                return found

    assert pages(limit=3) == pages(limit=10) == everything
    merges = [one for one in everything if one["action"] == "merge"]
    assert pages(action="merge", limit=1) == merges
    monkeypatch.setattr(curation_log, "STEPS_READ_MAX", 2)
    assert node.call("CurationLog", action="merge")["count"] < 2, "an answer has an end"
    assert pages(action="merge") == merges, "and says where to go on"
    with pytest.raises(Failure) as caught:
        node.call("CurationLog", cursor="nonsense")
    assert caught.value.path == "$.cursor"


def test_a_step_is_told_to_those_who_see_its_memories_and_to_who_did_it(node: Harness) -> None:
    web, sales, free = (
        caller(node, "web", "acme/web"), caller(node, "sales", "acme/sales"), caller(node, "free"),
    )  # fmt: skip
    curate(node, web, "acme/web")
    assert node.call("CurationLog", web)["count"] == 5
    assert node.call("CurationLog", free)["count"] == 5
    assert node.call("CurationLog", sales)["count"] == 0
    step = node.call("CurationLog", web)["steps"][0]
    with pytest.raises(Failure) as caught:
        node.call("Rollback", sales, id=step["id"])
    assert caught.value.code == Code.NOT_FOUND


def test_a_step_is_named_by_the_beginning_of_its_id(node: Harness) -> None:
    curate(node)
    steps = node.call("CurationLog")["steps"]
    with pytest.raises(Failure) as caught:
        node.call("Rollback", id=steps[0]["id"][:4])
    assert caught.value.code == Code.AMBIGUOUS
    assert set(caught.value.details["ids"]) == {one["id"] for one in steps}
    assert node.call("Rollback", id=steps[0]["id"][:18])["id"] == steps[0]["id"]


def test_a_step_holds_no_words_of_what_it_speaks_of(node: Harness) -> None:
    curate(node)
    page = node.core.replica.store.readers.submit(lambda v: v.ops_after(0, 1_000), 1_000).result(9)
    bodies = [one.op.body for one in page if one.op.record_id.startswith("step:")]
    assert len(bodies) == 5
    assert not any(word in body for body in bodies for word in (b"zebra", b"telling", b"Ada"))


def test_a_record_that_tells_nothing_is_no_step() -> None:
    assert step_of(RecordState("step:x")) is None
    assert step_of(RecordState("step:x", type="step")) is None
    assert step_of(RecordState("step:x", purged=True)) is None
