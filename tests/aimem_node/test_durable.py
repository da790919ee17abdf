"""A file of ours is replaced whole, for its owner alone, and its name is on disk too."""

import os
import stat
from pathlib import Path

import pytest

from aimem_node.durable import put_in_place, replace_file, sync_directory, write_new


def test_a_file_is_synced_before_it_takes_its_place_and_its_directory_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    fsync, replace = os.fsync, os.replace

    def seen(handle: int) -> None:
        steps.append("directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", seen)
    monkeypatch.setattr(os, "replace", lambda *way: (steps.append("replace"), replace(*way)))
    replace_file(tmp_path / "a", b"new")
    assert steps == ["file", "replace", "directory"]
    assert (tmp_path / "a").read_bytes() == b"new"


def test_what_cannot_be_written_leaves_the_former_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file(tmp_path / "a", b"old")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            replace_file(tmp_path / "a", b"new")
    assert (tmp_path / "a").read_bytes() == b"old"
    replace_file(tmp_path / "a", b"newer")
    assert [one.name for one in tmp_path.iterdir()] == ["a"]


def test_nobody_else_may_read_it_unless_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.new").touch(0o644)  # of an earlier try
    replace_file(tmp_path / "a", b"")
    write_new(tmp_path / "b", b"", 0o640)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) & 0o067 for name in "ab"] == [0, 0o040]


def test_a_new_file_takes_nobody_s_place(tmp_path: Path) -> None:
    write_new(tmp_path / "a", b"first")
    with pytest.raises(FileExistsError):
        write_new(tmp_path / "a", b"second")
    write_new(tmp_path / "b", b"second")
    put_in_place(tmp_path / "b", tmp_path / "a")
    sync_directory(tmp_path)
    assert (tmp_path / "a").read_bytes() == b"second"
