"""A saved part is whole, or it is none."""

from dataclasses import replace

import pytest

from aimem_node.store.vector_file import (
    FORMAT,
    About,
    SavedPart,
    files_of,
    read_about,
    read_content,
    remove_files,
    remove_part,
    write_part,
)

CONTENT = b"graph\n" * 1000
ABOUT = About(FORMAT, "f" * 32, 16, "ab", "2.26.6", 1, 90)


def test_it_comes_back_as_it_was_written_and_only_the_owner_may_read_it(tmp_path) -> None:
    path = write_part(tmp_path, ABOUT, CONTENT)
    about = read_about(path)
    assert replace(about, bytes=0, crc32=0) == ABOUT
    assert read_content(SavedPart(path, about)) == CONTENT
    assert path.stat().st_mode & 0o777 == 0o600
    assert files_of(tmp_path) == files_of(tmp_path, "f" * 32) == [path]
    assert files_of(tmp_path, "e" * 32) == []


def test_the_one_that_begins_at_the_same_number_is_replaced(tmp_path) -> None:
    write_part(tmp_path, ABOUT, CONTENT)
    later = replace(ABOUT, upto=120)
    path = write_part(tmp_path, later, CONTENT)
    assert files_of(tmp_path) == [path]
    assert read_about(path).upto == 120
    remove_part(tmp_path, ABOUT.fingerprint, 1)
    remove_part(tmp_path, ABOUT.fingerprint, 1)
    assert files_of(tmp_path) == []


@pytest.mark.parametrize("harm", [lambda b: b[:-1], lambda b: b + b"x", lambda b: b[:-1] + b"?"])
def test_a_damaged_one_is_not_believed(tmp_path, harm) -> None:
    path = write_part(tmp_path, ABOUT, CONTENT)
    about = read_about(path)
    path.write_bytes(harm(path.read_bytes()))
    assert read_content(SavedPart(path, about)) is None


def test_no_bit_of_what_it_says_of_itself_may_change(tmp_path) -> None:
    path = write_part(tmp_path, ABOUT, CONTENT)
    whole, first = path.read_bytes(), read_about(path)
    for bit in range(8 * (whole.index(b"\n") + 1)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        about = read_about(path)
        believed = about is not None and read_content(SavedPart(path, about)) is not None
        assert not believed or about == first


@pytest.mark.parametrize("line", [b"", b"[]", b"{}", b'{"format": 1}', b"\xff\xfe", b"[" * 4_000])
def test_a_file_that_says_nothing_of_itself_is_none(tmp_path, line) -> None:
    path = tmp_path / "vectors-x-1.usearch"
    path.write_bytes(line + b"\nrest")
    assert read_about(path) is None
    assert read_about(tmp_path / "missing") is None


@pytest.mark.parametrize("wrong", [{"first": "1"}, {"upto": 1.5}, {"usearch": 2}])
def test_a_file_that_says_something_of_another_kind_is_none(tmp_path, wrong) -> None:
    path = write_part(tmp_path, replace(ABOUT, **wrong), CONTENT)
    assert read_about(path) is None


def test_what_an_interrupted_save_left_is_in_nobodys_way(tmp_path) -> None:
    path = write_part(tmp_path, ABOUT, CONTENT)
    path.with_name(path.name + ".new").write_bytes(b"half")
    assert files_of(tmp_path) == [path]
    assert write_part(tmp_path, ABOUT, CONTENT) == path


def test_what_is_of_no_space_any_more_is_removed_and_so_is_what_was_not_saved_whole(
    tmp_path,
) -> None:
    kept = write_part(tmp_path, ABOUT, CONTENT)
    write_part(tmp_path, replace(ABOUT, fingerprint="e" * 32), CONTENT)
    kept.with_name(kept.name + ".new").write_bytes(b"half")
    (tmp_path / "aimem.db").write_bytes(b"")
    remove_files(tmp_path, ["f" * 32])
    assert sorted(tmp_path.iterdir()) == [tmp_path / "aimem.db", kept]
    remove_files(tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / "aimem.db"]
