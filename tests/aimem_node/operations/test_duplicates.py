"""Whether something is stored already: copies always, and what is merely alike by its words."""

from typing import Any

from aimem_node.operations import duplicates
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
