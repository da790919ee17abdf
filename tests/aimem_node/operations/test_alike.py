"""What is most alike: near one memory or text, and in pairs, each of them told once."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Code
from aimem_node.operations import alike
from tests.aimem_node.operations.meaning_stage import (
    LOOKING_BACK,
    RETRO,
    MeaningNode,
    meaning_node,
    standing,
    toward,
)
from tests.aimem_node.operations.test_agents import refused
from tests.harness import Harness

LUNCH = "soup is served at noon"


def ids(found: dict[str, Any]) -> list[str]:
    return [one["id"] for one in found["similar"]]


def pairs_of(found: dict[str, Any]) -> list[frozenset[str]]:
    return [frozenset((pair["keep"]["id"], pair["other"]["id"])) for pair in found["pairs"]]


def pages(node: Harness, **fields: Any) -> list[dict[str, Any]]:
    """All answers up to the end."""
    found = [node.call("NearDuplicates", **fields)]
    while found[-1]["next_cursor"]:
        assert found[-1]["looked_at"] or found[-1]["pairs"], "it goes on"
        found.append(node.call("NearDuplicates", cursor=found[-1]["next_cursor"], **fields))
    return found


def all_pairs(answers: list[dict[str, Any]]) -> list[frozenset[str]]:
    return [pair for found in answers for pair in pairs_of(found)]


# -- near one memory or text ---------------------------------------------------------------


def test_a_memory_is_compared_by_the_vector_it_has(knowing: MeaningNode) -> None:
    asked = knowing.keep(RETRO, 1)
    near = knowing.keep(LOOKING_BACK, 1, 0.93)
    knowing.keep(LUNCH, 2)
    knowing.until_done(3)
    found = knowing.call("FindSimilar", id=asked)
    assert ids(found) == [near]
    assert found["similar"][0]["similarity"] == pytest.approx(0.93, abs=0.01)
    assert (found["count"], found["method"], found["unavailable"]) == (1, "vector", [])
    assert knowing.model.asked == []
    assert knowing.call("FindSimilar", id=asked[:8])["similar"] == found["similar"]


def test_a_text_is_compared_with_titles_and_contents(knowing: MeaningNode) -> None:
    kept = knowing.keep(RETRO, 1, title="When we meet")
    knowing.keep(LUNCH, 2)
    knowing.until_done(2)
    knowing.model.planned[LOOKING_BACK] = toward(1, 0.93)
    found = knowing.call("FindSimilar", text=LOOKING_BACK, threshold=0.5)
    assert ids(found) == [kept]
    assert found["method"] == "vector"
    assert knowing.model.asked == [LOOKING_BACK]
    whole = knowing.call("FindSimilar", text=f"When we meet {RETRO}")
    assert (whole["similar"][0]["id"], whole["similar"][0]["similarity"]) == (kept, 1.0)


def test_a_memory_is_not_told_of_itself_even_among_its_copies(knowing: MeaningNode) -> None:
    copies = [knowing.keep(RETRO, 1, namespace=f"n{at}") for at in range(12)]
    knowing.until_done(12)
    for asked in copies:
        found = knowing.call("FindSimilar", id=asked, limit=20)
        assert sorted(ids(found)) == sorted(set(copies) - {asked})
        assert {one["similarity"] for one in found["similar"]} == {1.0}


def test_the_most_alike_come_first_down_to_the_threshold_and_up_to_the_limit(
    knowing: MeaningNode,
) -> None:
    asked = knowing.keep("alpha", 1)
    marks = {0.6: "beta", 0.95: "gamma", 0.7: "delta", 0.9: "epsilon", 0.8: "zeta"}
    kept = {cosine: knowing.keep(text, 1, cosine) for cosine, text in marks.items()}
    knowing.until_done(6)
    nearest_first = [kept[cosine] for cosine in sorted(kept, reverse=True)]
    assert ids(knowing.call("FindSimilar", id=asked)) == nearest_first
    assert ids(knowing.call("FindSimilar", id=asked, threshold=0.75)) == nearest_first[:3]
    limited = knowing.call("FindSimilar", id=asked, limit=2)
    assert (ids(limited), limited["count"]) == (nearest_first[:2], 2)


def test_what_differs_in_a_number_is_told_and_is_not_near_by_meaning(knowing: MeaningNode) -> None:
    asked = knowing.keep("the database listens on port 5432", 1, title="note")
    other = knowing.keep("the database listens on port 5433", 1, 0.97, title="note", namespace="x")
    knowing.until_done(2)
    (one,) = knowing.call("FindSimilar", id=asked)["similar"]
    assert (one["id"], one["differs"]) == (other, ["number"])
    assert one["similarity"] < 0.9


def test_only_the_namespace_that_was_asked_about_is_looked_at(knowing: MeaningNode) -> None:
    asked = knowing.keep(RETRO, 1, namespace="a")
    below = knowing.keep(LOOKING_BACK, 1, 0.93, namespace="a/b")
    far = knowing.keep("a weekly meeting to learn", 1, 0.9, namespace="c")
    knowing.until_done(3)
    assert ids(knowing.call("FindSimilar", id=asked)) == [below, far]
    assert ids(knowing.call("FindSimilar", id=asked, namespace="a/*")) == [below]
    assert ids(knowing.call("FindSimilar", id=asked, namespace="c")) == [far]
    assert ids(knowing.call("FindSimilar", id=asked, namespace="a")) == []


def test_an_archived_memory_can_be_asked_about_and_is_found_by_nobody(
    knowing: MeaningNode,
) -> None:
    asked = knowing.keep(RETRO, 1)
    near = knowing.keep(LOOKING_BACK, 1, 0.93)
    knowing.until_done(2)
    knowing.call("Archive", ids=[asked])
    knowing.until_done(1)
    found = knowing.call("FindSimilar", id=asked)
    assert (ids(found), found["method"]) == ([near], "vector")
    assert len(knowing.model.asked) == 1, "it has no vector any more"
    assert ids(knowing.call("FindSimilar", id=near)) == []


def test_what_a_caller_does_not_see_is_not_there(knowing: MeaningNode) -> None:
    hidden = knowing.keep(RETRO, 1, namespace="acme/eng", scope="private")
    shown = knowing.keep(LOOKING_BACK, 1, 0.93, namespace="zeta/x")
    knowing.until_done(2)
    far = standing(knowing, "far", "zeta/x")
    failure = refused(knowing, "FindSimilar", far, id=hidden)
    assert failure.code == Code.NOT_FOUND
    assert str(failure) == str(
        refused(knowing, "FindSimilar", far, id=f"{hidden[:-3]}fff")
    ).replace(f"{hidden[:-3]}fff", hidden)
    assert ids(knowing.call("FindSimilar", far, id=shown)) == []
    assert ids(knowing.call("FindSimilar", far, text=RETRO)) == [shown]
    assert ids(knowing.call("FindSimilar", id=shown)) == [hidden]


def test_without_a_model_it_goes_by_words(node: Harness) -> None:
    asked = node.store("Retro", RETRO)
    near = node.store("Meeting", RETRO.replace("afternoon", "morning"))
    node.store("Lunch", LUNCH)
    for fields in ({"id": asked}, {"text": f"Retro {RETRO}"}):
        found = node.call("FindSimilar", **fields)
        assert found["method"] == "keyword"
        assert near in ids(found)
        (why,) = found["unavailable"]
        assert why.startswith("semantic: ")


def test_a_model_that_is_down_costs_the_meaning_and_is_told_of(knowing: MeaningNode) -> None:
    kept = knowing.keep(RETRO, 1)
    knowing.until_done(1)
    knowing.model.down = "the server does not answer"
    found = knowing.call("FindSimilar", text=f"{RETRO} or so")
    assert (ids(found), found["method"]) == ([kept], "keyword")
    assert found["unavailable"] == ["semantic: the server does not answer"]
    by_id = knowing.call("FindSimilar", id=kept)
    assert (by_id["method"], by_id["unavailable"]) == ("vector", []), "it has its vector"


@pytest.mark.parametrize("fields", [{}, {"id": "", "text": ""}, {"id": "both", "text": "both"}])
def test_one_thing_is_asked_about_at_a_time(node: Harness, fields: dict[str, str]) -> None:
    assert refused(node, "FindSimilar", **fields).code == Code.INVALID_ARGUMENT


# -- in pairs ------------------------------------------------------------------------------


def test_a_pair_is_found_by_meaning_and_the_older_one_is_kept(knowing: MeaningNode) -> None:
    first = knowing.keep(RETRO, 1)
    knowing.clock.move(seconds=1)
    knowing.keep(LUNCH, 2)
    knowing.clock.move(seconds=1)
    second = knowing.keep(LOOKING_BACK, 1, 0.93)
    knowing.until_done(3)
    found = knowing.call("NearDuplicates")
    (pair,) = found["pairs"]
    assert (pair["keep"]["id"], pair["other"]["id"]) == (first, second)
    assert pair["similarity"] == pytest.approx(0.93, abs=0.01)
    assert (found["count"], found["looked_at"], found["method"]) == (1, 3, "vector")
    assert found["next_cursor"] == ""
    assert knowing.model.asked == []
    assert knowing.call("NearDuplicates", threshold=0.95)["pairs"] == []


def test_what_differs_or_is_filled_in_is_no_pair(knowing: MeaningNode) -> None:
    knowing.keep("the database listens on port 5432", 1, title="a")
    knowing.keep("the database listens on port 5433", 1, 0.98, title="b")
    knowing.keep("the api is public", 2, title="c")
    knowing.keep("the api is not public", 2, 0.98, title="d")
    knowing.keep("the cat is called Tom", 3, title="e")
    knowing.keep("the cat is called Mia", 3, 0.98, title="f")
    knowing.until_done(6)
    found = knowing.call("NearDuplicates")
    assert (found["pairs"], found["looked_at"]) == ([], 6)
    low = pairs_of(knowing.call("NearDuplicates", threshold=0.5))
    assert len(low) <= 1, "at most the cats, by their words"


def letters(at: int) -> str:
    """A word for a number, without a digit: another number would be another fact."""
    return "".join(chr(ord("k") + int(digit)) for digit in str(at))


def plant(node: MeaningNode, count: int, every: int) -> set[frozenset[str]]:
    """That many memories of which every few are a pair, the two far apart in time."""
    axes = iter(range(1, 32))
    stored: list[str] = []
    first: dict[int, str] = {}
    planted: set[frozenset[str]] = set()
    open_axes: list[int] = []
    for at in range(count):
        fields: dict[str, Any] = {"title": f"t{letters(at)}x", "on_conflict": "new"}
        if at % every == 0 and at < count // 2:
            axis = next(axes)
            first[axis] = node.keep(f"begin{letters(at)}q", axis, **fields)
            open_axes.append(axis)
            stored.append(first[axis])
        elif at % every == 0 and open_axes:
            axis = open_axes.pop()
            one = node.keep(f"again{letters(at)}q", axis, 0.95, **fields)
            planted.add(frozenset((first[axis], one)))
        else:
            node.store(content=f"word{letters(at)}q", **fields)
        if at % 3:  # of some, the time is the same
            node.clock.move(us=1)
    return planted


def test_whoever_follows_the_cursor_meets_each_pair_once(
    knowing: MeaningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alike, "PART_MAX", 7)
    planted = plant(knowing, 210, 5)
    assert len(planted) > 15
    knowing.until_done(210)
    answers = pages(knowing)
    assert len(answers) >= 30
    assert sum(found["looked_at"] for found in answers) == 210
    assert {found["count"] == len(found["pairs"]) for found in answers} == {True}
    met = Counter(all_pairs(answers))
    assert set(met.values()) == {1}
    assert set(met) == planted


def test_a_small_limit_takes_more_pages_and_loses_nothing(knowing: MeaningNode) -> None:
    planted = plant(knowing, 60, 5)
    knowing.until_done(60)
    answers = pages(knowing, limit=2)
    assert max(found["count"] for found in answers) == 2
    assert Counter(all_pairs(answers)) == Counter(planted)
    assert sum(found["looked_at"] for found in answers) == 60


def test_when_its_time_is_over_a_page_ends_and_the_next_goes_on(
    knowing: MeaningNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alike, "PART_BUDGET_S", 0)
    planted = plant(knowing, 30, 3)
    knowing.until_done(30)
    answers = pages(knowing)
    assert [found["looked_at"] for found in answers] == [1] * 30
    assert Counter(all_pairs(answers)) == Counter(planted)


@pytest.mark.parametrize("limit", [4, 50])
def test_of_fifty_copies_each_is_in_some_pair_and_no_pair_comes_twice(
    knowing: MeaningNode, limit: int
) -> None:
    copies = {knowing.keep(RETRO, 1, title="r", namespace=f"n{at}") for at in range(50)}
    knowing.until_done(50)
    met = Counter(all_pairs(pages(knowing, limit=limit)))
    assert frozenset().union(*met) == copies
    assert set(met.values()) == {1}
    assert set(met) == set(all_pairs(pages(knowing, limit=500))), "however long the pages are"


def test_of_copies_that_came_in_another_order_than_they_are_old_each_is_in_some_pair(
    knowing: MeaningNode, tmp_path: Path
) -> None:
    for at in range(30):
        knowing.store("r", RETRO, namespace=f"n{at}")
        knowing.clock.move(seconds=1)
    memories = [line["memory"] for line in knowing.stream("Export") if "memory" in line]
    memories.sort(key=lambda memory: memory["created_at"], reverse=True)
    with meaning_node(tmp_path / "other") as other:
        assert other.call("Import", memories=memories)["imported"] == 30
        other.until_done(30)
        met = Counter(all_pairs(pages(other)))
    assert frozenset().union(*met) == {memory["id"] for memory in memories}
    assert set(met.values()) == {1}


def test_of_fifty_that_mean_the_same_each_is_in_some_pair(knowing: MeaningNode) -> None:
    kept = {knowing.keep(f"saying{letters(at)}q", 1, title=f"t{letters(at)}x") for at in range(50)}
    knowing.until_done(50)
    met = Counter(all_pairs(pages(knowing)))
    assert frozenset().union(*met) == kept
    assert set(met.values()) == {1}


def test_a_pair_lies_within_what_was_asked_about(knowing: MeaningNode) -> None:
    one = knowing.keep(RETRO, 1, namespace="a/b")
    other = knowing.keep(LOOKING_BACK, 1, 0.93, namespace="a/c")
    knowing.until_done(2)
    for namespace, looked_at in (("a/b", 1), ("a/c", 1), ("a", 0), ("z/*", 0)):
        found = knowing.call("NearDuplicates", namespace=namespace)
        assert (found["pairs"], found["looked_at"]) == ([], looked_at)
    both = frozenset((one, other))
    assert pairs_of(knowing.call("NearDuplicates", namespace="a/*")) == [both]
    assert pairs_of(knowing.call("NearDuplicates")) == [both]


def test_a_pair_of_which_a_caller_sees_one_is_none(knowing: MeaningNode) -> None:
    knowing.keep(RETRO, 1, title="r", namespace="acme/eng", scope="private")
    knowing.keep(RETRO, 1, title="r", namespace="zeta/x", scope="private")
    knowing.keep(LOOKING_BACK, 1, 0.95, namespace="zeta/y", scope="private")
    knowing.until_done(3)
    found = knowing.call("NearDuplicates", standing(knowing, "far", "zeta/x"))
    assert (found["pairs"], found["looked_at"]) == ([], 1)
    assert len(knowing.call("NearDuplicates")["pairs"]) == 3


def test_what_is_no_longer_live_is_in_no_pair(knowing: MeaningNode) -> None:
    knowing.keep(RETRO, 1)
    gone = knowing.keep(LOOKING_BACK, 1, 0.95)
    knowing.until_done(2)
    knowing.call("Archive", ids=[gone])
    assert knowing.call("NearDuplicates")["pairs"] == []


def test_without_a_model_pairs_are_found_by_words(node: Harness) -> None:
    text = (
        "the billing service stores invoices in postgres and sends them by mail every night after"
        " the export has finished without errors"
    )
    first = node.store("Invoices", text)
    node.clock.move(seconds=1)
    second = node.store("Invoices", f"{text} too", on_conflict="new")
    node.store("Lunch", LUNCH)
    found = node.call("NearDuplicates")
    assert pairs_of(found) == [frozenset((first, second))]
    assert (found["method"], found["looked_at"]) == ("keyword", 3)


def test_a_cursor_of_another_operation_is_refused(node: Harness) -> None:
    for at in range(3):
        node.store(f"t{at}")
    cursor = node.call("List", limit=1)["next_cursor"]
    assert cursor
    assert refused(node, "NearDuplicates", cursor=cursor).code == Code.INVALID_ARGUMENT
