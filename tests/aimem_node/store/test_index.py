"""Words come into the index once a group and in the order of rows, whatever was written."""

import random

from aimem_node.store.listing import Filter


def test_a_group_that_renews_and_adds_ends_with_the_right_words(bench, pen) -> None:
    bench.put(*(pen.memory(f"m{at}", f"old{at}") for at in range(6)))

    def job(session):
        for at in random.Random(3).sample(range(12), 12):
            bench.pen.write(session, pen.memory(f"m{at}", f"new{at}"))
        bench.pen.write(session, pen.delete("m2"))
        bench.pen.write(session, pen.memory("m12", "fleeting"))
        bench.pen.write(session, pen.archive("m12"))

    bench.do(job)

    def found(word):
        hits = bench.see(lambda view: view.search(word, "any", Filter(), 20)).hits
        return [hit.record_id for hit in hits]

    assert [found(f"new{at}") for at in (0, 2, 7)] == [["m0"], [], ["m7"]]
    assert [found(word) for word in ("old0", "old2", "fleeting")] == [[], [], []]
    assert bench.store.verify(deep=True).problems == []


def test_an_index_that_lost_its_words_is_noticed_and_made_again(bench, pen) -> None:
    bench.put(pen.memory("m1", "walrus"))
    bench.do(
        lambda s: s._connection.execute("INSERT INTO memory_fts(memory_fts) VALUES('delete-all')")
    )
    assert "full-text index" in bench.do(lambda session: session.index_problem())
    bench.do(lambda session: session.rebuild_index())
    assert bench.do(lambda session: session.index_problem()) == ""


def test_merging_ends(bench, pen) -> None:
    for at in range(20):
        bench.put(pen.memory(f"m{at}", f"word{at}"))

    def merge_all(session):
        session.merge_index(-100)
        steps = 0
        while session.merge_index(100):
            steps += 1
            assert steps < 100
        return True

    assert bench.do(merge_all)
