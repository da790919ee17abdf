"""The classes of faults: what they say of themselves, and that none may be left out silently."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from chaos import classes, needs, net, run
from chaos.faults import CLASSES, NotInjected, Stage
from chaos.faults.combined import AT_A_NODE, ON_THE_WIRE
from chaos.faults.stage import Blow
from chaos.history import Recorder, faults

ROOT = Path(__file__).parents[2]
PROMISED = {
    "partition-one", "partition-halves", "partition-ring", "partition-one-way", "drop", "reset",
    "loss", "slow-link", "stalled-link", "half-open", "kill", "kill-at-commit", "pause",
    "clock-jump", "clock-drift", "disk-full", "fsync-error", "slow-disk", "power-cut", "old-backup",
    "destroyed-disk", "join-leave", "evict", "rotate", "upgrade", "wrong-key", "revoked-key",
    "forged-op", "combined",
}  # fmt: skip


def test_every_fault_that_was_promised_is_there_and_says_what_it_proves() -> None:
    assert set(CLASSES) == PROMISED
    assert all(one.what.endswith(".") and one.proves.endswith(".") for one in CLASSES.values())


def test_what_is_combined_is_there_and_may_be_combined() -> None:
    for name in (*ON_THE_WIRE, *AT_A_NODE):
        assert not CLASSES[name].alone
    assert all("network" in CLASSES[name].needs for name in ON_THE_WIRE)
    assert not any(CLASSES[name].needs for name in AT_A_NODE)


def test_a_fault_that_struck_nothing_fails_instead_of_passing() -> None:
    blow = Blow("drop", ("a",))
    blow.proof(dropped=3)
    for nothing in (0, False, "", {}):
        with pytest.raises(NotInjected, match="dropped"):
            blow.proof(dropped=nothing)


def test_a_fault_is_noted_when_it_begins_and_when_it_has_been_taken_away(tmp_path: Path) -> None:
    times = iter(range(100))
    recorder = Recorder(tmp_path, lambda: next(times))
    nobody: Any = None
    stage = Stage(nobody, recorder, nobody, nobody, 1.0)

    async def strike() -> None:
        async with stage.struck("drop", ["a", "b"]) as blow:
            blow.proof(dropped=7)

    asyncio.run(strike())
    recorder.close()
    begin, end = faults(tmp_path)
    assert (begin.phase, begin.nodes, end.phase, end.detail["dropped"]) == (
        "begin", ("a", "b"), "end", 7,
    )  # fmt: skip


def test_what_cannot_be_injected_is_named_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(net, "requirements", lambda: ["it needs root"])
    monkeypatch.setattr(needs.os, "geteuid", lambda: 1000)
    lacking = needs.left_out(CLASSES)
    assert "it needs root" in lacking["partition-one"]
    assert "it needs root" in lacking["disk-full"]
    assert not {"kill", "pause", "clock-jump", "power-cut", "evict"} & set(lacking)


def test_a_fault_that_was_asked_for_and_cannot_be_injected_fails_the_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(net, "requirements", lambda: ["it needs root"])
    assert run.main(["--fault", "drop"]) == run.CANNOT
    assert "drop cannot be injected here: network namespaces: it needs root" in (
        capsys.readouterr().err
    )


def test_the_table_in_the_readme_is_that_of_the_classes() -> None:
    page = (ROOT / "chaos/README.md").read_text("utf-8")
    told = page.partition(classes.BEGIN)[2].partition(classes.END)[0]
    assert told.strip() == classes.table().strip(), "run: python -m chaos.classes"
