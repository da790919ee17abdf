"""The story's small parts; its whole run is proved by `make demo`, which fails when it lies."""

from aimem_node.gateways.demo import story


def test_words_of_a_change_are_found_wherever_they_stand() -> None:
    assert story.words_of({"set": {"body": {"content": "here"}}}) == "here"
    assert story.words_of({"set": {"tier": "long"}}) == ""
