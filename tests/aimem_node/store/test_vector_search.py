"""The filter is a part of the search: the one that is wanted is found, however many are nearer."""

import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimem_node.contract.errors import Code, Failure
from aimem_node.store import vector_search
from aimem_node.store.listing import Filter
from aimem_node.store.vector_file import files_of
from aimem_node.store.vector_index import VectorIndexes
from aimem_node.store.vector_space import Sizes
from aimem_node.store.vectors import encoded
from tests.aimem_node.store.conftest import NOW_US
from tests.aimem_node.store.vectored import PRINT, Vectored, names, units


@pytest.fixture
def vectored(tmp_path):
    made = Vectored(tmp_path / "node")
    yield made
    made.store.close()


@pytest.fixture
def narrow(monkeypatch):
    """Few are few already at 50, so that some hundred memories are many."""
    monkeypatch.setattr(vector_search, "EXACT_MAX", 50)
    monkeypatch.setattr(vector_search, "PROPOSED_MAX", 128)


def crowd(vectored, count: int, namespace: str) -> np.ndarray:
    """So many memories with vectors, put there by rows: 50,000 writes would take a minute."""
    matrix = units(count, seed=4)

    def job(session) -> None:
        execute = session._connection.execute
        execute(
            "INSERT INTO record(record_id, type, born_lamport, born_id, hash, state)"
            " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)"
            " SELECT 'c' || i, 'memory', 1, '', x'', x'' FROM n",
            (count,),
        )
        columns = ["rid", "record_id", "namespace", "title", "tier", "scope", "priority",
                   "confidence", "life", "created_us", "updated_us", "access_count",
                   "archive_reason", "lamport", "write_id", "conflicts", "agent_id", "author",
                   "session", "source", "tags", "metadata", "content"]  # fmt: skip
        execute(
            f"INSERT INTO memory({', '.join(columns)}) SELECT rid, record_id, ?, record_id, 'mid',"
            " 'private', 5, 1.0, 'live', 1, 1, 0, '', 1, '', 0, 'ai:c', 'u', '', 'api', '[]', '{}',"
            " '' FROM record WHERE record_id LIKE 'c%'",
            (namespace,),
        )
        rids = execute("SELECT rid FROM memory WHERE record_id LIKE 'c%'").fetchall()
        sid = session.space(PRINT).sid
        session._connection.executemany(
            "INSERT INTO vector(sid, rid, mark, body) VALUES(?, ?, 0, ?)",
            [(sid, rid, encoded(one)) for (rid,), one in zip(rids, matrix, strict=True)],
        )
        execute("DELETE FROM vector_due")
        session.forget()

    vectored.do(job)
    return matrix


def test_one_memory_in_a_namespace_is_found_beside_fifty_thousand_in_another(tmp_path) -> None:
    vectored = Vectored(tmp_path / "node", Sizes())
    matrix = crowd(vectored, 50_000, "b")
    vectored.add({"alone": -matrix[0]}, namespace="a")
    there = Filter(namespaces=("a",))
    for question in (matrix[0], -matrix[0], units(1, seed=8)[0]):
        found = vectored.near(question, 50, there)
        assert (names(found), found.exact, found.missing) == (["alone"], True, "")
    everywhere = vectored.near(-matrix[0], 1)
    assert names(everywhere) == ["alone"]
    vectored.store.close()


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(namespaces=("a",)),
        Filter(below="a"),
        Filter(tags=("rare",)),
        Filter(session="s1"),
        Filter(agent_id="ai:other"),
        Filter(tier="long"),
        Filter(min_priority=9),
        Filter(since_us=NOW_US + 5),
    ],
)
def test_every_kind_of_filter_finds_the_few_it_leaves(vectored, narrow, wanted) -> None:
    matrix = units(600)
    vectored.add({f"m{at:04}": matrix[at] for at in range(600)}, namespace="b")
    few = -units(3, seed=7)
    kinds = {"namespace": "a", "tags": ["rare"], "session": "s1", "agent_id": "ai:other",
             "tier": "long", "priority": 9, "created_at": NOW_US + 9}  # fmt: skip
    vectored.add({f"few{at}": few[at] for at in range(3)}, **kinds)
    vectored.settle()
    found = vectored.near(matrix[0], 10, wanted)
    assert sorted(names(found)) == ["few0", "few1", "few2"]
    assert found.exact
    assert found.candidates == 3


