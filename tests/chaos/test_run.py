"""One run, made for real where it needs no root, and what is said of runs that went wrong."""

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

from chaos import net, run
from chaos.checker import load
from chaos.cluster import Cluster
from chaos.faults import CLASSES
from chaos.history import events
from chaos.run import Plan, Played

PLAN = Plan(("kill",), 3, seed=1, hold_s_max=0.5)


@pytest.fixture
def without_root(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where there are no namespaces."""
    monkeypatch.setattr("chaos.net.network.requirements", lambda: ["it needs root"])
    monkeypatch.setattr(net, "requirements", lambda: ["it needs root"])


@pytest.mark.usefixtures("without_root")
def test_a_cluster_that_was_killed_holds_all_it_acknowledged_and_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    result, checks = run.make(PLAN, tmp_path / "kept")
    broken = [(check.name, check.broken) for check in checks if not check.holds]
    assert broken == []
    assert (result.cycles, result.lost, result.convergence) == (1, 0, 1.0)
    assert result.acknowledged > run.WARM_ACKS
    assert {event.via for event in events(tmp_path / "kept")} == {"grpc", "http", "mcp"}
    assert (tmp_path / "kept" / "report.html").stat().st_size > 5_000
    assert not list(tmp_path.glob("aimem-chaos-*"))
    assert not processes_in(tmp_path)


@pytest.mark.usefixtures("without_root")
def test_a_run_that_is_interrupted_takes_its_nodes_down(tmp_path: Path) -> None:
    async def begin_and_give_up() -> None:
        task = asyncio.ensure_future(run.play(PLAN, tmp_path, tmp_path / "evidence"))
        history = tmp_path / "evidence" / "history.jsonl"
        while not (history.exists() and history.stat().st_size):  # noqa: ASYNC110 - a file tells it
            await asyncio.sleep(0.05)
        assert processes_in(tmp_path)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(begin_and_give_up())
    assert not processes_in(tmp_path)


def processes_in(directory: Path) -> list[str]:
    """Command lines that name a place in a directory."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if str(directory) in line and int(entry.name) != os.getpid():
            found.append(line)
    return found


def test_a_fault_that_did_not_strike_breaks_the_run() -> None:
    played = Played(cycles=0, problem="drop at a: dropped is 0", not_injected=True)
    checks = run.verdict(Plan(("drop",), 3, 1), played, None)
    assert [check.holds for check in checks] == [False, False, True]
    result = run.result_of(Plan(("drop",), 3, 1), played, checks, None, 1.0)
    assert run.exit_code(result) == run.CANNOT


def test_somebody_who_was_let_in_breaks_the_run(tmp_path: Path) -> None:
    played = Played(cycles=1, let_in=["a Hello"])
    checks = run.verdict(Plan(("wrong-key",), 3, 1), played, None)
    assert [check.name for check in checks if not check.holds] == [
        "nobody was let in who does not belong"
    ]
    assert not list(tmp_path.iterdir())


def test_a_plan_says_how_to_make_it_once_more() -> None:
    plan = Plan(("kill", "drop") * 3, 5, 7, 2.5, broken="duplicate-ack")
    assert plan.command == (
        "python -m chaos.run --fault kill --fault drop --cycles 3 --size 5 --seed 7 --hold 2.5"
        " --broken duplicate-ack"
    )
    assert (plan.title, plan.needed) == ("mixed", 3)


def test_nodes_get_the_disks_that_their_faults_need() -> None:
    assert Plan(("power-cut", "kill"), 3, 1).build.disk
    assert not Plan(("kill",), 3, 1).build.disk
    assert Plan(("disk-full",), 3, 1).disk_mib == CLASSES["disk-full"].disk_mib > 0


@pytest.mark.skipif(bool(net.requirements()), reason="; ".join(net.requirements()) or "-")
def test_a_cluster_in_namespaces_is_really_apart(tmp_path: Path) -> None:
    def addresses(cluster: Cluster) -> str:
        command = list(cluster.net.command("a", ["ip", "-o", "addr"]))
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    async def look() -> tuple[str, list[str]]:
        async with Cluster(tmp_path, 3, seed=1, evidence=tmp_path / "evidence") as cluster:
            await cluster.found("ab")
            assert await cluster.probe("a")
            return cluster.net.address("b"), addresses(cluster).split()

    where, seen = asyncio.run(look())
    assert where.startswith("10.77.")
    assert f"{where}/24" not in seen
    assert any(word.startswith("10.77.") for word in seen)
    assert not processes_in(tmp_path)


def test_evidence_that_is_damaged_is_not_judged(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").write_text("{")
    with pytest.raises(ValueError, match="line 1"):
        load(tmp_path)


def test_a_run_that_is_told_to_end_while_it_tidies_up_goes_on_tidying(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []

    async def play_on() -> None:
        cluster = Cluster(tmp_path, 3, seed=1, evidence=tmp_path)
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def unmount() -> None:
            done.append("unmounted")
            loop.call_soon_threadsafe(task.cancel)

        monkeypatch.setattr(cluster, "_unmount", unmount)
        monkeypatch.setattr(cluster.net, "up", lambda: None)
        monkeypatch.setattr(cluster.net, "down", lambda: done.append("the network is gone"))
        async with cluster:
            pass
        await asyncio.sleep(0)

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(play_on())
    assert done == ["unmounted", "the network is gone"]
