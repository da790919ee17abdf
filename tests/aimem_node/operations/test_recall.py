"""Finding: what comes back, in which order, and what that does to a memory."""

import pytest

from tests.harness import Harness


def titles(answer: dict) -> list[str]:
    return [memory["title"] for memory in answer.get("memories", answer.get("results"))]


def test_a_whole_question_in_natural_words_finds_what_it_is_about(node: Harness) -> None:
    node.store("Deploys", "We deploy the billing service on Tuesdays after the stand-up.")
    node.store("Lunch", "The canteen has soup on Tuesdays.")
    node.store("Cat", "The office cat is called Miso.")
    answer = node.call("Recall", context="On which day do we deploy the billing service?")
    assert titles(answer)[0] == "Deploys"
    assert answer["mode"] == "keyword"
    assert answer["unavailable"]


def test_recall_says_what_made_each_score(node: Harness) -> None:
    node.store("a", "apples and pears")
    answer = node.call("Recall", context="apples", explain=True)
    [reason] = answer["reasons"]
    assert reason["factors"]["+words"] > reason["factors"]["+thread"] > 0
    assert set(reason["factors"]) >= {"recency", "priority", "confidence", "tier"}


def test_priority_lifts_a_hit_but_cannot_lift_an_unrelated_one(node: Harness) -> None:
    node.store("plain", "kafka kafka kafka broker settings")
    node.store("loud", "settings of the coffee machine", priority=10, tier="long")
    assert titles(node.call("Recall", context="kafka broker settings"))[0] == "plain"


def test_of_two_equal_matches_the_more_important_and_the_newer_come_first(node: Harness) -> None:
    node.store("old", "the gateway timeout is 30 seconds")
    node.clock.move(days=20)
    node.store("new", "the gateway timeout is 30 seconds", tier="long")
    assert titles(node.call("Recall", context="gateway timeout", limit=1)) == ["new"]


def test_a_namespace_with_a_slash_includes_its_ancestors_and_prefers_the_near(
    node: Harness,
) -> None:
    for place in ("acme", "acme/web", "acme/web/shop", "other"):
        node.store(f"in {place}", "the retry limit is five", namespace=place)
    answer = node.call("Recall", context="retry limit", namespace="acme/web/shop")
    assert titles(answer) == ["in acme/web/shop", "in acme/web", "in acme"]


def test_a_subtree_filter_reaches_everything_below(node: Harness) -> None:
    for place in ("acme", "acme/web", "acmeX"):
        node.store(f"in {place}", "the retry limit is five", namespace=place)
    answer = node.call("Recall", context="retry limit", namespace="acme/*")
    assert sorted(titles(answer)) == ["in acme", "in acme/web"]


def test_the_budget_never_drops_the_best_hit_and_says_what_it_left_out(node: Harness) -> None:
    node.store("big", "zebra " * 400)
    node.store("small", "zebra stripes and a lot of other words besides")
    answer = node.call("Recall", context="zebra", budget_tokens=1)
    assert answer["count"] == 1
    assert answer["left_out"] == 1


def test_tags_agents_sessions_and_times_filter_inside_the_search(node: Harness) -> None:
    for n in range(60):
        node.store(f"noise {n}", "the build is green today")
    node.store("wanted", "the build is green today", tags=["ci"], agent_id="ann", session="s")
    for fields in ({"tags": ["ci"]}, {"agent_id": "ann"}, {"session": "s"}):
        assert titles(node.call("Recall", context="is the build green", **fields)) == ["wanted"]


@pytest.mark.parametrize(
    "query",
    ['"', "AND OR NOT", "a* OR b", "title:x", "NEAR(a b)", "x^2", "-x", "(", "col : y",
     "\u200bzebra", "'; DROP TABLE memory; --", "{a b}", "+zebra"],
)  # fmt: skip
def test_no_query_text_is_ever_read_as_syntax(node: Harness, query: str) -> None:
    node.store("z", "zebra")
    node.call("Recall", context=query)
    answer = node.call("Search", query=query)
    assert answer["count"] == (1 if "zebra" in query else 0)


