"""Memories are found by what they say and by their topic, in one step."""

from aimem_node.store.listing import Filter
from aimem_sync.change import Change


def found(bench, method: str, *args) -> list[str]:
    return [row.record_id for row in bench.see(lambda view: getattr(view, method)(*args))]


def test_a_copy_is_found_by_its_text_alone_as_long_as_it_is_live(bench, pen) -> None:
    bench.put(pen.memory("m1", "Title", "The text"), pen.memory("m2", "title", "the  TEXT"))
    bench.put(pen.memory("m3", "Title", "The text."), pen.memory("m4", "Title", "The text"))
    bench.put(pen.delete("m4"))
    asked = ("TITLE", "the text")
    assert found(bench, "saying", *asked, Filter(), 9) == ["m1", "m2"]
    assert found(bench, "saying", *asked, Filter(), 1) == ["m1"]
    assert found(bench, "saying", *asked, Filter(namespaces=("elsewhere",)), 9) == []
    bench.put(pen.edit("m1", body={"title": "Title", "content": "other", "metadata": {}}))
    assert found(bench, "saying", *asked, Filter(), 9) == ["m2"]


def test_a_shared_fingerprint_is_no_proof(bench, pen) -> None:
    bench.put(pen.memory("m1", "Title", "The text"))
    number = bench.see(lambda view: view.marks(view.memory("m1").rid))[0]
    bench.put(pen.memory("m2", "Title", "another text"))
    bench.do(lambda session: session._connection.execute(
        "UPDATE memory SET fingerprint = ? WHERE record_id = 'm2'", (number,)
    ))  # fmt: skip
    assert found(bench, "saying", "title", "the text", Filter(), 9) == ["m1"]
    (problem,) = bench.store.verify(deep=False).problems
    assert "m2 is not looked up" in problem
    assert "1 memories were shown again as their records say" in bench.store.repair()
    assert found(bench, "saying", "title", "another text", Filter(), 9) == ["m2"]
    assert bench.store.verify(deep=True).problems == []


def test_memories_of_one_topic_are_found_and_topics_that_several_have(bench, pen) -> None:
    bench.put(
        pen.memory("m1", "The Port", namespace="a/b"),
        pen.memory("m2", "x", namespace="a", metadata={"topic": "the port"}),
        pen.memory("m3", "y", namespace="a"),
        pen.memory("m4", "y", namespace="z"),
    )
    assert found(bench, "on_topic", "the port", Filter(), 9) == ["m2", "m1"]
    assert found(bench, "on_topic", "the port", Filter(below="a/b"), 9) == ["m1"]

    def shared(**place) -> list[str]:
        return bench.see(lambda view: view.shared_topics(Filter(**place), 9))

    assert (shared(), shared(below="a"), shared(namespaces=("z",))) == (
        ["the port", "y"], ["the port"], [],
    )  # fmt: skip
    bench.put(Change("m2", "memory", {"life": {"is": "deleted"}}))
    assert shared() == ["y"]


def test_words_with_one_stem_are_counted_once(bench, pen) -> None:
    bench.put(pen.memory("m1", "deploying", "x"), pen.memory("m2", "deploy", "y"))
    terms = bench.see(lambda view: view.terms(["deploys", "deploy", "nowhere"]))
    assert [(term.word, term.rows) for term in terms] == [("deploys", 2), ("nowhere", 0)]