def test_a_wide_filter_is_served_by_the_index_and_says_so(vectored, narrow) -> None:
    matrix = units(600)
    for half in ("even", "odd"):
        rows = range(half == "odd", 600, 2)
        vectored.add({f"m{at:04}": matrix[at] for at in rows}, namespace=half)
    vectored.settle()
    found = vectored.near(matrix[100], 10, Filter(namespaces=("odd",)))
    assert not found.exact
    evens = [name for name in vectored.vectors if not int(name[1:]) % 2]
    for name in evens:
        del vectored.vectors[name]
    assert names(found) == vectored.brute(matrix[100])


def test_those_who_lie_far_off_are_found_among_many_who_are_wanted(tmp_path, narrow) -> None:
    vectored = Vectored(tmp_path / "node", Sizes(alone=100, tail=60, part=2_000))
    near = units(1)
    vectored.add({f"near{at:04}": near[0] for at in range(800)}, namespace="b")
    far = units(80, seed=3)
    vectored.add({f"far{at:03}": far[at] for at in range(80)}, namespace="a")
    vectored.settle()
    found = vectored.near(near[0], 10, Filter(namespaces=("a",)))
    for name in [name for name in vectored.vectors if name.startswith("near")]:
        del vectored.vectors[name]
    assert names(found) == vectored.brute(near[0])
    assert found.exact
    vectored.store.close()


def test_those_who_came_last_do_not_stand_in_for_nearer_ones_that_were_not_proposed(
    tmp_path, narrow
) -> None:
    vectored = Vectored(tmp_path / "node", Sizes(alone=2_000))
    one = units(1)[0]
    crowd_of = np.vstack([one + 0.01 * units(1, seed=at)[0] for at in range(800)])
    crowd_of /= np.linalg.norm(crowd_of, axis=1, keepdims=True)
    vectored.add({f"near{at:04}": crowd_of[at] for at in range(800)}, namespace="b")
    far = units(80, seed=3)
    vectored.add({f"far{at:03}": far[at] for at in range(80)}, namespace="a")
    vectored.settle()
    vectored.store.vectors.close()  # from here on nothing is taken in
    vectored.add({f"late{at:03}": -one for at in range(20)}, namespace="a")
    found = vectored.near(one, 10, Filter(namespaces=("a",)))
    for name in [name for name in vectored.vectors if name.startswith("near")]:
        del vectored.vectors[name]
    assert names(found) == vectored.brute(one)
    vectored.store.close()


def test_equally_near_ones_come_in_the_order_in_which_they_were_stored(vectored) -> None:
    one = units(1)[0]
    vectored.add({f"m{at:02}": one for at in range(40)})
    assert names(vectored.near(one, 7)) == [f"m{at:02}" for at in range(7)]
    vectored.settle()
    assert names(vectored.near(one, 7)) == [f"m{at:02}" for at in range(7)]


def test_a_question_that_is_no_vector_of_the_space_is_refused(vectored) -> None:
    for wrong in (np.zeros(16, dtype=np.float32), units(1, dimension=8)[0]):
        with pytest.raises(Failure) as raised:
            vectored.near(wrong)
        assert raised.value.code == Code.INTERNAL


def test_until_the_index_is_loaded_few_are_compared_and_of_many_it_says_why_not(
    vectored, narrow, monkeypatch
) -> None:
    matrix = units(300)
    vectored.add({f"m{at:04}": matrix[at] for at in range(290)}, namespace="b")
    vectored.add({f"m{at:04}": matrix[at] for at in range(290, 300)}, namespace="a")
    monkeypatch.setattr(VectorIndexes, "serve", lambda *_: None)
    found = vectored.near(matrix[295], 1, Filter(namespaces=("a",)))
    assert (names(found), found.exact, found.missing) == (["m0295"], True, "")
    found = vectored.near(matrix[295], 1)
    assert found.hits == ()
    assert not found.exact
    assert "being loaded" in found.missing


