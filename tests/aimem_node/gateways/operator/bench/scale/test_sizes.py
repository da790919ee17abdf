"""What is stored at each size."""

from collections import Counter

from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench.scale.sizes import (
    ALONE,
    ALONE_MEMORY,
    ALONE_QUESTIONS,
    Goals,
    memories,
    project,
)
from aimem_node.gateways.operator.bench.words import Words

SAMPLE = conversation.load(conversation.SAMPLE)


def test_a_hundred_projects_share_the_memories_evenly_and_one_is_alone() -> None:
    held = Counter(one.namespace for one in memories(Words(SAMPLE), 1_000))
    assert sum(held.values()) == 1_000
    assert held.pop(ALONE) == 1
    assert len(held) == 100
    assert set(held.values()) <= {9, 10}
    assert project(37) == "bench/team-3/project-37"


def test_the_same_memories_come_each_time_so_that_filling_can_go_on_where_it_was() -> None:
    first, second = (list(memories(Words(SAMPLE), 300)) for _ in range(2))
    assert first == second
    assert first[150] == ALONE_MEMORY


def test_every_question_about_the_lone_memory_shares_a_word_with_it() -> None:
    said = set(ALONE_MEMORY.content.lower().replace(",", "").replace(".", "").split())
    common = {"we", "the", "a", "was", "it", "with", "so", "all", "you", "to", "did", "had"}
    for question in ALONE_QUESTIONS:
        asked = set(question.lower().replace("?", "").split())
        assert (asked & said) - common, question


def test_a_size_in_between_keeps_the_promise_of_the_next_larger_one() -> None:
    assert Goals.of(1_000) == Goals(10.0, 2.0)
    assert Goals.of(50_000) == Goals(25.0, 2.0)
    assert Goals.of(1_000_000) == Goals(50.0, 10.0)
    assert Goals.of(2_000_000) == Goals(None, None)
