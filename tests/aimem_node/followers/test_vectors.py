"""Every live memory gets its vector, whatever happens to the model meanwhile."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from aimem_node.followers import vectors
from tests.embedding_stage import Space, StageModel, vector_of
from tests.harness import Harness

HANG_S = 20
"""Far above what anything here takes: reaching it means that something hangs."""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "AGAIN_S", (0.01,))
    monkeypatch.setattr(vectors, "TEXT_AGAIN_S", (0.02,))
    monkeypatch.setattr(vectors, "PASSAGES_S", 0.05)
    monkeypatch.setattr(vectors, "PROBE_S", 0.05)


class Node(Harness):
    """A node with a model that the test has in hand."""

    def __init__(self, data_dir: Path, model: StageModel | None = None) -> None:
        self.model = model or StageModel()
        super().__init__(data_dir, embedding=self.model)

    def facts(self) -> dict[str, Any]:
        return dict(self.call("Stats")["embedding"])

    def until(self, true: Callable[[], Any]) -> None:
        """Wait until something is so. Looked at again and again: no event tells of it."""
        pause, ended = threading.Event(), threading.Timer(HANG_S, lambda: pause.set())
        ended.start()
        try:
            while not true():
                assert not pause.wait(0.01), f"it never came to this: {self.facts()}"
        finally:
            ended.cancel()

    def until_done(self, vectors: int) -> None:
        self.until(lambda: (self.facts()["vectors"], self.facts()["backlog"]) == (vectors, 0))

    def vectors(self, fingerprint: str = "") -> dict[str, Any]:
        """By the ids of the memories."""
        fingerprint = fingerprint or self.model.space.fingerprint

        def read(view: Any) -> dict[str, Any]:
            rids = {rid: name for name, _, rid, *_ in view.record_rows("", 10_000)}
            return {rids[rid]: one for rid, one in view.vectors_of(fingerprint, rids).items()}

        found: dict[str, Any] = self.run(self.core.store.readers.read(read))
        return found

    def is_of(self, record_id: str, text: str) -> bool:
        """Whether a memory's vector is that of a text."""
        found = self.vectors().get(record_id)
        return found is not None and float(found @ vector_of(text, self.model.space.name)) > 0.99


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    running = Node(tmp_path / "node")
    yield running
    running.model.flowing.set()
    running.stop()


def test_what_is_stored_gets_the_vector_of_its_text(node: Node) -> None:
    record_id = node.store("A title", "and what it says")
    node.until_done(1)
    assert node.is_of(record_id, "A title\nand what it says")
    assert node.model.passed.count("A title\nand what it says") == 1
    facts = node.facts()
    assert (facts["state"], facts["model"], facts["dimension"]) == ("ready", "stage", 16)
    assert facts["fingerprint"] == node.model.space.fingerprint
    node.until(lambda: node.facts()["index"] == "ready")
    assert node.call("Capabilities")["tier"] == "semantic"


def test_an_idle_node_leaves_the_model_alone(node: Node) -> None:
    assert node.facts()["state"] == "cold"
    assert not node.model.is_loaded
    node.call("Link", source_id=node.store("a"), target_id=node.store("b"))
    node.until_done(2)
    passed = len(node.model.passed)
    node.call("Recall", context="a b")
    node.flush()
    assert len(node.model.passed) == passed


def test_a_change_of_the_text_renews_it_and_other_changes_do_not(node: Node) -> None:
    record_id = node.store("t", "first")
    node.until_done(1)
    node.call("Update", id=record_id, content="second")
    node.until(lambda: node.is_of(record_id, "t\nsecond"))
    passed = len(node.model.passed)
    node.call("Update", id=record_id, priority=9, tags="x")
    node.until_done(1)
    assert len(node.model.passed) == passed


def test_what_is_not_live_has_none_and_has_one_again_when_it_is(node: Node) -> None:
    kept, gone, erased = (node.store(name) for name in ("kept", "gone", "erased"))
    node.until_done(3)
    node.call("Forget", pattern="kept")
    node.call("Delete", id=gone)
    node.call("Delete", id=erased)
    node.until_done(0)
    assert node.vectors() == {}
    node.call("ArchiveRestore", id=kept)
    node.until_done(1)
    assert list(node.vectors()) == [kept]


def test_what_is_imported_gets_its_vector(node: Node, tmp_path: Path) -> None:
    node.store("t", "something")
    lines = node.stream("Export")
    memories = [line["memory"] for line in lines if "memory" in line]
    other = Node(tmp_path / "other")
    try:
        assert other.call("Import", memories=memories)["imported"] == 1
        other.until_done(1)
        assert other.is_of(memories[0]["id"], "t\nsomething")
    finally:
        other.stop()


def test_a_text_that_fails_holds_up_no_other_and_is_tried_again(node: Node) -> None:
    node.model.refuses = lambda text: "poison" in text
    good = [node.store(f"good {at}") for at in range(10)]
    bad = node.store("poison")
    good += [node.store(f"more {at}") for at in range(10)]
    node.until(lambda: node.facts()["vectors"] == 20)
    facts = node.facts()
    assert (facts["backlog"], facts["failures"]) == (1, 1)
    assert "cannot be read" in facts["why"]
    assert set(node.vectors()) == set(good)
    node.model.refuses = lambda _text: False
    node.until_done(21)
    assert bad in node.vectors()
    assert node.facts()["failures"] == 0


