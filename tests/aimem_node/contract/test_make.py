"""Made files are committed and pinned to their source."""

from pathlib import Path

import pytest

from aimem_node.contract import make
from aimem_node.contract.descriptors import MADE


@pytest.fixture(scope="module")
def compiled() -> bytes:
    return make.compile_protos()


def test_nothing_made_is_stale(compiled: bytes) -> None:
    assert make.stale(make.first_files(compiled)) == []
    assert make.stale(make.second_files()) == []


def test_the_same_source_makes_the_same_bytes(compiled: bytes) -> None:
    assert make.compile_protos() == compiled
    assert make.first_files(compiled) == make.first_files(compiled)


def test_made_files_know_no_machine(compiled: bytes) -> None:
    home = str(Path.home()).encode()
    for text in {**make.first_files(compiled), **make.second_files()}.values():
        assert str(make.ROOT).encode() not in text
        assert home == b"/" or home + b"/" not in text


def test_a_changed_file_and_a_left_over_one_are_stale(
    compiled: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(make, "ROOT", tmp_path)
    monkeypatch.setattr(make, "MADE", tmp_path)
    files = {tmp_path / path.name: text for path, text in make.first_files(compiled).items()}
    make.write(files)
    assert make.stale(files) == []
    (tmp_path / "values_nouns.py").write_text("edited by hand")
    (tmp_path / "values_gone.py").write_text("of a family that is no more")
    assert make.stale(files) == ["values_gone.py", "values_nouns.py"]
    make.write(files)
    assert make.stale(files) == []
    assert not (tmp_path / "values_gone.py").exists()


def test_everything_in_the_made_package_is_made(compiled: bytes) -> None:
    made = {path.name for path in {**make.first_files(compiled), **make.second_files()}}
    kept = {path.name for path in MADE.iterdir() if path.is_file()}
    assert kept - {"__init__.py"} <= made
