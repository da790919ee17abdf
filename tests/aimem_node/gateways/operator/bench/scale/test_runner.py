"""What bench-scale measures, keeps and refuses."""

import asyncio
import json
from pathlib import Path

import pytest

from aimem_node.gateways.demo import conversation, own_node
from aimem_node.gateways.operator.bench import machine
from aimem_node.gateways.operator.bench.figures import Figure
from aimem_node.gateways.operator.bench.runner import BenchError
from aimem_node.gateways.operator.bench.scale import filling, measuring, runner
from aimem_node.gateways.operator.bench.scale.filling import Filled
from aimem_node.gateways.operator.bench.scale.page import Sized

SAMPLE = conversation.load(conversation.SAMPLE)


def filled(keep: Path, size: int, vectors: str = "none") -> None:
    filling.home(keep, size).mkdir(parents=True)
    filling.note(keep, Filled(size, 1.0, 1.0, vectors, 0.0, "sample.json"))


def test_a_size_that_is_not_filled_is_refused_with_the_command_that_fills_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert runner.main([f"--keep={tmp_path}", "--sizes", "1000"]) == 2
    assert f"tests.scale.fill --keep {tmp_path} --sizes 1000" in capsys.readouterr().err


def test_a_store_without_vectors_is_measured_by_words_only(tmp_path: Path) -> None:
    filled(tmp_path, 1_000)
    with pytest.raises(BenchError, match="no vectors"):
        runner.run(runner.options_of([f"--keep={tmp_path}", "--sizes", "1000"]))


def test_part_of_a_run_is_not_published(tmp_path: Path) -> None:
    filled(tmp_path, 1_000, "composed")
    asked = [f"--keep={tmp_path}", "--sizes", "1000", "--write-doc"]
    with pytest.raises(BenchError, match="whole run"):
        runner.run(runner.options_of(asked))


def test_what_was_measured_at_this_commit_is_not_measured_again_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(tmp_path, 1_000)
    measured = 0

    async def once(*_: object) -> list[Figure]:
        nonlocal measured
        measured += 1
        return [Figure("disk", 1.0, "MB")]

    monkeypatch.setattr(measuring, "measure", once)
    monkeypatch.setattr(machine, "commit", lambda: "abc")
    asked = [f"--keep={tmp_path}", "--sizes", "1000", "--embedder=off"]
    assert runner.run(runner.options_of(asked)) == 0
    assert runner.run(runner.options_of(asked)) == 0
    assert measured == 1
    runner.run(runner.options_of([*asked, "--again"]))
    assert measured == 2
    monkeypatch.setattr(machine, "commit", lambda: "def")
    runner.run(runner.options_of(asked))
    assert measured == 3


def test_a_real_store_is_filled_measured_on_a_copy_and_left_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "RECALLS", 10)
    monkeypatch.setattr(measuring, "STORES", 5)
    asyncio.run(filling.fill(tmp_path, 200, SAMPLE, "off", lambda _: None))
    filling.note(tmp_path, Filled(200, 1.0, 1.0, "none", 0.0, "sample.json"))
    store = filling.home(tmp_path, 200) / filling.STORE
    before = (store / "aimem.db").read_bytes()
    written = tmp_path / "found.json"
    options = [f"--keep={tmp_path}", "--sizes", "200", "--embedder=off", f"--json={written}"]
    runner.run(runner.options_of(options))
    (found,) = json.loads(written.read_text("utf-8"))["sizes"]
    figures = {one.what: one for one in Sized.from_json(found).figures}
    assert figures["recall keyword, where one memory is: found first, of 8"].met
    assert figures["resident memory after all questions"].value > 1
    assert figures["disk: database"].value > 0.1
    assert figures["stores, 250 a call"].value > 0
    assert (store / "aimem.db").read_bytes() == before
    assert own_node.pids_at_work_in(tmp_path) == []
