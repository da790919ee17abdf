"""The graph, whichever way in was taken."""

from itertools import pairwise
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure

FROM, UNTIL = "2021-02-01T00:00:00Z", "2021-03-01T00:00:00Z"
BETWEEN, BEFORE, AFTER = "2021-02-15T00:00:00Z", "2021-01-15T00:00:00Z", "2021-03-15T00:00:00Z"


@pytest.fixture
def chain(way: Any, place: str) -> list[str]:
    """Three memories, each linked to the next."""
    ids = [
        way.call("Store", title=title, content="c", namespace=place, tier="long")["id"]
        for title in ("first", "second", "third")
    ]
    for source, target in pairwise(ids):
        way.call("Link", source_id=source, target_id=target, valid_from=FROM, agent_id="ai:one")
    return ids


def test_what_can_be_reached_is_told_with_the_way_to_it(way: Any, chain: list[str]) -> None:
    first, second, third = chain
    answer = way.call("KgQuery", source_id=first, max_depth=2)
    assert [node["target_id"] for node in answer["memories"]] == [second, third]
    assert answer["paths"] == [f"{first}->{second}", f"{first}->{second}->{third}"]
    assert (answer["count"], answer["truncated"]) == (2, False)
    node = answer["memories"][1]
    assert (node["source_id"], node["depth"], node["title"]) == (second, 2, "third")
    assert (node["relation"], node["observed_by"]) == ("related_to", "ai:one")
    assert node["valid_from"] == FROM < node["observed_at"]
    only = way.call(
        "KgQuery", source_id=third, max_depth=2, direction="in", allowed_agents=["ai:one"],
        relations=["related_to"], limit=1,
    )  # fmt: skip
    assert ([one["target_id"] for one in only["memories"]], only["truncated"]) == ([second], True)


def test_what_was_true_is_told_for_a_moment_and_as_it_was_known(way: Any, chain: list[str]) -> None:
    first, second, _ = chain
    about = {"source_id": first, "target_id": second, "relation": "related_to"}
    ended = way.call("KgInvalidate", **about, valid_until=UNTIL)
    assert (ended["found"], ended["valid_until"]) == (True, UNTIL)

    def held(**when: Any) -> int:
        return int(way.call("KgQuery", source_id=first, **when)["count"])

    assert [held(valid_at=at) for at in (BEFORE, FROM, BETWEEN, UNTIL, AFTER)] == [0, 1, 1, 0, 0]
    assert (held(), held(include_invalid=True), held(as_of=BETWEEN)) == (0, 1, 0)
    timeline = way.call("KgTimeline", source_id=first, since=FROM, until=UNTIL)
    (event,) = timeline["events"]
    assert (event["target_id"], event["valid_from"], event["valid_until"]) == (second, FROM, UNTIL)
    assert way.call("KgTimeline", source_id=first, as_of=BETWEEN)["events"] == []
    known = way.call("Get", id=first, as_of=event["observed_at"])["links"]
    assert [link.get("valid_until") for link in known] == [None]
    again = way.call("Link", **about)
    assert (again["linked"], held()) == (True, 1)
    assert way.call("KgInvalidate", **{**about, "relation": "contradicts"})["found"] is False
    with pytest.raises(Failure) as caught:
        way.call("KgInvalidate", **about, valid_until=BEFORE)
    assert (caught.value.code, caught.value.path) == (Code.INVALID_ARGUMENT, "$.valid_until")


def test_what_was_not_known_yet_is_not_found(way: Any, chain: list[str]) -> None:
    with pytest.raises(Failure) as caught:
        way.call("Get", id=chain[0], as_of=BETWEEN)
    assert (caught.value.code, caught.value.path) == (Code.NOT_FOUND, "$.as_of")


def test_one_memory_takes_the_place_of_another(way: Any, chain: list[str]) -> None:
    first, second, third = chain
    done = way.call("Supersede", winner_id=first, loser_id=second)
    assert (done["superseded"], done["archived"]) == (True, True)
    again = way.call("Supersede", winner_id=first, loser_id=second)
    assert (again["link_id"], again["write"]["write_ids"]) == (done["link_id"], [])
    assert way.call("Get", id=second)["memory"]["archive_reason"] == "superseded"
    way.call("Supersede", winner_id=third, loser_id=first, keep=True)
    with pytest.raises(Failure) as caught:
        way.call("Supersede", winner_id=first, loser_id=third)
    assert (caught.value.code, caught.value.path) == (Code.CONFLICT, "$.winner_id")