def test_a_text_without_a_proper_vector_is_set_aside_too(node: Node) -> None:
    usual = node.model.gives
    node.model.gives = lambda text: usual(text) * (float("nan") if "odd" in text else 1)
    node.store("odd")
    good = node.store("even")
    node.until(lambda: node.facts()["vectors"] == 1 and node.facts()["failures"] == 1)
    assert list(node.vectors()) == [good]
    assert "no vector" in node.facts()["why"]


@pytest.mark.parametrize("how", ["stalled", "down"])
def test_a_model_that_gives_nothing_costs_no_write_and_is_caught_up_with(
    node: Node, how: str
) -> None:
    if how == "stalled":
        node.model.flowing.clear()
    else:
        node.model.down = "the server does not answer"
    stored = [node.store(f"memory {at}") for at in range(5)]
    assert all(node.memory(one)["title"] for one in stored)
    node.until(lambda: node.facts()["why"] != "")
    facts = node.facts()
    assert (facts["vectors"], facts["backlog"], facts["failures"]) == (0, 5, 0)
    assert facts["lag_s"] > 0
    assert node.call("Health")["status"] == "ok"
    node.model.flowing.set()
    node.model.down = ""
    node.until_done(5)
    assert set(node.vectors()) == set(stored)
    assert node.facts()["why"] == ""


def test_a_node_stops_though_its_model_never_answers(tmp_path: Path) -> None:
    node = Node(tmp_path / "node")
    node.model.flowing.clear()
    node.store("t")
    node.stop()
    node.model.flowing.set()


def test_what_was_due_at_a_restart_is_done_after_it(tmp_path: Path) -> None:
    node = Node(tmp_path / "node")
    first = node.store("first")
    node.until_done(1)
    node.model.down = "away"
    second = node.store("second")
    node.call("Update", id=first, content="changed")
    node.stop()
    again = Node(tmp_path / "node")
    again.until_done(2)
    assert again.is_of(first, "first\nchanged")
    assert set(again.vectors()) == {first, second}
    assert again.vectors().keys() == {first, second}
    again.stop()


def test_what_is_written_now_does_not_wait_for_what_was_due_before(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vectors, "BATCH", 1)
    node.model.down = "away"
    old = [node.store(f"old {at}") for at in range(30)]
    node.model.down = ""
    node.until(lambda: len(node.vectors()) > 2)
    fresh = node.store("fresh")
    node.until_done(31)
    order = [text for text in node.model.passed if text != vectors.PROBE]
    assert order.index(next(text for text in order if "fresh" in text)) < len(old)
    assert fresh in node.vectors()


def test_another_model_embeds_everything_anew_while_the_old_vectors_serve(tmp_path: Path) -> None:
    node = Node(tmp_path / "node", StageModel("old"))
    stored = [node.store(f"memory {at}") for at in range(3)]
    node.until_done(3)
    old = node.model.space
    node.stop()
    model = StageModel("new", Space(old.fingerprint, old.name))
    model.is_loaded = True
    model.refuses = lambda text: "memory 1" in text
    node = Node(tmp_path / "node", model)
    node.until(lambda: len(node.vectors()) == 2)
    assert set(node.vectors(old.fingerprint)) == set(stored), "until all have one of the new model"
    model.refuses = lambda _text: False
    node.until_done(3)
    node.until(lambda: node.vectors(old.fingerprint) == {})
    spaces = node.run(node.core.store.readers.read(lambda view: view.spaces()))
    assert [space.name for space in spaces] == ["new"]
    node.stop()


def test_how_far_it_is_can_be_scraped(node: Node) -> None:
    def value(name: str, **labels: str) -> float | None:
        return node.core.metrics.registry.get_sample_value(name, labels)

    node.store("t")
    node.until_done(1)
    node.until(lambda: value("aimem_vectors") == 1)
    assert value("aimem_vector_backlog") == 0
    assert value("aimem_vector_lag_seconds") == 0
    assert value("aimem_vectors_embedded_total") == 1
    assert value("aimem_embedding_state", state="ready") == 1
    node.model.down = "away"
    node.store("u")
    node.until(lambda: value("aimem_vector_backlog") == 1)
    node.until(lambda: (value("aimem_vector_failures_total") or 0) > 0)
    node.until(lambda: (value("aimem_vector_lag_seconds") or 0) > 0)
    assert value("aimem_embedding_state", state="failed") == 1


def test_a_model_under_another_name_is_loaded_at_once_and_the_one_before_is_kept(
    tmp_path: Path,
) -> None:
    before = Node(tmp_path / "node", StageModel("before"))
    before.store("kept", "a text")
    before.until_done(1)
    before.stop()
    model = StageModel("after")
    model.refuses = lambda text: "a text" in text
    after = Node(tmp_path / "node", model)  # nothing is due, and nobody asks anything of it
    after.until(lambda: model.kept == {before.model.space.fingerprint: "before"})
    after.stop()
