"""Small facts on disk: whole or not there."""

import os
import stat
from pathlib import Path

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.kept import forget, keep, recall


def test_what_was_kept_is_recalled_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    assert recall(path) is None
    keep(path, {"a": 1})
    keep(path, {"a": 2})
    assert recall(path) == {"a": 2}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["facts.json"]
    forget(path)
    forget(path)
    assert recall(path) is None


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b"\xff", b'"x"'])
def test_a_damaged_file_is_reported_with_what_to_do(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "facts.json"
    path.write_bytes(content)
    with pytest.raises(Failure) as caught:
        recall(path)
    assert caught.value.code is Code.CORRUPT
    assert str(path) in caught.value.next


def test_a_crash_while_writing_leaves_the_old_facts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "facts.json"
    keep(path, {"a": 1})

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(Failure, match="No space left") as caught:
        keep(path, {"a": 2})
    assert caught.value.code is Code.STORAGE
    assert recall(path) == {"a": 1}


def test_a_directory_that_is_gone_is_a_failure_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(Failure) as caught:
        keep(tmp_path / "none" / "facts.json", {})
    assert caught.value.code is Code.STORAGE
