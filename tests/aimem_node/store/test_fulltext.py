"""What is there is found, by a question too, and at a bounded price."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.store import fulltext
from aimem_node.store.fulltext import search
from aimem_node.store.listing import Filter
from aimem_node.store.session import WriteSession

SYNTAX = [
    '"', '""', "*", "a*", "NEAR(a b)", "a NEAR/2 b", "title:x", "{title content}: x", "^x", "-x",
    "AND", "a AND", "NOT", "(", ")", "a OR", "x' OR 1=1 --", "\0", "a\0b", "+", "rank",
    "memory_fts",
    "\ud7ff\ufffe", "\U0001f600", "a" * 100_000, "word " * 20_000, "", "   ", "\u200b",
]  # fmt: skip


EVERYWHERE = Filter()


def found(bench, text, mode="any", wanted=EVERYWHERE, limit=10):
    result = bench.see(lambda view: view.search(text, mode, wanted, limit))
    return [hit.record_id for hit in result.hits]


@pytest.mark.parametrize("text", SYNTAX)
@pytest.mark.parametrize("mode", ["any", "all"])
def test_no_query_is_a_mistake(bench, pen, text, mode) -> None:
    bench.put(pen.memory("m1", "a title", "word x"))
    assert set(found(bench, text, mode)) <= {"m1"}


def test_any_query_is_answered(bench, pen) -> None:
    bench.put(pen.memory("m1", "a title", "some words"))
    session = bench.do(lambda s: s)

    @settings(max_examples=300, deadline=None)
    @given(st.text(alphabet=st.one_of(st.characters(codec="utf-8"), st.sampled_from('"*():^-+{}'))))
    def ask(text):
        search(session._connection, text, "any", Filter(), 5)
        search(session._connection, text, "all", Filter(), 5)

    assert isinstance(session, WriteSession)
    bench.do(lambda s: ask())


def test_a_natural_question_finds_what_it_is_about(bench, pen) -> None:
    bench.put(
        pen.memory("m1", "Ann's birthday", "Ann was born on the third of May"),
        pen.memory("m2", "Deployment", "We deploy on Fridays"),
    )
    assert found(bench, "When is the birthday of Ann, and what does she want?") == ["m1"]
    assert found(bench, "when do we do deployments") == ["m2"]


def test_words_are_found_by_their_stems_and_without_accents(bench, pen) -> None:
    bench.put(pen.memory("m1", "Running in the caf\u00e9"))
    assert found(bench, "runs") == ["m1"]
    assert found(bench, "CAFE") == ["m1"]
    assert found(bench, "cafe\u0301s") == ["m1"]


def test_all_needs_every_word_and_any_needs_one(bench, pen) -> None:
    bench.put(pen.memory("m1", "red apple"), pen.memory("m2", "red pear"), pen.memory("m3", "plum"))
    assert found(bench, "the red apple", "all") == ["m1"]
    assert found(bench, "red apple") == ["m1", "m2"]
    assert found(bench, "red zeppelin", "all") == []
    assert found(bench, "red zeppelin") == ["m2", "m1"]


def test_a_query_of_stop_words_alone_searches_for_them(bench, pen) -> None:
    bench.put(pen.memory("m1", "The Who"), pen.memory("m2", "The Beatles"))
    assert found(bench, "who") == ["m1"]
    assert found(bench, "the who", "all") == ["m1"]


def test_the_title_counts_more_and_every_word_counts(bench, pen) -> None:
    bench.put(
        pen.memory("m1", "other", "falcon mentioned here somewhere"),
        pen.memory("m2", "falcon", "something else said here now"),
        pen.memory("m3", "falcon nest", "something else said here now"),
    )
    assert found(bench, "falcon nest") == ["m3", "m2", "m1"]


def test_scores_are_above_zero_even_when_every_memory_matches(bench, pen) -> None:
    bench.put(pen.memory("m1", "apple"), pen.memory("m2", "apple"))
    hits = bench.see(lambda view: view.search("apple", "any", Filter(), 5)).hits
    assert [hit.record_id for hit in hits] == ["m2", "m1"], "the newest first among equals"
    assert all(hit.score > 0 and hit.terms == ("apple",) for hit in hits)


def test_the_answer_says_what_was_searched_for(bench, pen) -> None:
    bench.put(pen.memory("m1", "red apple"), pen.memory("m2", "red pear"))
    result = bench.see(lambda view: view.search("red apples zeppelin", "any", Filter(), 5))
    assert result.terms_used == ("apples", "red")
    assert result.terms_dropped == ("zeppelin",)
    assert result.hits[0].terms == ("apples", "red")


@pytest.fixture
def crowd(bench, pen, monkeypatch):
    """A namespace of one memory among 400 that say the same, where 20 rows are already many."""
    monkeypatch.setattr(fulltext, "SCORED_ROWS_MAX", 20)
    monkeypatch.setattr(fulltext, "FEW_ROWS", 5)
    monkeypatch.setattr(fulltext, "NEWEST_MAX", 30)
    monkeypatch.setattr(fulltext, "TRIED_MAX", 30)
    bench.put(pen.memory("lone", "common words", "common words", namespace="small", tags=["t"]))
    bench.put(
        *(
            pen.memory(f"m{at}", "common words", f"common words rare{at % 100}", namespace="big")
            for at in range(400)
        )
    )
    return bench


@pytest.mark.parametrize("mode", ["any", "all"])
@pytest.mark.parametrize("text", ["common", "common words"])
@pytest.mark.parametrize(
    "wanted", [Filter(namespaces=("small",)), Filter(below="small"), Filter(tags=("t",))]
)
def test_one_memory_among_many_is_found_by_the_commonest_word(crowd, wanted, text, mode) -> None:
    assert found(crowd, text, mode, wanted) == ["lone"]


def test_a_filter_with_many_rows_is_searched_too(crowd) -> None:
    assert len(found(crowd, "common words", "any", Filter(namespaces=("big",)))) == 10
    assert len(found(crowd, "common words", "all", Filter(namespaces=("big",)))) == 10


def test_the_rare_word_decides_and_the_common_ones_fill_up(crowd) -> None:
    hits = found(crowd, "common words rare7", limit=10)
    assert set(hits[:4]) == {"m7", "m107", "m207", "m307"}
    assert len(hits) == 10
    assert set(found(crowd, "common words rare7", "all")) == {"m7", "m107", "m207", "m307"}


def test_only_common_words_give_the_newest(crowd) -> None:
    hits = found(crowd, "common words", limit=5)
    assert len(hits) == 5
    assert all(int(hit[1:]) >= 370 for hit in hits), "of the last 30 rows that match"


def test_a_filter_without_a_match_is_empty(crowd) -> None:
    assert found(crowd, "common", "any", Filter(namespaces=("nowhere",))) == []
    assert found(crowd, "rare7 common", "any", Filter(namespaces=("small",))) == ["lone"]


def test_memories_whose_life_has_ended_are_not_found(bench, pen, now_us) -> None:
    bench.put(pen.memory("m1", "apple", expires_at=now_us))
    assert found(bench, "apple", wanted=Filter(now_us=now_us)) == []
    assert found(bench, "apple", wanted=Filter(now_us=now_us - 1)) == ["m1"]
