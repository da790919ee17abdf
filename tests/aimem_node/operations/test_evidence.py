"""The ranking as a pure function: what each kind of evidence does to the order of a pool."""

from dataclasses import replace
from datetime import UTC, datetime

from aimem_node.operations.dates import asked_dates
from aimem_node.operations.evidence import WEIGHTS, Pool, evidence, most, preliminary
from aimem_node.store.gathering import Held, Question
from aimem_node.store.view_company import Around, Light


def light(rid: int, *, ending: str = "said.", agent: str = "ann", session: str = "s") -> Light:
    thread = ("notes", "api", session)
    return Light(rid, f"m{rid}", thread, agent, rid, None, "mid", 5, 1.0, rid, ending, True)


def held(word: str, *rids: int, weight: float = 1.0, headed: tuple[int, ...] = ()) -> Held:
    return Held(word, weight, frozenset(rids), frozenset(headed))


def question(*words: Held, names: tuple[str, ...] = ()) -> Question:
    return Question(words, (), frozenset(names))


def line(count: int) -> dict[int, Around]:
    """A thread of `count` memories, 0 first."""
    return {
        at: Around(tuple(range(at - 1, -1, -1))[:2], tuple(range(at + 1, count))[:2])
        for at in range(count)
    }


def order(pool: Pool) -> list[int]:
    found = evidence(pool)
    return sorted(found, key=lambda rid: (-sum(found[rid].values()), rid))


def pool_of(asked: Question, lights: list[Light], **more: object) -> Pool:
    around = more.pop("around", {one.rid: Around((), ()) for one in lights})
    return Pool(asked, asked_dates(""), {one.rid: one for one in lights}, around, **more)  # type: ignore[arg-type]


def test_the_rarer_word_counts_more_and_two_words_more_than_one() -> None:
    asked = question(held("walrus", 1, 3, weight=5.0), held("boat", 2, 3, weight=1.0))
    lights = [light(rid, session="") for rid in (1, 2, 3)]
    assert order(pool_of(asked, lights)) == [3, 1, 2]


def test_a_word_in_the_title_counts_more() -> None:
    asked = question(held("walrus", 1, 2, headed=(2,)))
    assert order(pool_of(asked, [light(1, session=""), light(2, session="")])) == [2, 1]


def test_what_stands_beside_a_match_is_found_and_ranks_below_it() -> None:
    asked = question(held("walrus", 2))
    lights = [light(rid) for rid in range(6)]
    ranked = order(pool_of(asked, lights, around=line(6)))
    assert ranked[0] == 2
    assert set(ranked[1:3]) == {1, 3}
    assert "words" not in evidence(pool_of(asked, lights, around=line(6)))[5]


def test_an_answer_ranks_above_the_question_it_follows() -> None:
    asked = question(held("research", 1))
    lights = [light(0), light(1, ending="research?"), light(2, ending="adoption."), light(3)]
    ranked = order(pool_of(asked, lights, around=line(4)))
    assert ranked[0] == 2
    statement = [light(0), light(1), light(2), light(3)]
    assert order(pool_of(asked, statement, around=line(4)))[0] == 1


def test_what_the_named_agent_said_ranks_first_and_then_what_was_said_beside_it() -> None:
    asked = question(held("budget", 1, 3, 9), names=("bob",))
    lights = [
        light(1),
        light(2, agent="user:bob"),
        light(3, agent="user:bob"),
        light(9, session="z"),
    ]
    around = {
        1: Around((), (2,)), 2: Around((1,), (3,)), 3: Around((2,), ()), 9: Around((), ()),
    }  # fmt: skip
    ranked = order(pool_of(asked, lights, around=around))
    assert set(ranked[:2]) == {2, 3}
    assert ranked.index(1) < ranked.index(9)


def test_a_name_of_two_words_must_be_named_in_full() -> None:
    lights = [light(1, agent="ai:claude-code@box", session=""), light(2, session="")]
    one = question(held("said", 1, 2), names=("claude",))
    both = question(held("said", 1, 2), names=("claude", "code"))
    assert "speaker" not in evidence(pool_of(one, lights))[1]
    assert evidence(pool_of(both, lights))[1]["speaker"] == WEIGHTS["speaker"]


