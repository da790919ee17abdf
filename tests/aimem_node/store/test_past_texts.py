"""A text is scored outside the index as it is inside."""

import random

import pytest

from aimem_node.store.fulltext import Mode
from aimem_node.store.listing import Filter
from aimem_node.store.rows import tags_text

WORDS = ["walrus", "walruses", "running", "ran", "Möwe", "moewe", "x-ray", "don't", "naïve", "42",
         "东京大学", "大学", "北京で会議", "كتاب", "Straße",
         "sea", "ice", "fish", "hunting", "it's", "foo_bar"]  # fmt: skip


def scores(bench, query: str, mode: Mode) -> tuple[dict[str, float], dict[str, float]]:
    """By the index, and by the texts themselves; memories that do not fit are left out."""

    def both(view):
        inside = {h.record_id: h.score for h in view.search(query, mode, Filter(), 1_000).hits}
        asked = view.text_query(query, mode)
        rows, _ = view.list_memories(Filter(), limit=1_000)
        outside = {
            row.record_id: asked.score(row.title, row.content, tags_text(row.tags)) for row in rows
        }
        return inside, {name: score for name, score in outside.items() if score}

    return bench.see(both)


@pytest.mark.parametrize("seed", range(3))
def test_every_text_scores_as_the_index_has_it(bench, pen, seed: int) -> None:
    chance = random.Random(seed)

    def some(most: int) -> str:
        return " ".join(chance.choices(WORDS, k=chance.randint(1, most)))

    bench.put(
        *[
            pen.memory(f"m{at}", some(4), some(30), tags=chance.sample(["sea", "ice", "zoo"], 2))
            for at in range(40)
        ]
    )
    for _ in range(20):
        query = some(4)
        for mode in ("any", "all"):
            inside, outside = scores(bench, query, mode)
            assert outside == pytest.approx(inside), (query, mode)


def test_a_word_that_nothing_holds_any_more_is_still_looked_for(bench, pen) -> None:
    bench.put(pen.memory("m1", "walrus"), pen.memory("m2", "seal"))
    bench.put(pen.delete("m1"))
    query = bench.see(lambda view: view.text_query("walrus seal", "all"))
    assert (
        query.score("walrus and seal", "", "[]") > query.score("seal, a walrus", "more", "[]") > 0
    )
    assert query.score("walrus", "", "[]") == 0.0
    assert bench.see(lambda view: view.text_query("walrus seal", "any")).score("walrus", "", "") > 0


def test_an_empty_index_and_an_empty_query_are_no_mistakes(bench) -> None:
    assert bench.see(lambda view: view.text_query("walrus", "any")).score("a walrus", "", "[]") > 0
    assert bench.see(lambda view: view.text_query("?!", "any")) is None
