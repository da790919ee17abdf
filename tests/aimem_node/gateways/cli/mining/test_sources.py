"""A source is read where it lies, and no archive explodes (promise F5)."""

import os
import zipfile
from pathlib import Path

import pytest

from aimem_node.gateways.cli.failures import CallFailure
from aimem_node.gateways.cli.mining import sources
from aimem_node.gateways.cli.mining.found import Unreadable
from aimem_node.gateways.cli.mining.sources import open_tree, whole_text


def zipped(path: Path, **members: bytes) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return str(path)


def test_a_file_a_directory_and_an_archive_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "d" / "x").mkdir(parents=True)
    (tmp_path / "d" / "x" / "a.md").write_text("text")
    (tmp_path / "d" / ".git").mkdir()
    (tmp_path / "d" / ".git" / "b.md").write_text("no")
    archive = zipped(tmp_path / "z.zip", **{"x__a.md": b"text"})
    for path in (str(tmp_path / "d"), archive):
        tree = open_tree(path)
        assert tree.names() == ["x/a.md"]
        assert whole_text(tree, "x/a.md") == "text"
        assert tree.bytes_read == tree.size("x/a.md") == 4
    alone = open_tree(str(tmp_path / "d" / "x" / "a.md"))
    assert alone.names() == ["a.md"]
    assert whole_text(alone, "a.md") == "text"


def test_a_member_that_unpacks_to_far_more_than_it_is_is_not_read(tmp_path: Path) -> None:
    tree = open_tree(zipped(tmp_path / "z.zip", bomb=b"\0" * (30 << 20), good=b"x"))
    with pytest.raises(Unreadable, match="unpack"):
        tree.open("bomb")
    assert whole_text(tree, "good") == "x"


def test_a_member_that_lies_about_its_size_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "z.zip"
    zipped(path, bomb=b"\0" * (30 << 20))
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02")
    raw[at + 24 : at + 28] = (1000).to_bytes(4, "little")
    path.write_bytes(raw)
    with pytest.raises(Unreadable):
        whole_text(open_tree(str(path)), "bomb")


def test_a_file_larger_than_a_note_is_not_taken_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TEXT_BYTES_MAX", 10)
    (tmp_path / "a.md").write_text("x" * 10)
    (tmp_path / "b.md").write_text("x" * 11)
    tree = open_tree(str(tmp_path))
    assert whole_text(tree, "a.md") == "x" * 10
    with pytest.raises(Unreadable):
        whole_text(tree, "b.md")


def test_links_and_pipes_in_a_directory_are_passed_by(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "secret.md").write_text("s")
    os.symlink(tmp_path / "secret.md", tmp_path / "d" / "link.md")
    os.symlink(tmp_path, tmp_path / "d" / "up")
    os.mkfifo(tmp_path / "d" / "pipe.md")
    assert open_tree(str(tmp_path / "d")).names() == []


def test_what_is_no_source_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(CallFailure, match="absent"):
        open_tree(str(tmp_path / "absent"))
    (tmp_path / "bad.zip").write_bytes(b"PK\x03\x04 no")
    with pytest.raises(CallFailure, match=r"bad\.zip"):
        open_tree(str(tmp_path / "bad.zip"))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CallFailure, match="neither"):
        open_tree(str(tmp_path / "pipe"))


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "FILES_MAX", 2)
    for name in "abc":
        (tmp_path / name).write_text("")
    with pytest.raises(CallFailure, match="more than 2"):
        open_tree(str(tmp_path)).names()
    with pytest.raises(CallFailure, match="more than 2"):
        open_tree(zipped(tmp_path / "z.zip", a=b"", b=b"", c=b""))


def test_a_member_under_a_password_is_named_as_what_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "z.zip"
    zipped(path, a=b"secret")
    raw = bytearray(path.read_bytes())
    raw[6] |= 1
    raw[raw.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(raw)
    with pytest.raises(Unreadable, match="password"):
        open_tree(str(path)).open("a")