def test_search_wants_every_word(node: Harness) -> None:
    node.store("both", "red apples")
    node.store("one", "red bricks")
    assert titles(node.call("Search", query="red apples")) == ["both"]


def test_search_changes_nothing_and_recall_counts(node: Harness) -> None:
    record_id = node.store("t", "apples")
    node.call("Search", query="apples")
    node.call("Get", id=record_id)
    assert node.memory(record_id)["access_count"] == 0
    node.call("Recall", context="apples")
    assert node.memory(record_id)["access_count"] == 1
    assert node.memory(record_id)["last_accessed_at"]


def test_a_recall_never_shortens_a_life(node: Harness) -> None:
    record_id = node.store("t", "apples", tier="mid")
    before = node.memory(record_id)["expires_at"]
    node.call("Recall", context="apples")
    assert node.memory(record_id)["expires_at"] == before
    node.clock.move(days=6.9)
    node.call("Recall", context="apples")
    assert node.memory(record_id)["expires_at"] > before


def test_five_recalls_keep_a_mid_memory_for_ever(node: Harness) -> None:
    record_id = node.store("t", "apples", tier="mid")
    for _ in range(5):
        node.call("Recall", context="apples")
    shown = node.memory(record_id)
    assert (shown["tier"], shown.get("expires_at")) == ("long", None)
    assert node.flush() == 1
    assert node.memory(record_id) == shown


def test_ten_recalls_raise_the_priority_by_one_and_a_short_memory_stays_short(
    node: Harness,
) -> None:
    record_id = node.store("t", "apples", tier="short", priority=5)
    for n in range(10):
        node.call("Recall", context="apples")
        if n == 6:
            node.flush()
    assert node.memory(record_id)["priority"] == 6
    assert node.memory(record_id)["tier"] == "short"


def test_flushed_recalls_are_ops_and_make_no_event(node: Harness) -> None:
    record_id = node.store("t", "apples")
    ops = node.call("Stats")["ops"]
    node.call("Recall", context="apples")
    assert node.call("Stats")["ops"] == ops
    node.flush()
    assert node.call("Stats")["ops"] == ops + 1
    events = node.stream("Events", after="start", limit=1)
    assert [(event["event"], event["id"]) for event in events] == [("memory_stored", record_id)]


def test_a_session_starts_with_what_matters_most(node: Harness) -> None:
    node.store("minor", priority=2)
    node.store("rule", priority=9, namespace="global")
    answer = node.call("SessionStart", limit=1)
    assert titles(answer) == ["rule"]
    assert answer["session_id"]
    assert node.call("List")["memories"][0]["access_count"] == 0


def test_one_memory_among_many_namespaces_is_found_even_by_frequent_words(node: Harness) -> None:
    many = [
        {"title": f"n{n}", "content": "the meeting is on monday", "namespace": "big"}
        for n in range(900)
    ]
    node.call("BulkStore", memories=many)
    node.store("needle", "the meeting is on monday", namespace="small")
    answer = node.call("Recall", context="when is the meeting", namespace="small")
    assert titles(answer) == ["needle"]


def test_an_answer_never_outgrows_what_a_stock_client_takes_and_says_what_it_left_out(
    node: Harness,
) -> None:
    for n in range(50):
        node.store(f"t{n}", f"zebra {n} " + "x" * 65_000)
    found = node.call("Search", query="zebra", limit=100)
    assert found["count"] + found["left_out"] == 50
    assert 20 <= found["count"] < 50
    recalled = node.call("Recall", context="zebra", limit=50)
    assert recalled["count"] + recalled["left_out"] == 50
    assert recalled["count"] < 50
    assert node.call("SessionStart", limit=50)["count"] < 50
