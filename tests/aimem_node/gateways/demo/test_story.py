"""The demo's own parts; its whole run is proved by `make demo` itself, which fails when it lies."""



from aimem_node.gateways.demo import conversation, story

SAMPLE = conversation.load(conversation.SAMPLE)[0]


def test_words_of_a_change_are_found_wherever_they_stand() -> None:
    assert story.words_of({"set": {"body": {"content": "here"}}}) == "here"
    assert story.words_of({"set": {"tier": "long"}}) == ""


