"""The text that is measured with."""

from aimem_node.gateways.demo import conversation
from aimem_node.gateways.operator.bench.words import Words

SAMPLE = conversation.load(conversation.SAMPLE)


def test_memories_to_measure_with_have_titles_of_their_own_and_the_same_text_every_time() -> None:
    first, second = (list(Words(SAMPLE).memories(500)) for _ in range(2))
    assert first == second
    assert len({memory.title for memory in first}) == 500
    spoken = set(Words(SAMPLE).sentences)
    assert all(any(sentence in memory.content for sentence in spoken) for memory in first)


def test_frequent_queries_hold_nothing_but_frequent_words() -> None:
    words = Words(SAMPLE)
    frequent = set(words.frequent)
    assert all(set(query.split()) <= frequent for query in words.frequent_queries(20))
    assert len(words.pairs(10)) == 10
