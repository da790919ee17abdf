"""The graph: facts with two clocks, walked within bounds and within sight."""

from typing import Any

import pytest

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.contract.times import show_time
from aimem_node.rpc.access_edit import create_token
from aimem_node.store import graph
from aimem_node.store.listing import Filter
from tests.harness import DAY_US, START_US, Harness


def day(number: float) -> str:
    """A moment, so many days after the test's clock began."""
    return show_time(START_US + int(number * DAY_US))


def query(node: Harness, source: str, **fields: Any) -> list[str]:
    answer = node.call("KgQuery", source_id=source, **fields)
    assert answer["count"] == len(answer["memories"]) == len(answer["paths"])
    return [one["target_id"] for one in answer["memories"]]


def refused(node: Harness, operation: str, **fields: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        node.call(operation, **fields)
    return caught.value


@pytest.fixture
def abc(node: Harness) -> tuple[str, str, str]:
    """Three memories, the first linked to the second and that one to the third."""
    a, b, c = (node.store(name, tier="long") for name in "abc")
    node.call("Link", source_id=a, target_id=b)
    node.call("Link", source_id=b, target_id=c, relation="derived_from")
    return a, b, c


def test_a_walk_shows_each_memory_once_with_the_shortest_way_to_it(node: Harness, abc) -> None:
    a, b, c = abc
    node.clock.move(seconds=1)
    node.call("Link", source_id=c, target_id=a)
    d = node.store("d", tier="long")
    for source in (b, c):
        node.call("Link", source_id=source, target_id=d)
    answer = node.call("KgQuery", source_id=a, max_depth=5)
    shown = [(one["target_id"], one["depth"], one["path"]) for one in answer["memories"]]
    assert shown == [(b, 1, f"{a}->{b}"), (c, 2, f"{a}->{b}->{c}"), (d, 2, f"{a}->{b}->{d}")]
    assert answer["paths"] == [path for _, _, path in shown]
    assert answer["truncated"] is False
    first = answer["memories"][0]
    assert (first["source_id"], first["relation"], first["title"]) == (a, "related_to", "b")
    assert first["observed_at"] == first["valid_from"] == day(0)
    assert query(node, a) == [b]


def test_links_are_followed_in_the_direction_and_of_the_relations_asked_for(
    node: Harness, abc
) -> None:
    a, b, c = abc
    assert query(node, c, max_depth=3) == []
    assert query(node, c, max_depth=3, direction="in") == [b, a]
    (said,) = node.call("KgQuery", source_id=b, direction="in")["memories"]
    assert (said["source_id"], said["target_id"], said["direction"]) == (b, a, "in")
    assert query(node, b, direction="both") == [c, a]
    assert query(node, a, max_depth=3, relations=["related_to"]) == [b]
    assert query(node, a, max_depth=3, relations=["related_to", "derived_from"]) == [b, c]


def test_a_link_holds_from_its_start_until_just_before_its_end(node: Harness) -> None:
    a, b = node.store("a", tier="long"), node.store("b", tier="long")
    node.call("Link", source_id=a, target_id=b, valid_from=day(1), valid_until=day(3))
    assert query(node, a) == []
    held = [at for at in (0.5, 1, 2, 2.999, 3, 4) if query(node, a, valid_at=day(at))]
    assert held == [1, 2, 2.999]
    assert query(node, a, include_invalid=True) == [b]


def test_only_links_of_the_agents_asked_for_are_followed(node: Harness) -> None:
    a, b, c = (node.store(name, tier="long") for name in "abc")
    node.call("Link", source_id=a, target_id=b, agent_id="ai:one")
    node.call("Link", source_id=a, target_id=c)
    assert query(node, a, allowed_agents=["ai:one"]) == [b]
    assert query(node, a, allowed_agents=["ai:nobody"]) == []
    node.call("AgentRegister", agent_id="ai:me", agent_type="human")
    assert set(query(node, a, allowed_agents=["ai:me"])) == {b, c}, (
        "whoever wrote them is bound to it"
    )


def test_an_ended_link_stays_in_history_and_can_be_made_again(node: Harness, abc) -> None:
    a, b, _ = abc
    node.clock.move(days=1)
    ended = node.call("KgInvalidate", source_id=a, target_id=b, relation="related_to")
    assert (ended["found"], ended["valid_until"]) == (True, day(1))
    assert "previous_valid_until" not in ended or ended["previous_valid_until"] is None
    assert query(node, a) == []
    again = node.call("KgInvalidate", source_id=a, target_id=b, relation="related_to")
    assert (again["valid_until"], again["write"]["write_ids"]) == (day(1), [])
    node.clock.move(days=1)
    new = node.call("Link", source_id=a, target_id=b)
    assert new["linked"] is True
    assert new["id"] != ended["id"]
    assert query(node, a) == [b]
    events = node.call("KgTimeline", source_id=a)["events"]
    assert [(e["link_id"], e["valid_from"], e.get("valid_until")) for e in events] == [
        (ended["id"], day(0), day(1)), (new["id"], day(2), None),
    ]  # fmt: skip
    assert query(node, a, valid_at=day(1.5)) == []


def test_a_fact_that_holds_is_returned_and_not_stated_twice(node: Harness, abc) -> None:
    a, b, _ = abc
    node.clock.move(days=1)
    again = node.call("Link", source_id=a, target_id=b)
    assert (again["linked"], again["write"]["write_ids"]) == (False, [])
    earlier = node.call("Link", source_id=a, target_id=b, valid_from=day(-9), valid_until=day(-8))
    assert earlier["linked"] is True, "another time is another fact"


def test_a_link_cannot_end_before_it_begins(node: Harness, abc) -> None:
    a, b, _ = abc
    failure = refused(
        node, "KgInvalidate", source_id=a, target_id=b, relation="related_to", valid_until=day(-1)
    )
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, "$.valid_until")
    assert query(node, a) == [b]


