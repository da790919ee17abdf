"""A snapshot is whole, says so, and can be put back without losing what was there."""

import json

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.backup import backup, restore


def test_a_snapshot_of_a_running_store_can_be_restored(bench, pen, now_us, tmp_path) -> None:
    bench.put(pen.memory("m1", "before"))
    made = bench.store.backup(tmp_path / "b", 5, now_us, "1.2.3")
    manifest = json.loads(made.path.with_suffix(".json").read_text())
    assert manifest["sha256"] == made.sha256
    assert manifest["bytes"] == made.bytes == made.path.stat().st_size
    assert manifest["version"] == "1.2.3"
    assert manifest["created_at"] == "2023-11-14T22:13:20Z"
    assert (made.path.stat().st_mode & 0o777) == 0o600
    bench.put(pen.memory("m2", "after"))
    bench.store.close()
    done = restore(made.path, bench.data_dir, now_us + 1)
    assert done["verified"]
    bench.again()
    assert bench.see(lambda view: view.memory("m1")) is not None
    assert bench.see(lambda view: view.memory("m2")) is None
    assert bench.see(lambda view: view.meta("restored")) == b"1", "a new incarnation is due"
    assert bench.store.verify(deep=True).problems == []
    from aimem_node.store.store import Store

    former = Store.open(type(bench.data_dir)(done["aside"]), print, readers=1)
    assert former.readers.submit(lambda view: view.memory("m2")).result(30) is not None
    former.close()


def test_a_write_ahead_log_goes_aside_with_its_file(bench, pen, now_us, tmp_path) -> None:
    bench.put(pen.memory("m1"))
    made = bench.store.backup(tmp_path / "b", 5, now_us, "1")
    bench.store.close()
    (bench.data_dir / "aimem.db-wal").write_bytes(b"what a killed node leaves")
    done = restore(made.path, bench.data_dir, now_us)
    names = {path.name for path in type(bench.data_dir)(done["aside"]).iterdir()}
    assert names == {"aimem.db", "aimem.db-wal"}
    bench.again()
    assert bench.see(lambda view: view.memory("m1")) is not None


def test_old_snapshots_go_and_files_of_others_stay(bench, now_us, tmp_path) -> None:
    to = tmp_path / "b"
    (to).mkdir()
    (to / "aimem-mine.db").write_text("no manifest, not ours to delete")
    removed = [bench.store.backup(to, 2, now_us + at, "1").removed for at in range(4)]
    assert removed == [0, 0, 1, 1]
    assert len(list(to.glob("aimem-2*.db"))) == len(list(to.glob("*.json"))) == 2
    assert (to / "aimem-mine.db").exists()
    assert bench.store.backup(to, 0, now_us + 9, "1").removed == 0


@pytest.mark.parametrize("how", ["flipped", "cut", "nonsense", "manifest", "missing"])
def test_a_damaged_snapshot_is_refused_and_changes_nothing(
    bench, pen, now_us, tmp_path, how
) -> None:
    bench.put(pen.memory("m1"))
    made = bench.store.backup(tmp_path / "b", 5, now_us, "1")
    bench.store.close()
    content = bytearray(made.path.read_bytes())
    manifest = made.path.with_suffix(".json")
    match how:
        case "flipped":
            content[5000] ^= 1
            made.path.write_bytes(content)
        case "cut":
            manifest.unlink()
            made.path.write_bytes(content[: len(content) // 2])
        case "nonsense":
            manifest.unlink()
            made.path.write_bytes(b"x" * 10_000)
        case "manifest":
            manifest.write_text("{}")
        case "missing":
            made.path.unlink()
    before = (bench.data_dir / "aimem.db").read_bytes()
    with pytest.raises(Failure) as raised:
        restore(made.path, bench.data_dir, now_us)
    assert raised.value.code == (Code.NOT_FOUND if how == "missing" else Code.CORRUPT)
    assert (bench.data_dir / "aimem.db").read_bytes() == before
    bench.again()
    assert bench.see(lambda view: view.memory("m1")) is not None


def test_a_running_node_is_not_restored_under_its_feet(bench, now_us, tmp_path) -> None:
    made = bench.store.backup(tmp_path / "b", 5, now_us, "1")
    with pytest.raises(Failure) as raised:
        restore(made.path, bench.data_dir, now_us)
    assert raised.value.code == Code.UNAVAILABLE


def test_a_snapshot_can_begin_a_new_directory(bench, pen, now_us, tmp_path) -> None:
    bench.put(pen.memory("m1"))
    made = bench.store.backup(tmp_path / "b", 5, now_us, "1")
    assert restore(made.path, tmp_path / "new", now_us)["aside"] == ""


def test_a_place_that_cannot_be_written_is_a_storage_failure(bench, now_us, tmp_path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Failure) as raised:
        backup(bench.data_dir, tmp_path / "file" / "b", 5, now_us, "1")
    assert raised.value.code == Code.STORAGE


def test_a_checkpointed_file_alone_is_the_whole_store(bench, pen, tmp_path) -> None:
    from aimem_node.store.store import Store

    bench.put(pen.memory("m1"))
    bench.store.checkpoint()
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "aimem.db").write_bytes((bench.data_dir / "aimem.db").read_bytes())
    copy = Store.open(tmp_path / "copy", print, readers=1)
    assert copy.readers.submit(lambda view: view.memory("m1")).result(30) is not None
    copy.close()
