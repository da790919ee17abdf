"""Vectors are kept for what memories say now, are checked before, and go with the text."""

from dataclasses import dataclass

import numpy as np
import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.listing import Filter
from aimem_node.store.sameness import fingerprint

EVERYTHING = Filter()


@dataclass(frozen=True)
class Toy:
    fingerprint: str = "f" * 32
    name: str = "toy"
    dimension: int = 8


TOY = Toy()
OTHER = Toy("e" * 32, "other", 4)


def unit(*numbers: float, dimension: int = 8) -> np.ndarray:
    vector = np.zeros(dimension, dtype=np.float32)
    vector[: len(numbers)] = numbers
    return vector / np.linalg.norm(vector)


def give(bench, vectors: dict[str, np.ndarray], model=TOY) -> list[str]:
    """Put a vector of what each memory says now; the ids of those that were kept."""

    def job(session):
        rows = {row.record_id: row for row in session.memories(list(vectors))}
        put = session.put_vectors(
            model.fingerprint,
            [
                (row.rid, fingerprint(row.title, row.content), vectors[row.record_id])
                for row in rows.values()
            ],
        )
        return [row.record_id for row in rows.values() if row.rid in put]

    return bench.do(job)


def due(bench) -> list[str]:
    return sorted(row.record_id for row in bench.see(lambda view: view.vectors_due(1_000)))


def near(bench, vector, model=TOY, limit: int = 10) -> list[str]:
    found = bench.see(lambda v: v.nearest(model.fingerprint, vector, EVERYTHING, limit))
    return [hit.record_id for hit in found.hits]


@pytest.fixture
def toys(bench, pen):
    """Three memories in a toy space, none with a vector."""
    bench.put(*(pen.memory(name, name) for name in ("a", "b", "c")))
    bench.do(lambda session: session.set_space(TOY))
    return bench


def test_every_live_memory_is_due_until_it_has_a_vector(toys, pen) -> None:
    toys.put(pen.archive("c"))
    assert due(toys) == ["a", "b"]
    assert give(toys, {"a": unit(1), "b": unit(0, 1)}) == ["a", "b"]
    assert due(toys) == []
    assert toys.see(lambda view: view.vector_backlog()) == 0
    toys.put(pen.memory("d", "d"))
    assert due(toys) == ["d"]


def test_a_memory_whose_text_changes_is_due_again_and_has_no_vector(toys, pen) -> None:
    give(toys, {"a": unit(1), "b": unit(0, 1)})
    body = {"title": "a", "content": "something else", "metadata": {}}
    toys.put(pen.edit("a", body=body))
    assert due(toys) == ["a", "c"]
    assert near(toys, unit(1)) == ["b"]
    toys.put(pen.edit("b", priority=9))
    assert due(toys) == ["a", "c"], "what is no part of the text changes nothing"


@pytest.mark.parametrize("end", ["archive", "delete", "purge"])
def test_the_vector_goes_with_the_memory(toys, pen, end) -> None:
    give(toys, {"a": unit(1), "b": unit(0, 1)})
    toys.put(getattr(pen, end)("a"), getattr(pen, end)("c"))
    assert near(toys, unit(1)) == ["b"]
    assert toys.see(lambda view: view.vector_count(TOY.fingerprint)) == 1
    assert due(toys) == []
    assert toys.do(lambda s: s._value("SELECT count(*) FROM vector_gone")) == 1


def test_a_vector_of_what_a_memory_said_before_is_not_kept(toys, pen) -> None:
    ((rid, mark),) = [
        (row.rid, row.mark) for row in toys.see(lambda v: v.vectors_due(9)) if row.record_id == "a"
    ]
    toys.put(pen.edit("a", body={"title": "a", "content": "new", "metadata": {}}))
    put = toys.do(lambda s: s.put_vectors(TOY.fingerprint, [(rid, mark, unit(1))]))
    assert put == []
    assert "a" in due(toys)
    assert near(toys, unit(1)) == []
    give(toys, {"a": unit(0, 1)})
    assert toys.do(lambda s: s.put_vectors(TOY.fingerprint, [(rid, mark, unit(1))])) == []
    assert near(toys, unit(1)) == ["a"], "whoever comes late takes nothing away"
    assert toys.see(lambda view: view.vector_problems()) == []


