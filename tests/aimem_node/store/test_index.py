"""Words come into the index once a group and in the order of rows, whatever was written."""

import random

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimem_node.store.listing import Filter
from aimem_node.store.words import words_of
from tests.aimem_node.store.scribes import words


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


TEXTS = [
    "我们周三在北京开会", "東京タワーに行きました", "กินข้าวแล้ว", "مُحَمَّد في المدرسة",
    "회의에서 결정했다", "Straße der Möwen", "हिन्दी में", "plain words",
    "😀", "\u0301 \ufe0f", "cafe\u0301", "",
]  # fmt: skip


def test_the_index_fits_whatever_became_of_texts_of_all_scripts(bench, pen) -> None:
    chance = random.Random(5)

    def some() -> str:
        return " ".join(chance.choices(TEXTS, k=chance.randrange(1, 4)))

    def one(session) -> None:
        record_id = f"m{chance.randrange(12)}"
        agent_id = chance.choice(["user:ann", "ai:小明", ""])
        more = {"agent_id": agent_id, "source": some(), "session": chance.choice(["", "s-1"])}
        wish = chance.choice(
            [
                pen.memory(record_id, some(), some(), tags=[chance.choice(TEXTS) or "x"], **more),
                pen.memory(record_id, some(), some(), namespace="team/北京", **more),
                pen.edit(record_id, namespace="global/é"),
                pen.archive(record_id),
                pen.delete(record_id),
            ]
        )
        bench.pen.write(session, wish)

    for _ in range(12):
        bench.do(lambda session: [one(session) for _ in range(10)] and None)
    bench.put(pen.purge("m1"))
    assert bench.store.verify(deep=True).problems == []
    before = bench.see(words)
    bench.do(lambda session: session.rebuild_index())
    assert bench.see(words) == before


# Characters that Unicode has not assigned are letters to some and not to others.
ASSIGNED = st.text(st.characters(codec="utf-8", exclude_categories=("Cn", "Co")))


@given(st.lists(ASSIGNED, min_size=3, max_size=3), st.data())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_text_comes_into_the_index_and_leaves_it_again(bench, pen, texts, choices) -> None:
    title, content, later = texts
    bench.put(pen.memory("m1", title, content, agent_id=later))
    asked = choices.draw(st.sampled_from([title, content]))
    has_words = any(word.isascii() for word in words_of(asked))
    found = bench.see(lambda view: view.search(asked, "any", Filter(), 5))
    assert found.hits or not has_words
    bench.put(pen.memory("m1", later, title))
    assert bench.do(lambda session: session.index_problem()) == ""
