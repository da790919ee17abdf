"""Whether something is stored already: copies always, and what is merely alike by its words
and by meaning."""

from typing import Any

import pytest

from aimem_node.operations import duplicates
from tests.aimem_node.operations.meaning_stage import (
    LOOKING_BACK,
    RETRO,
    MeaningNode,
    standing,
    toward,
)
from tests.harness import Harness

TITLE = "Invoices"
TEXT = (
    "the billing service stores invoices in postgres and sends them by mail every night after"
    " the export has finished without errors"
)


def check(node: Harness, title: str = TITLE, content: str = TEXT, **fields: Any) -> dict[str, Any]:
    return node.call("CheckDuplicate", title=title, content=content, **fields)


def test_a_copy_is_found_whatever_its_case_and_spacing(node: Harness) -> None:
    kept = node.store(TITLE, TEXT)
    found = check(node, f" {TITLE.upper()}", TEXT.replace(" ", "  "))
    assert (found["is_duplicate"], found["method"], found["suggested_merge"]) == (
        True, "exact", kept,
    )  # fmt: skip
    assert found["nearest"] == {
        "id": kept, "title": TITLE, "namespace": "global", "similarity": 1.0,
        "differs": [],
    }  # fmt: skip


def test_a_copy_is_found_among_many_that_share_all_its_words(node: Harness) -> None:
    kept = node.store("status", "ok", namespace="n/0")
    many = [
        {"title": "status", "content": f"ok {'ok ' * at}", "namespace": "n/1", "on_conflict": "new"}
        for at in range(1, 300)
    ]
    node.call("BulkStore", memories=many)
    found = check(node, "Status", "OK")
    assert (found["method"], found["suggested_merge"]) == ("exact", kept)


def test_a_changed_copy_is_near_and_a_duplicate_from_the_threshold_on(node: Harness) -> None:
    kept = node.store(TITLE, TEXT)
    node.store("Lunch", "soup is served at noon in the billing kitchen")
    changed = TEXT.replace("postgres", "mysql")
    found = check(node, content=changed)
    assert (found["is_duplicate"], found["method"], found["suggested_merge"]) == (
        True, "keyword", kept,
    )  # fmt: skip
    alike = found["nearest"]["similarity"]
    assert 0.85 <= alike < 1.0
    assert check(node, content=changed, threshold=alike)["is_duplicate"] is True
    strict = check(node, content=changed, threshold=alike + 0.001)
    assert (strict["is_duplicate"], strict["suggested_merge"]) == (False, "")
    assert strict["nearest"]["id"] == kept, "the nearest is told all the same"


def test_nobody_is_told_of_a_duplicate_that_is_less_than_half_the_same(node: Harness) -> None:
    node.store("Lunch", "soup is served at noon in the billing kitchen")
    found = check(node, threshold=0)
    assert (found["threshold"], found["is_duplicate"]) == (0.5, False)
    assert 0 < found["nearest"]["similarity"] < 0.5


def test_where_nothing_is_alike_nothing_is_told(node: Harness) -> None:
    assert "nearest" not in check(node)
    node.store("Lunch", "soup")
    found = check(node)
    assert "nearest" not in found
    assert (found["candidates"], found["is_duplicate"]) == ([], False)


def test_only_the_namespace_that_was_asked_about_counts(node: Harness) -> None:
    kept = node.store(TITLE, TEXT, namespace="a/b")
    assert check(node, namespace="a")["is_duplicate"] is False
    assert check(node, namespace="a/*")["suggested_merge"] == kept
    assert check(node, namespace="a/b")["suggested_merge"] == kept


def test_what_is_no_longer_live_is_no_duplicate(node: Harness) -> None:
    for end in ({}, {"ttl_secs": 1}):
        kept = node.store(TITLE, TEXT, **end)
        if end:
            node.clock.move(seconds=2)
        else:
            node.call("Archive", ids=[kept])
        assert check(node)["is_duplicate"] is False


def test_a_text_of_nothing_but_common_words_is_compared_too(node: Harness, monkeypatch) -> None:
    kept = node.store("status", "all is well in the north")
    monkeypatch.setattr(duplicates, "ROWS_READ_MAX", 0)
    monkeypatch.setattr("aimem_node.store.view_likeness.ROWS_READ_MAX", 0)
    found = check(node, "status", "all is well in the north again", threshold=0.5)
    assert (found["method"], found["suggested_merge"]) == ("keyword", kept)


def test_no_more_text_is_compared_than_there_is_time_for(node: Harness) -> None:
    for at in range(5):
        node.store(f"page {at}", f"zebra {at} " + "lorem ipsum dolor " * 3_000)
    found = check(node, "page", "zebra lorem ipsum dolor")
    assert 1 <= found["candidates_scanned"] < 5
    assert found["nearest"]["similarity"] > 0


def test_the_nearest_come_first_and_are_few(node: Harness) -> None:
    words = TEXT.split()
    for at in range(8):
        node.store(f"{TITLE} {at}", " ".join(words[: 6 + 2 * at]))
    found = check(node)
    scores = [one["similarity"] for one in found["candidates"]]
    assert len(scores) == 5
    assert scores == sorted(scores, reverse=True)
    assert found["nearest"] == found["candidates"][0]
    assert found["candidates_scanned"] == 8


# -- with a model --------------------------------------------------------------------------


