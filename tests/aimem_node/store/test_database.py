"""One opener; and a file that cannot be believed is left exactly as it was found."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.store.database import DirectoryLock, open_database
from aimem_node.store.listing import Filter
from aimem_node.store.store import Store
from aimem_node.store.view import View


def open_here(data_dir: Path) -> Store:
    return Store.open(data_dir, lambda _: None, readers=1)


def refused(data_dir: Path) -> Failure:
    with pytest.raises(Failure) as raised:
        open_here(data_dir)
    assert raised.value.next
    return raised.value


def test_a_second_opener_is_refused_and_told_who_has_it(bench) -> None:
    failure = refused(bench.data_dir)
    assert failure.code == Code.UNAVAILABLE
    assert f"pid {os.getpid()}" in failure.message


def test_another_process_is_refused_too(bench) -> None:
    code = (
        "import sys; from pathlib import Path; from aimem_node.store.store import Store\n"
        "try: Store.open(Path(sys.argv[1]), print)\n"
        "except Exception as failure: print(failure.code.value, failure.message)"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(bench.data_dir)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.startswith(f"UNAVAILABLE another node (pid {os.getpid()})")


def test_the_directory_is_free_again_after_closing(bench) -> None:
    bench.store.close()
    open_here(bench.data_dir).close()


def test_files_are_for_their_owner_only(bench, pen) -> None:
    bench.put(pen.memory("m1"))
    assert (bench.data_dir.stat().st_mode & 0o777) == 0o700
    modes = {path.name: path.stat().st_mode & 0o777 for path in bench.data_dir.iterdir()}
    assert set(modes.values()) == {0o600}, modes


def damage(path: Path, at: int, what: bytes) -> bytes:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(what)
    return path.read_bytes()


@pytest.mark.parametrize("damaged", [b"", b"SQLite", b"not a database, but long enough " * 200])
def test_what_is_no_database_is_refused_and_left_alone(tmp_path, damaged) -> None:
    path = tmp_path / "aimem.db"
    path.write_bytes(damaged)
    failure = refused(tmp_path)
    assert failure.code == Code.CORRUPT
    assert str(path) in failure.message
    assert "restore" in failure.next
    assert path.read_bytes() == damaged


def test_a_damaged_page_is_found_at_the_start_and_left_alone(bench, pen) -> None:
    bench.put(*(pen.memory(f"m{at}", content="x" * 3000) for at in range(50)))
    bench.store.close()
    path = bench.data_dir / "aimem.db"
    damaged = damage(path, 20 * 4096, b"\xff" * 8192)
    failure = refused(bench.data_dir)
    assert failure.code == Code.CORRUPT
    assert path.read_bytes() == damaged
    assert not list(bench.data_dir.glob("*.new"))
    damage(path, 0, b"SQLite format 3\0")
    bench.store = Store.open(bench.data_dir.with_name("fresh"), lambda _: None, readers=1)


def test_a_file_cut_short_is_refused(bench, pen) -> None:
    bench.put(*(pen.memory(f"m{at}", content="x" * 3000) for at in range(50)))
    bench.store.close()
    path = bench.data_dir / "aimem.db"
    os.truncate(path, path.stat().st_size // 2)
    assert refused(bench.data_dir).code == Code.CORRUPT
    bench.store = Store.open(bench.data_dir.with_name("fresh"), lambda _: None, readers=1)


def test_a_database_of_another_program_is_refused(tmp_path) -> None:
    connection = apsw.Connection(str(tmp_path / "aimem.db"))
    connection.execute("CREATE TABLE notes(x)")
    connection.close()
    failure = refused(tmp_path)
    assert failure.code == Code.CORRUPT
    assert "another program" in failure.message


def test_a_directory_that_cannot_be_made_is_a_storage_failure(tmp_path) -> None:
    (tmp_path / "file").write_text("in the way")
    failure = refused(tmp_path / "file" / "node")
    assert failure.code == Code.STORAGE
    assert "--data-dir" in failure.next


def test_a_directory_that_is_read_only_is_a_storage_failure(tmp_path) -> None:
    # As another user, since permissions stop nobody who is root.
    tmp_path.chmod(0o555)
    code = (
        "import os, sys; from pathlib import Path; from aimem_node.store.store import Store\n"
        "from aimem_node.contract.errors import Failure\n"
        "if os.getuid() == 0: os.chdir('/'); os.setuid(65534)\n"
        "try: Store.open(Path(sys.argv[1]), print)\n"
        "except Failure as failure: print(failure.code.value)"
    )
    for parent in (tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=False
    )
    tmp_path.chmod(0o755)
    assert answer.stdout.strip() == "STORAGE", answer.stderr


def test_a_restore_that_was_interrupted_keeps_the_node_from_starting(bench) -> None:
    bench.store.close()
    (bench.data_dir / "aimem.restoring").write_text("")
    assert "restore" in refused(bench.data_dir).next
    (bench.data_dir / "aimem.restoring").unlink()
    bench.again()


def test_a_first_start_that_was_interrupted_is_begun_again(tmp_path) -> None:
    (tmp_path / "aimem.new").write_bytes(b"half a file")
    store = open_here(tmp_path)
    assert store.verify(deep=True).problems == []
    store.close()
    assert not (tmp_path / "aimem.new").exists()


def test_a_commit_is_on_disk_before_it_is_answered(bench) -> None:
    facts = bench.do(
        lambda s: [
            s._connection.pragma(name)
            for name in ("synchronous", "journal_mode", "foreign_keys", "secure_delete")
        ]
    )
    assert facts == [2, "wal", 1, 1]


def test_what_a_savepoint_would_put_back_stays_out_of_files(bench) -> None:
    in_memory = 2
    assert bench.do(lambda s: s._connection.pragma("temp_store")) == in_memory


def test_what_a_killed_process_wrote_is_on_the_disk_before_it_is_believed(
    bench, pen, tmp_path, monkeypatch
) -> None:
    """A commit may be in the file and not on the disk, if its process was killed in between."""
    bench.put(pen.memory("m1"))
    left = tmp_path / "left"
    left.mkdir()
    for name in ("aimem.db", "aimem.db-wal"):
        (left / name).write_bytes((bench.data_dir / name).read_bytes())
    usual, synced = apsw.vfs_names()[0], []

    class File(apsw.VFSFile):
        def __init__(self, name: Any, flags: list[int]) -> None:
            super().__init__(usual, name, flags)
            self.is_wal = bool(flags[0] & apsw.SQLITE_OPEN_WAL)

        def xSync(self, flags: int) -> None:
            synced.append(self.is_wal)
            super().xSync(flags)

    class Disk(apsw.VFS):
        def __init__(self) -> None:
            super().__init__("counting", usual, makedefault=True)

        def xOpen(self, name: Any, flags: list[int]) -> Any:
            return File(name, flags)

    disk = Disk()
    try:
        open_database(left).close(True)
        assert synced[:1] == [True], "the log comes first"
    finally:
        disk.unregister()
        apsw.set_default_vfs(usual)


def test_words_are_looked_up_without_planning_it_anew_for_each(bench, pen) -> None:
    """In every part of the index FTS5 asks for the page of each word, by one statement."""
    planned_again: list[int] = []

    def note(event: dict[str, Any]) -> None:
        planned_again.append(event["stmt_status"]["SQLITE_STMTSTATUS_REPREPARE"])

    def look(view: View) -> None:
        view._connection.trace_v2(apsw.SQLITE_TRACE_PROFILE, note)
        view.search("apple pear plum", "any", Filter(), 5)
        view._connection.trace_v2(0, None)

    bench.put(pen.memory("m1", "apple"))
    bench.put(pen.memory("m2", "pear"))
    bench.see(look)
    assert planned_again
    assert not any(planned_again)


def test_a_reader_connection_cannot_write(bench) -> None:
    with pytest.raises(apsw.ReadOnlyError):
        bench.see(lambda view: view._connection.execute("DELETE FROM op"))


def test_the_lock_is_released_when_opening_fails(tmp_path) -> None:
    (tmp_path / "aimem.db").write_bytes(b"")
    refused(tmp_path)
    lock = DirectoryLock(tmp_path)
    with pytest.raises(Failure) as raised:
        open_database(tmp_path)
    assert raised.value.code == Code.CORRUPT
    lock.release()
