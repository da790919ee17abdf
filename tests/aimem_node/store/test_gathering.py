"""Candidates by words: what holds which word, and who is named."""

import pytest

from aimem_node.store import gathering
from aimem_node.store.gathering import name_of
from aimem_node.store.listing import Filter

EVERYWHERE = Filter()


def asked(bench, text, wanted=EVERYWHERE, limit=10):
    return bench.see(lambda view: view.gather(view.asked(text), wanted, limit))


def telling(bench, text):
    return bench.see(lambda view: view.asked(text)).telling


def ids(bench, rids):
    rows = bench.see(lambda view: view.lights(rids, EVERYWHERE))
    return [rows[rid].record_id for rid in rids]


def found(bench, text, wanted=EVERYWHERE, limit=10):
    return ids(bench, asked(bench, text, wanted, limit).rids)


def test_what_holds_the_rarest_word_comes_first(bench, pen) -> None:
    bench.put(*(pen.memory(f"m{at}", "plain", "the boat") for at in range(5)))
    bench.put(pen.memory("rare", "plain", "a walrus"))
    assert found(bench, "Was there a walrus on the boat?")[0] == "rare"
    assert len(found(bench, "walrus boat")) == 6


def test_of_every_word_it_is_known_who_holds_it(bench, pen) -> None:
    bench.put(
        pen.memory("m1", "walrus", "a boat"), pen.memory("m2", "none", "two of them, a walrus")
    )
    words = {held.word: held for held in asked(bench, "the walrus and the boat").question.words}
    assert sorted(words) == ["boat", "walrus"]
    assert ids(bench, sorted(words["walrus"].rows)) == ["m1", "m2"]
    assert ids(bench, sorted(words["walrus"].headed)) == ["m1"]
    assert ids(bench, sorted(words["boat"].rows)) == ["m1"]


def test_an_agents_name_is_told_from_other_words(bench, pen) -> None:
    bench.put(
        pen.memory("m1", "a", "the budget is short", agent_id="user:ann"),
        pen.memory("m2", "b", "ann likes boats", agent_id="ai:claude-code@box:pid-1"),
    )
    assert asked(bench, "what did Ann say").question.names == {"ann"}
    assert asked(bench, "what did Claude say").question.names == frozenset()
    assert asked(bench, "what did Claude Code say").question.names == {"claude", "code"}
    assert asked(bench, "what does the user say on the box").question.names == frozenset()


def test_a_question_that_holds_nothing_but_a_name_finds_what_was_said(bench, pen) -> None:
    bench.put(
        pen.memory("m1", "a", "the budget is short", agent_id="user:ann"),
        pen.memory("m2", "b", "boats", agent_id="user:bob"),
    )
    assert found(bench, "What does Ann want?") == ["m1"]


def test_what_agents_are_called() -> None:
    assert name_of("user:ann") == {"ann"}
    assert name_of("Ann") == {"ann"}
    assert name_of("ai:claude-code@host:pid-7") == {"claude", "code"}
    assert name_of("") == frozenset()


def test_names_and_frequent_words_do_not_reach_the_model(bench, pen, monkeypatch) -> None:
    monkeypatch.setattr(gathering, "FREQUENT_FROM", 5)
    bench.put(*(pen.memory(f"m{at}", "t", f"boat {at}", agent_id="user:ann") for at in range(6)))
    assert telling(bench, "Which boat did Ann repair in winter?") == "repair winter"
    assert telling(bench, "boat") == "boat"


def test_words_of_a_few_memories_are_never_frequent(bench, pen) -> None:
    bench.put(pen.memory("m1", "t", "boat"), pen.memory("m2", "t", "boat"))
    assert telling(bench, "which boat") == "boat"


def test_a_filter_is_part_of_the_search(bench, pen, monkeypatch) -> None:
    monkeypatch.setattr(gathering, "CHUNK", 3)
    bench.put(*(pen.memory(f"m{at}", "t", "walrus walrus", namespace="b") for at in range(30)))
    bench.put(pen.memory("mine", "t", "one walrus", namespace="a"))
    assert found(bench, "walrus", Filter(namespaces=("a",)), limit=3) == ["mine"]
    monkeypatch.setattr(gathering, "SCOPE_MAX", 0)
    assert found(bench, "walrus", Filter(namespaces=("a",)), limit=3) == ["mine"]


@pytest.mark.parametrize("text", ["walrus boat", "the walrus of the boat"])
def test_words_that_too_many_hold_fill_up(bench, pen, monkeypatch, text) -> None:
    monkeypatch.setattr(gathering, "HOLDERS_MAX", 4)
    bench.put(*(pen.memory(f"m{at}", "t", "boat") for at in range(6)))
    bench.put(pen.memory("rare", "t", "walrus"))
    gathered = asked(bench, text)
    assert gathered.question.common == ("boat",)
    assert ids(bench, gathered.rids)[0] == "rare"
    assert len(gathered.rids) == 7
    [boat] = [held for held in gathered.question.words if held.word == "boat"]
    assert len(boat.rows) == 6


def test_a_question_of_stop_words_finds_something(bench, pen) -> None:
    bench.put(pen.memory("m1", "t", "this is what it was about"))
    assert found(bench, "What was it about?") == ["m1"]


@pytest.mark.parametrize(
    "text", ["", "   ", '"*(^', "\0", "agent : x", "{title} : y", "\U0001f600"]
)
def test_no_text_is_a_mistake(bench, pen, text) -> None:
    bench.put(pen.memory("m1", "t", "x y"))
    assert set(found(bench, text)) <= {"m1"}


def test_a_question_that_names_a_place_finds_what_is_kept_there(bench, pen) -> None:
    bench.put(pen.memory("m1", "t", "the port is closed", namespace="team/payments-api"))
    bench.put(pen.memory("m2", "t", "boats", namespace="team/other"))
    assert found(bench, "What do we know about payments?") == ["m1"]


def test_a_number_and_a_stop_word_name_no_place() -> None:
    assert gathering.leaf_of("team/payments-api") == {"payments", "api"}
    assert gathering.leaf_of("talks/17") == frozenset()
    assert gathering.leaf_of("what") == frozenset()