def test_the_day_that_was_asked_for_counts() -> None:
    june = int(datetime(2023, 6, 5, tzinfo=UTC).timestamp() * 1_000_000)
    lights = [light(1, session=""), light(2, session="")._replace(happened_us=june)]
    pool = pool_of(question(held("walrus", 1, 2)), lights)
    pool.dates = asked_dates("what happened on 5 June 2023")
    assert order(pool) == [2, 1]


def test_nearness_adds_to_words_and_neither_drowns_the_other() -> None:
    asked = question(held("walrus", 1, weight=9.0))
    lights = [light(rid, session="") for rid in (1, 2, 3)]
    pool = pool_of(asked, lights, near={1: 0.4, 2: 1.0, 3: 0.2})
    assert order(pool) == [1, 2, 3]
    found = evidence(pool)
    assert found[2]["meaning"] == WEIGHTS["meaning"]
    assert "words" not in found[2]


def test_the_best_of_a_thread_lifts_the_others_of_it() -> None:
    asked = question(held("walrus", 1, weight=3.0), held("boat", 5, 9, weight=1.0))
    lights = [light(1), light(5), light(9, session="other")]
    assert order(pool_of(asked, lights)) == [1, 5, 9]


def test_without_a_session_no_memory_lifts_another() -> None:
    asked = question(held("walrus", 1, weight=3.0), held("boat", 5, 9, weight=1.0))
    lights = [light(1, session=""), light(5, session=""), light(9, session="")]
    found = evidence(pool_of(asked, lights))
    assert found[5] == found[9]


def test_a_neighbour_that_the_caller_does_not_see_says_nothing() -> None:
    asked = question(held("walrus", 2))
    lights = [light(1), light(3)]
    pool = pool_of(asked, lights, around={1: Around((), (2,)), 3: Around((2,), ())})
    assert all("words" not in terms for terms in evidence(pool).values())


def test_what_is_not_wanted_is_evidence_but_no_candidate() -> None:
    asked = question(held("walrus", 2))
    lights = [light(1), light(2)._replace(is_wanted=False), light(3)]
    found = evidence(pool_of(asked, lights, around={rid: line(5)[rid] for rid in (1, 2, 3)}))
    assert set(found) == {1, 3}
    assert found[1]["words"] == WEIGHTS["words"]


def test_a_score_is_measured_by_what_the_question_could_earn() -> None:
    plain = pool_of(question(held("walrus", 1)), [light(1)])
    named = pool_of(question(held("walrus", 1), names=("ann",)), [light(1)])
    near = pool_of(question(held("walrus", 1)), [light(1)], near={1: 1.0})
    assert most(plain) < most(named)
    assert most(plain) < most(near)
    for pool in (plain, named, near):
        assert all(sum(terms.values()) <= most(pool) for terms in evidence(pool).values())


def test_candidates_are_chosen_by_words_and_meaning_alike() -> None:
    asked = question(held("walrus", 1, 2))
    lights = {rid: light(rid) for rid in (1, 2, 3)}
    assert preliminary(asked, {2: 1.0, 3: 0.9}, lights) == [2, 1, 3]


def test_of_equal_candidates_the_order_does_not_depend_on_the_numbers_of_their_rows() -> None:
    """Rows are numbered as they came to a node, and every node answers alike."""
    asked = question(held("walrus", *range(40)))
    orders = []
    for shift in (7, 23):
        those = {
            (at * shift) % 40: light(at)._replace(rid=(at * shift) % 40, created_us=at // 4)
            for at in range(40)
        }
        orders.append([those[rid].record_id for rid in preliminary(asked, {}, those)])
    assert orders[0] == orders[1]


def test_what_lies_in_the_place_that_is_named_counts_more() -> None:
    asked = replace(question(held("port", 1, 2)), spoken=frozenset({"port", "of", "payments"}))
    lights = [
        light(1, session=""),
        light(2, session="")._replace(thread=("team/payments", "api", "")),
    ]
    pool = pool_of(asked, lights)
    assert order(pool) == [2, 1]
    assert sum(evidence(pool)[2].values()) <= most(pool)