def test_a_sound_vector_that_came_meanwhile_is_not_rejected_with_the_broken_one(toys) -> None:
    give(toys, {"a": unit(1), "b": unit(1)})
    broken = dict(
        toys.do(lambda s: s._connection.execute("SELECT rid, vid FROM vector").fetchall())
    )
    give(toys, {"a": unit(0, 1)})
    sid = toys.see(lambda view: view.space(TOY.fingerprint).sid)
    toys.do(lambda s: s.reject_vectors(sid, list(broken.values())))
    assert near(toys, unit(0, 1)) == ["a"]
    assert due(toys) == ["b", "c"]
    assert toys.see(lambda view: view.vector_problems()) == []


@pytest.mark.parametrize(
    ("vector", "why"),
    [
        (np.full(8, np.nan, dtype=np.float32), "none"),
        (np.array([np.inf, 0, 0, 0, 0, 0, 0, 0], dtype=np.float32), "none"),
        (np.zeros(8, dtype=np.float32), "length is 0.000"),
        (np.full(8, 1.0, dtype=np.float32), "length is 2.828"),
        (np.ones((2, 4), dtype=np.float32) / 2, "2x4"),
        (unit(1, dimension=7), "7 numbers and should have 8"),
    ],
)
def test_what_is_no_vector_of_the_space_is_refused_and_nothing_is_kept(toys, vector, why) -> None:
    with pytest.raises(Failure, match=why) as raised:
        give(toys, {"a": unit(1), "b": vector})
    assert raised.value.code == Code.INVALID_ARGUMENT
    assert toys.see(lambda view: view.vector_count(TOY.fingerprint)) == 0
    assert due(toys) == ["a", "b", "c"]


def test_another_active_space_makes_everything_due_while_the_old_one_is_served(toys) -> None:
    give(toys, {"a": unit(1), "b": unit(0, 1), "c": unit(0, 0, 1)})
    toys.do(lambda session: session.set_space(OTHER))
    assert due(toys) == ["a", "b", "c"]
    assert [space.name for space in toys.see(lambda view: view.spaces())] == ["other", "toy"]
    assert near(toys, unit(1), limit=1) == ["a"]
    give(toys, {"a": unit(1, dimension=4)}, OTHER)
    assert due(toys) == ["b", "c"]
    toys.do(lambda session: session.set_space(TOY))
    assert due(toys) == [], "and back again: nothing has to be made a second time"


def test_vectors_for_a_space_that_is_not_active_leave_the_memory_due(toys) -> None:
    toys.do(lambda session: session.set_space(OTHER))
    assert give(toys, {"a": unit(1)}) == ["a"]
    assert due(toys) == ["a", "b", "c"]


def test_a_dropped_space_is_gone_and_the_active_one_cannot_be_dropped(toys) -> None:
    give(toys, {"a": unit(1)})
    with pytest.raises(Failure, match="in use"):
        toys.do(lambda session: session.drop_space(TOY.fingerprint))
    toys.do(lambda session: session.set_space(OTHER))
    while toys.do(lambda session: session.drop_space(TOY.fingerprint)):
        pass
    assert toys.do(lambda s: s._value("SELECT count(*) FROM vector")) == 0
    found = toys.see(lambda v: v.nearest(TOY.fingerprint, unit(1), EVERYTHING, 5))
    assert found.hits == ()
    assert "no vectors of this model" in found.missing


def test_a_model_cannot_change_its_dimension(toys) -> None:
    with pytest.raises(Failure) as raised:
        toys.do(lambda session: session.set_space(Toy(dimension=16)))
    assert raised.value.code == Code.CONFLICT


def test_a_repaired_row_is_due_again(toys) -> None:
    give(toys, {"a": unit(1), "b": unit(0, 1), "c": unit(0, 0, 1)})
    toys.do(lambda s: s._connection.execute("UPDATE memory SET priority = 1 WHERE record_id = 'a'"))
    toys.store.repair()
    assert due(toys) == ["a"]
    assert near(toys, unit(1), limit=5) == ["b", "c"]