def test_to_end_what_was_never_stated_writes_nothing(node: Harness, abc) -> None:
    a, b, _ = abc
    answer = node.call("KgInvalidate", source_id=a, target_id=b, relation="contradicts")
    assert (answer["found"], answer["write"]["write_ids"]) == (False, [])


def test_an_end_can_be_moved_nearer(node: Harness, abc) -> None:
    a, b, _ = abc
    node.clock.move(days=9)
    about = {"source_id": a, "target_id": b, "relation": "related_to"}
    node.call("KgInvalidate", **about)
    moved = node.call("KgInvalidate", **about, valid_until=day(4))
    assert (moved["valid_until"], moved["previous_valid_until"]) == (day(4), day(9))
    assert query(node, a, valid_at=day(5)) == []


def test_what_was_true_one_day_is_told_as_it_was_known_on_another(node: Harness) -> None:
    a, b = node.store("a", "first", tier="long"), node.store("b", tier="long")
    node.clock.move(days=10)
    node.call("Link", source_id=a, target_id=b, valid_from=day(1))
    node.clock.move(days=10)
    node.call("KgInvalidate", source_id=a, target_id=b, relation="related_to", valid_until=day(5))
    node.call("Update", id=a, content="second")
    node.clock.move(days=10)
    assert query(node, a, valid_at=day(6), as_of=day(9)) == [], "not learned yet"
    assert query(node, a, valid_at=day(6), as_of=day(15)) == [b], "learned, and thought to hold"
    assert query(node, a, valid_at=day(6), as_of=day(25)) == [], "known to have ended"
    assert query(node, a, valid_at=day(4), as_of=day(25)) == [b]
    assert query(node, a, as_of=day(15)) == [b], "what was thought to hold then"
    [event] = node.call("KgTimeline", source_id=a, as_of=day(15))["events"]
    assert (event["valid_from"], event.get("valid_until")) == (day(1), None)
    assert event["observed_at"] == day(10)
    assert node.call("KgTimeline", source_id=a, as_of=day(9))["events"] == []
    then = node.call("Get", id=a, as_of=day(15))
    assert then["memory"]["content"] == "first"
    assert [link.get("valid_until") for link in then["links"]] == [None]
    now = node.call("Get", id=a)
    assert now["memory"]["content"] == "second"
    assert now["links"][0]["valid_until"] == day(5)
    assert now["links"][0]["observed_at"] == day(10)