def test_while_the_index_is_made_a_search_says_that_a_part_is_missing(
    vectored, narrow, monkeypatch
) -> None:
    monkeypatch.setattr(vector_search, "PENDING_MAX", 20)
    matrix = units(100)
    vectored.settle()
    vectored.store.vectors.close()
    vectored.add({f"m{at:04}": matrix[at] for at in range(100)})
    found = vectored.near(matrix[99], 1)
    assert names(found) == ["m0099"], "what came last is looked at in any case"
    assert "is being made" in found.missing


def test_searches_beside_a_growing_and_shrinking_index_find_what_stays(vectored) -> None:
    stays = units(30, seed=6)
    vectored.add({f"stay{at:02}": stays[at] for at in range(30)}, namespace="a")
    over, wrong = threading.Event(), []

    def search() -> None:
        at = 0
        while not over.is_set():
            at = (at + 1) % 30
            for wanted in (Filter(), Filter(namespaces=("a",))):
                found = vectored.near(stays[at], 3, wanted)
                if f"stay{at:02}" not in names(found):
                    wrong.append((at, names(found)))

    threads = [threading.Thread(target=search) for _ in range(2)]
    for thread in threads:
        thread.start()
    for turn in range(4):
        comes = units(200, seed=20 + turn)
        vectored.add({f"t{turn}-{at:03}": comes[at] for at in range(200)})
        vectored.end(*(f"t{turn}-{at:03}" for at in range(0, 200, 2)))
    over.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    vectored.settle()


PLACES = units(12, seed=2)
KINDS = ["add"] * 3 + ["change", "archive", "purge", "many", "settle", "restart", "crash", "lose"]
KINDS += ["rebuild", "restore"]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(0, 11)), max_size=25)


def is_crashed(vectored) -> bool:
    return bool(vectored.store.vectors._closing.is_set())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_after_any_history_what_is_found_is_what_comparing_all_finds(
    tmp_path_factory, steps
) -> None:
    vectored = Vectored(tmp_path_factory.mktemp("node"), Sizes(alone=12, tail=8, part=24))
    archived: list[str] = []
    try:
        for number, (step, at) in enumerate(steps):
            held = sorted(vectored.vectors)
            if step == "add":
                vectored.add({f"n{number:03}": PLACES[at]})
            elif step == "many":
                vectored.add(dict(zip((f"n{number:03}-{i:02}" for i in range(20)),
                                      units(20, seed=number + 1), strict=True)))  # fmt: skip
            elif step == "settle":
                if not is_crashed(vectored):
                    vectored.settle()
            elif step == "restart":
                vectored.again()
            elif step == "crash":
                # The thread is gone before it took in or saved what came.
                vectored.store.vectors.close()
            elif step == "lose":
                for path in files_of(vectored.data_dir)[:1]:
                    path.unlink()
            elif step == "rebuild":
                vectored.store.vectors.rebuild()
            elif step == "restore":
                if archived:
                    name = archived.pop()
                    vectored.write(vectored.pen.edit(name, life={"is": "live"}))
                    vectored.give({name: PLACES[at]})
            elif held and step == "change":
                name = held[at % len(held)]
                vectored.change(name, f"content {number}")
                vectored.give({name: PLACES[at]})
            elif held:
                vectored.end(held[at % len(held)], by=step)
                if step == "archive":
                    archived.append(held[at % len(held)])
            for place in (PLACES[at], -PLACES[at]):
                assert names(vectored.near(place, 5)) == vectored.brute(place, 5)
        vectored.again()
        vectored.settle()
        assert vectored.store.verify(deep=True).problems == []
    finally:
        vectored.store.close()
