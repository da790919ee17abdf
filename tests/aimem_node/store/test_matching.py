"""Forgetting must see every memory that matches, not the best of them."""

from aimem_node.store.listing import Filter


def matching(bench, pattern, limit=1000, **wanted):
    return bench.see(lambda view: view.matching_ids(pattern, Filter(**wanted), limit))


def test_every_match_is_given_oldest_first_up_to_the_limit(bench, pen) -> None:
    bench.put(*(pen.memory(f"m{at}", "the walrus") for at in range(400)), pen.memory("x", "seal"))
    assert matching(bench, "walrus") == [f"m{at}" for at in range(400)]
    assert len(matching(bench, "walrus", 50)) == 50
    assert len(matching(bench, "the")) == 400, "stop-words are words too"
    assert matching(bench, None, namespaces=("global",))[-1] == "x"


def test_a_pattern_without_a_word_matches_nothing(bench, pen) -> None:
    bench.put(pen.memory("m1"))
    assert matching(bench, " * ") == []


def test_a_session_matches_what_it_has_just_written(bench, pen) -> None:
    def job(session):
        bench.pen.write(session, pen.memory("m1", "a walrus"))
        return session.matching_ids("walrus", Filter(), 9), session.similar_titles(
            "walrus", Filter(), 9
        )

    assert bench.do(job) == (["m1"], ["m1"])


def test_similar_titles_share_a_telling_word_of_the_title(bench, pen) -> None:
    bench.put(
        pen.memory("m1", "The walrus plan"),
        pen.memory("m2", "The seal plan"),
        pen.memory("m3", "Other", "walrus in the content"),
    )

    def similar(title):
        return bench.see(lambda view: view.similar_titles(title, Filter(), 9))

    assert similar("A walrus") == ["m1"]
    assert similar("plans of the") == ["m2", "m1"]
    assert similar("the a of") == []