def test_what_was_removed_since_was_known_then(node: Harness, abc) -> None:
    a, b, _ = abc
    node.clock.move(days=1)
    node.call("Unlink", source_id=a, target_id=b)
    assert query(node, a, include_invalid=True) == []
    assert node.call("KgTimeline", source_id=a)["events"] == []
    assert query(node, a, as_of=day(0.5)) == [b]
    assert [one["target_id"] for one in node.call("Get", id=a, as_of=day(0.5))["links"]] == [b]


@pytest.mark.parametrize("how", ["Delete", "expire", "collect"])
def test_what_is_gone_is_neither_shown_nor_walked_through(node: Harness, how: str) -> None:
    a, c = (node.store(name, tier="long") for name in "ac")
    b = node.store("b", ttl_secs=60)
    node.call("Link", source_id=a, target_id=b)
    node.call("Link", source_id=b, target_id=c)
    assert query(node, a, max_depth=2) == [b, c]
    if how == "Delete":
        node.call("Delete", id=b)
    else:
        node.clock.move(seconds=61)
        if how == "collect":
            node.call("Gc")
    assert query(node, a, max_depth=2) == []
    assert node.call("KgTimeline", source_id=a)["events"] == []


def test_a_walk_never_goes_through_what_its_caller_may_not_see(node: Harness) -> None:
    a, c = (node.store(name, namespace="org/team/mine", scope="org") for name in "ac")
    b = node.store("b", namespace="org/team/yours", scope="private")
    node.call("Link", source_id=a, target_id=b)
    node.call("Link", source_id=b, target_id=c)
    assert query(node, a, max_depth=3) == [b, c]
    bearer = create_token(str(node.data_dir), "placed", Role.WRITER, place="org/team/mine")
    node.clock.move(seconds=1)
    as_ = Credentials(channel=Channel.LOOPBACK, bearer=bearer, surface="http")
    answer = node.call("KgQuery", as_, source_id=a, max_depth=3)
    assert (answer["memories"], answer["truncated"]) == ([], False)
    assert node.call("KgTimeline", as_, source_id=a)["events"] == []
    assert node.call("Get", as_, id=a)["links"] == []
    assert node.call("Get", as_, id=a, as_of=day(1))["links"] == []
    with pytest.raises(Failure) as caught:
        node.call("KgQuery", as_, source_id=b)
    assert (caught.value.code, caught.value.path) == (Code.NOT_FOUND, "$.source_id")


def test_a_walk_ends_at_its_limit_and_says_so(node: Harness, abc) -> None:
    a, b, c = abc
    answer = node.call("KgQuery", source_id=a, max_depth=2, limit=1)
    assert ([one["target_id"] for one in answer["memories"]], answer["truncated"]) == ([b], True)
    answer = node.call("KgQuery", source_id=a, max_depth=2, limit=2)
    assert ([one["target_id"] for one in answer["memories"]], answer["truncated"]) == (
        [b, c],
        False,
    )
    assert node.call("KgTimeline", source_id=a, limit=1)["truncated"] is False


