"""A power cut leaves what was synced and nothing more that can be relied on."""

import json
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import apsw
import pytest

from aimem_node.contract.errors import Failure
from chaos.seams.disk import Disk, journals, lose_unsynced

ROOT = Path(__file__).resolve().parents[3]
CUT = Path(__file__).with_name("cut.py")
SEEDS = 60


def cuts(home: Path, sync: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, str(CUT), str(home), sync, str(SEEDS)],
        capture_output=True, text=True, timeout=60, cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_every_synced_commit_is_there_after_a_power_cut_at_any_moment(tmp_path: Path) -> None:
    lives = cuts(tmp_path, "full")
    for life in lives:
        assert life["sound"] == "ok"
        count = len(life["told"])
        # The one in hand may have made it; nothing behind it was ever begun.
        assert life["rows"] in (life["told"], [*life["told"], count]), life
    assert any(life["taken_back"] for life in lives)
    assert any(len(life["rows"]) > len(life["told"]) for life in lives)
    assert len({len(life["told"]) for life in lives}) > SEEDS // 6


def test_commits_that_nobody_synced_are_lost_and_the_file_is_whole_all_the_same(
    tmp_path: Path,
) -> None:
    lives = cuts(tmp_path, "normal")
    assert all(life["sound"] == "ok" for life in lives)
    assert all(life["rows"] == list(range(len(life["rows"]))) for life in lives)
    assert sum(len(life["rows"]) < len(life["told"]) for life in lives) > SEEDS // 3


@pytest.fixture
def disk(tmp_path: Path):
    usual = apsw.vfs_names()[0]
    data_dir = tmp_path / "data"
    disk = Disk(data_dir)
    disk.mount()
    yield disk
    disk._system.unregister()
    apsw.set_default_vfs(usual)


def opened(disk: Disk) -> apsw.Connection:
    connection = apsw.Connection(str(disk.data_dir / "aimem.db"))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.wal_autocheckpoint(0)
    connection.execute("CREATE TABLE IF NOT EXISTS t(row INTEGER PRIMARY KEY)")
    return connection


def unsynced(disk: Disk) -> int:
    return sum(one.stat().st_size for one in journals(disk.data_dir).glob("aimem.db*"))


def test_a_sync_empties_the_journal_and_a_write_fills_it(disk: Disk) -> None:
    connection = opened(disk)
    connection.execute("INSERT INTO t VALUES(1)")
    assert unsynced(disk) == 0
    connection.pragma("synchronous", "normal")
    connection.execute("INSERT INTO t VALUES(2)")
    assert unsynced(disk) > 0
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
    assert unsynced(disk) == 0
    connection.close()


def test_what_was_not_synced_does_not_become_so_by_a_restart(disk: Disk) -> None:
    connection = opened(disk)
    connection.execute("INSERT INTO t VALUES(1)")
    connection.pragma("synchronous", "normal")
    connection.execute("INSERT INTO t VALUES(2)")
    left = unsynced(disk)
    Disk(disk.data_dir)  # as another process would take it up
    assert unsynced(disk) == left > 0
    connection.close()


def test_journals_say_nothing_about_files_that_were_put_in_the_place_of_theirs(disk: Disk) -> None:
    connection = opened(disk)
    connection.close()
    image = disk.data_dir.parent / "image"
    shutil.copytree(disk.data_dir, image)
    Disk(disk.data_dir)  # the node's next life
    connection = opened(disk)
    connection.pragma("synchronous", "off")
    connection.execute("INSERT INTO t VALUES(1)")
    assert unsynced(disk) > 0
    connection.close()
    shutil.rmtree(disk.data_dir)
    shutil.copytree(image, disk.data_dir)
    before = (disk.data_dir / "aimem.db").read_bytes()
    assert lose_unsynced(disk.data_dir, random.Random(1)) == 0
    assert (disk.data_dir / "aimem.db").read_bytes() == before


def test_a_full_disk_takes_nothing_and_goes_on_once_there_is_room(disk: Disk) -> None:
    connection = opened(disk)
    disk.obey({"full": True})
    with pytest.raises(apsw.FullError):
        connection.execute("INSERT INTO t VALUES(1)")
    assert disk.obey({"full": False})["refused"] >= 1
    connection.execute("INSERT INTO t VALUES(2)")
    assert [row for (row,) in connection.execute("SELECT row FROM t")] == [2]
    connection.close()


def test_a_sync_that_fails_or_dawdles_says_so(disk: Disk) -> None:
    connection = opened(disk)
    disk.obey({"delay_ms": 1})
    connection.execute("INSERT INTO t VALUES(1)")
    assert disk.obey({"delay_ms": 0})["delayed"] >= 1
    disk.obey({"sync": "eio"})
    with pytest.raises(apsw.IOError) as raised:
        connection.execute("INSERT INTO t VALUES(2)")
    assert raised.value.extendedresult == apsw.SQLITE_IOERR_FSYNC
    disk.obey({"sync": "ok"})
    connection.close()
    with pytest.raises(ValueError, match="eio"):
        disk.obey({"sync": "perhaps"})


# ---- under a real node ---------------------------------------------------------------------------


def test_a_node_keeps_all_that_it_acknowledged_through_power_cuts(machine) -> None:
    node = machine(disk=True)
    told: set[str] = set()
    for seed in range(3):
        node.start()
        told |= node.store_many(5, f"{seed}-")
        node.cut_power(seed)
    node.start()
    assert len(told) == 15
    assert node.titles() == told


def test_a_node_that_confirms_before_it_syncs_loses_something(machine) -> None:
    node = machine(disk=True, broken="ack-before-fsync")
    node.start()
    told = node.store_many(8)
    assert len(told) == 8
    assert node.cut_power(2) > 0
    node.start()
    assert node.titles() < told


def test_a_failed_sync_ends_a_node_and_nothing_acknowledged_is_lost(machine) -> None:
    node = machine(disk=True)
    node.start()
    told = node.store_many(3)
    node.tell({"do": "disk", "sync": "eio"})
    told |= node.store_many(3, "late")
    assert node.ended() == 70
    lose_unsynced(node.data_dir, random.Random(5))
    node.start()
    assert told <= node.titles()
    assert node.store("again").id


def test_a_full_disk_is_refused_for_certain_and_written_again_once_there_is_room(machine) -> None:
    node = machine(disk=True)
    node.start()
    node.store("before")
    node.tell({"do": "disk", "full": True})
    with pytest.raises(Failure) as raised:
        node.store("meanwhile")
    assert raised.value.definite
    node.tell({"do": "disk", "full": False})
    node.store("after")
    assert node.titles() == {"before", "after"}


def test_what_a_node_finds_at_its_start_is_on_its_disk_before_it_says_so(machine) -> None:
    """Killed between the write and the sync of a commit, a store holds what no disk has yet."""
    node = machine(disk=True)
    node.start()
    node.store("before")
    node.tell({"do": "disk", "delay_ms": 60_000})
    teller = threading.Thread(target=node.store_many, args=(1, "unsynced"))
    teller.start()
    ends = time.monotonic() + 10
    while not any(one.stat().st_size for one in journals(node.data_dir).glob("aimem.db-wal*")):
        assert time.monotonic() < ends
        time.sleep(0.01)
    node.kill()
    teller.join()
    node.start()
    shown = node.titles()
    node.cut_power(2)
    node.start()
    assert node.titles() == shown == {"before", "unsynced0"}