def test_what_means_the_same_is_a_duplicate_though_its_words_are_others(
    knowing: MeaningNode,
) -> None:
    kept = knowing.keep(RETRO, 1)
    knowing.store("Lunch", "soup is served at noon")
    knowing.until_done(2)
    knowing.model.planned[LOOKING_BACK] = toward(1, 0.93)
    found = check(knowing, "Retro", LOOKING_BACK)
    assert (found["is_duplicate"], found["method"], found["suggested_merge"]) == (
        True, "vector", kept,
    )  # fmt: skip
    assert found["nearest"]["similarity"] == pytest.approx(0.93, abs=0.01)
    assert found["unavailable"] == []
    assert check(knowing, "Retro", LOOKING_BACK, threshold=0.95)["is_duplicate"] is False


def test_no_model_is_asked_about_a_copy(knowing: MeaningNode) -> None:
    kept = knowing.keep(RETRO, 1, title="Retro")
    knowing.until_done(1)
    found = check(knowing, "Retro", RETRO)
    assert (found["method"], found["suggested_merge"]) == ("exact", kept)
    assert knowing.model.asked == []
    check(knowing, "Retro", LOOKING_BACK)
    assert len(knowing.model.asked) == 1


@pytest.mark.parametrize("how", ["down", "slow"])
def test_without_a_vector_it_goes_by_words_and_says_why(knowing: MeaningNode, how: str) -> None:
    kept = knowing.store(TITLE, TEXT)
    knowing.until_done(1)
    setattr(knowing.model, how, "the model cannot be asked")
    found = check(knowing, content=TEXT.replace("postgres", "mysql"))
    assert (found["method"], found["suggested_merge"]) == ("keyword", kept)
    assert found["unavailable"] == ["semantic: the model cannot be asked"]


def test_a_node_that_keeps_no_vectors_says_so(knowing: MeaningNode) -> None:
    knowing.model.down = "not yet"
    kept = knowing.store(TITLE, TEXT)
    knowing.until(lambda: knowing.facts()["why"])
    knowing.model.refuses = lambda _text: True  # questions are answered, passages are not
    knowing.model.down = ""
    found = check(knowing, content=TEXT.replace("postgres", "mysql"))
    assert (found["method"], found["suggested_merge"]) == ("keyword", kept)
    assert found["unavailable"] == ["semantic: no vectors of this model are kept here"]


def test_memories_that_still_lack_a_vector_are_compared_by_words(knowing: MeaningNode) -> None:
    knowing.keep(RETRO, 1)
    knowing.until_done(1)
    knowing.model.refuses = lambda text: "billing" in text
    kept = knowing.store(TITLE, TEXT)
    knowing.until(lambda: knowing.facts()["failures"] == 1)
    found = check(knowing, content=TEXT.replace("postgres", "mysql"))
    assert (found["is_duplicate"], found["method"], found["suggested_merge"]) == (
        True, "keyword", kept,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("stored", "asked", "differs"),
    [
        ("the database listens on port 5432", "the database listens on port 5433", ["number"]),
        ("the audit is on 2026-05-01", "the audit is on 2026-06-01", ["date"]),
        ("the api is public", "the api is not public", ["negation"]),
        ("the cache is enabled there", "the cache is disabled there", ["opposite"]),
        ("the cat is called Tom", "the cat is called Mia", None),
    ],
)  # fmt: skip
def test_what_differs_is_shown_and_never_a_merge_however_near_it_is(
    knowing: MeaningNode, stored: str, asked: str, differs: list[str] | None
) -> None:
    kept = knowing.keep(stored, 1, title="note")
    knowing.until_done(1)
    knowing.model.planned[asked] = toward(1, 0.97)
    found = check(knowing, "note", asked)
    assert (found["is_duplicate"], found["suggested_merge"]) == (False, "")
    assert found["nearest"]["id"] == kept
    if differs is not None:
        assert found["nearest"]["differs"] == differs
        low = check(knowing, "note", asked, threshold=0.5)
        assert (low["is_duplicate"], low["suggested_merge"]) == (False, "")


def test_a_duplicate_comes_before_what_is_nearer_and_differs(knowing: MeaningNode) -> None:
    text = f"{TEXT} on port 5432"
    other = knowing.keep(text.replace("5432", "5433"), 2, 0.72, title=TITLE)
    kept = knowing.keep("once a night bills are mailed from the database", 2)
    knowing.until_done(2)
    knowing.model.planned[text] = toward(2, 0.7)
    found = check(knowing, content=text, threshold=0.5)
    assert found["candidates"][0]["id"] == found["suggested_merge"] == kept
    others = {one["id"]: one for one in found["candidates"]}
    assert others[other]["differs"] == ["number"]
    assert others[other]["similarity"] > found["nearest"]["similarity"], "or this proves nothing"


def test_what_is_near_in_another_namespace_is_not_found(knowing: MeaningNode) -> None:
    knowing.model.planned[LOOKING_BACK] = toward(1, 0.93)
    kept = knowing.keep(RETRO, 1, namespace="a/b")
    knowing.until_done(1)
    assert "nearest" not in check(knowing, "Retro", LOOKING_BACK, namespace="a")
    assert check(knowing, "Retro", LOOKING_BACK, namespace="a/*")["suggested_merge"] == kept


def test_nobody_learns_of_what_is_private_to_others(knowing: MeaningNode) -> None:
    kept = knowing.keep(RETRO, 1, title="Retro", namespace="acme/eng", scope="private")
    knowing.until_done(1)
    knowing.model.planned[LOOKING_BACK] = toward(1, 0.93)
    far, close = standing(knowing, "far", "zeta"), standing(knowing, "close", "acme/eng")
    for content in (RETRO, LOOKING_BACK):
        found = check(knowing, "Retro", content, as_=far)
        assert (found["is_duplicate"], found["candidates"]) == (False, [])
        assert found["candidates_scanned"] == 0
        assert check(knowing, "Retro", content, as_=close)["suggested_merge"] == kept