def test_the_work_of_a_walk_is_bounded_by_links_and_not_by_what_is_shown(
    node: Harness, monkeypatch
) -> None:
    monkeypatch.setattr(graph, "FOLDED_MAX", 3)
    a = node.store("a", tier="long")
    ends = [node.store(f"b{at}", tier="long") for at in range(5)]
    for end in ends:
        node.call("Link", source_id=a, target_id=end)
    node.clock.move(days=1)
    for end in ends:
        node.call("KgInvalidate", source_id=a, target_id=end, relation="related_to")
    read = node.core.replica.store.readers.submit

    def walked(links_max: int) -> Any:
        asked = graph.Walk(
            source_id=a, links=graph.Links(at_us=START_US), wanted=Filter(), depth=2, limit=10,
            links_max=links_max,
        )  # fmt: skip
        trail = read(lambda view: view.walk(asked), 1_000).result(10)
        return len(trail.found), trail.truncated

    assert walked(4) == (4, True)
    assert walked(5) == (5, False)
    then = node.call("KgQuery", source_id=a, as_of=day(0.5))
    assert (then["count"], then["truncated"]) == (3, True), "no more are folded again"


def test_a_timeline_is_bounded_by_its_ends_which_belong_to_it(node: Harness) -> None:
    a = node.store("a", tier="long")
    ends = [node.store(f"b{at}", tier="long") for at in range(4)]
    for at, end in enumerate(ends):
        node.call("Link", source_id=a, target_id=end, valid_from=day(at))
    events = node.call("KgTimeline", source_id=a, since=day(1), until=day(2))["events"]
    assert [one["target_id"] for one in events] == ends[1:3]
    answer = node.call("KgTimeline", source_id=a, limit=3)
    assert ([one["target_id"] for one in answer["events"]], answer["truncated"]) == (ends[:3], True)


def test_a_winner_takes_the_place_of_a_loser_which_is_archived(node: Harness, abc) -> None:
    a, b, _ = abc
    answer = node.call("Supersede", winner_id=a, loser_id=b)
    assert (answer["superseded"], answer["archived"]) == (True, True)
    memory = node.memory(b)
    assert (memory["life"], memory["archive_reason"]) == ("archived", "superseded")
    assert query(node, a, relations=["supersedes"]) == [b]
    again = node.call("Supersede", winner_id=a, loser_id=b)
    assert (again["link_id"], again["write"]["write_ids"]) == (answer["link_id"], [])


def test_a_loser_can_be_kept_live(node: Harness, abc) -> None:
    a, b, _ = abc
    assert node.call("Supersede", winner_id=a, loser_id=b, keep=True)["archived"] is False
    assert node.memory(b)["life"] == "live"
    assert node.call("Supersede", winner_id=a, loser_id=b)["archived"] is True


def test_no_memory_supersedes_itself_over_however_many_steps(node: Harness, abc) -> None:
    a, b, c = abc
    failure = refused(node, "Supersede", winner_id=a, loser_id=a)
    assert (failure.code, failure.path) == (Code.INVALID_ARGUMENT, "$.loser_id")
    node.call("Supersede", winner_id=a, loser_id=b, keep=True)
    node.call("Supersede", winner_id=b, loser_id=c, keep=True)
    for winner, loser in ((b, a), (c, a)):
        failure = refused(node, "Supersede", winner_id=winner, loser_id=loser)
        assert (failure.code, failure.path) == (Code.CONFLICT, "$.winner_id")
    node.call("KgInvalidate", source_id=b, target_id=c, relation="supersedes")
    assert node.call("Supersede", winner_id=c, loser_id=a, keep=True)["superseded"] is True


def test_the_links_of_a_memory_are_shown_up_to_a_limit_and_the_rest_is_not_hidden(
    node: Harness,
) -> None:
    a = node.store("a", tier="long")
    for at in range(4):
        node.clock.move(seconds=1)
        node.call("Link", source_id=a, target_id=node.store(f"b{at}", tier="long"))
    answer = node.call("GetLinks", id=a, limit=3)
    assert (answer["count"], answer["truncated"]) == (3, True)
    assert answer["links"][0]["valid_from"] > day(0)
    assert node.call("GetLinks", id=a, limit=4)["truncated"] is False
