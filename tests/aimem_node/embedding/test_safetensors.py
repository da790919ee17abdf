"""Weights are read as they were written, and nothing that is damaged is read as weights."""

import json
import random
from pathlib import Path
from typing import Any

import pytest

from aimem_node.embedding import safetensors as module
from aimem_node.embedding.embedder import Unavailable
from aimem_node.embedding.safetensors import read_safetensors
from tests.aimem_node.embedding.conftest import safetensors

np = pytest.importorskip("numpy")

TENSORS = {
    "a.weight": np.arange(6, dtype=np.float32).reshape(2, 3) / 7,
    "half": np.array([0.5, -2.0, 65504.0], dtype=np.float16),
    "scalar": np.float32(3.5).reshape(()),
    "none": np.zeros((0, 4), dtype=np.float32),
    "places": np.arange(4, dtype=np.int64),
}
WHOLE = safetensors(TENSORS)
PLAIN = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


def written(path: Path, content: bytes) -> Path:
    """The content in a file."""
    path.write_bytes(content)
    return path


def with_header(header: Any, body: bytes = b"\0" * 8) -> bytes:
    """A file with this header, whatever it says."""
    encoded = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + body


def refused(path: Path) -> Unavailable:
    """What is said of the file; it must name it and say what to do."""
    with pytest.raises(Unavailable) as caught:
        read_safetensors(path)
    assert str(path) in caught.value.why
    assert caught.value.next == "Install the package again."
    return caught.value


def test_weights_come_back_as_they_were_written(tmp_path) -> None:
    found = read_safetensors(written(tmp_path / "w", WHOLE))
    for name in ("a.weight", "scalar", "none"):
        assert found[name].dtype == np.float32
        assert np.array_equal(found[name], TENSORS[name])


def test_halves_are_read_at_their_full_value(tmp_path) -> None:
    found = read_safetensors(written(tmp_path / "w", WHOLE))["half"]
    assert found.dtype == np.float32
    assert found.tolist() == [0.5, -2.0, 65504.0]


def test_what_is_no_weight_is_left_out(tmp_path) -> None:
    found = read_safetensors(written(tmp_path / "w", WHOLE))
    assert sorted(found) == ["a.weight", "half", "none", "scalar"]


def test_a_file_that_ends_early_is_refused_wherever_it_ends(tmp_path) -> None:
    content = safetensors({"a": np.ones(3, dtype=np.float32)})
    for length in range(len(content)):
        refused(written(tmp_path / "w", content[:length]))


def test_a_missing_file_is_told_like_a_damaged_one(tmp_path) -> None:
    assert "No such file" in refused(tmp_path / "absent").why


@pytest.mark.parametrize("length", [0, 1 << 24, (1 << 24) + 1, 1 << 40, (1 << 64) - 1])
def test_an_absurd_length_of_the_header_is_refused(tmp_path, length: int) -> None:
    content = length.to_bytes(8, "little") + WHOLE[8:]
    assert "header" in refused(written(tmp_path / "w", content)).why


def test_a_header_that_is_larger_than_any_is_not_even_read(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "HEADER_BYTES_MAX", 10)
    refused(written(tmp_path / "w", WHOLE))


@pytest.mark.parametrize(
    "facts",
    [
        {"data_offsets": [0, 16]},
        {"data_offsets": [0, 4]},
        {"data_offsets": [8, 0]},
        {"data_offsets": [-8, 0]},
        {"data_offsets": [4, 12]},
        {"data_offsets": [1 << 70, (1 << 70) + 8]},
        {"data_offsets": [0.0, 8.0]},
        {"data_offsets": ["0", "8"]},
        {"data_offsets": [0]},
        {"data_offsets": 8},
        {"data_offsets": None},
        {"shape": [3]},
        {"shape": [-2]},
        {"shape": [-1, -2]},
        {"shape": [2.0]},
        {"shape": ["2"]},
        {"shape": None},
        {"shape": {"2": 2}},
        {"shape": [1 << 62, 4], "data_offsets": [0, 0]},
        {"shape": [1 << 70]},
        {"dtype": None, "shape": None},
        {"dtype": []},
    ],
    ids=json.dumps,
)
def test_a_header_that_lies_is_refused(tmp_path, facts: dict[str, Any]) -> None:
    path = written(tmp_path / "w", with_header({"a": PLAIN | facts}))
    try:
        found = read_safetensors(path)
    except Unavailable:
        refused(path)
    else:  # of a kind that is none of ours: left out, as other kinds are
        assert "dtype" in facts
        assert found == {}


@pytest.mark.parametrize("lacking", ["dtype", "shape", "data_offsets"])
def test_a_header_that_lacks_something_is_refused(tmp_path, lacking: str) -> None:
    facts = {name: value for name, value in PLAIN.items() if name != lacking}
    refused(written(tmp_path / "w", with_header({"a": facts})))


@pytest.mark.parametrize(
    "header",
    [b"not json", b"\xff\xfe{}", b"[]", b"null", b"7", b'{"a": 7}', b'{"a": null}', b"[" * 100_000],
)
def test_a_header_that_is_no_header_is_refused(tmp_path, header: bytes) -> None:
    refused(written(tmp_path / "w", with_header(header)))


def test_whatever_bytes_are_changed_it_is_read_or_refused(tmp_path) -> None:
    chance = random.Random(7)
    header_ends = 8 + int.from_bytes(WHOLE[:8], "little")
    for _ in range(300):
        content = bytearray(WHOLE)
        for _ in range(chance.randint(1, 4)):
            content[chance.randrange(header_ends)] = chance.randrange(256)
        path = written(tmp_path / "w", bytes(content))
        try:
            read_safetensors(path)
        except Unavailable:
            refused(path)
