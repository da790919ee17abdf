"""Directories with a model in ONNX: what is taken, what is refused, and what names the vectors."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from aimem_node.embedding.embedder import Unavailable
from aimem_node.embedding.onnx_model import OnnxScorer, embedder_in
from tests.aimem_node.embedding.conftest import WORDS, write_tokenizer

np = pytest.importorskip("numpy")
onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

CLS, SEP = WORDS.index("[CLS]"), WORDS.index("[SEP]")
WIDTH = 6
TABLE = np.random.default_rng(3).standard_normal((len(WORDS), WIDTH)).astype(np.float32)


def write_model(
    path: Path,
    table: Any = TABLE,
    *,
    inputs: Sequence[str] = ("input_ids", "attention_mask"),
    pooled: bool = False,
) -> None:
    """A model whose vector of a token is its row in a table. `pooled`: the mean of a text's."""
    helper, kinds = onnx.helper, onnx.TensorProto
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["rows"])]
    if pooled:
        nodes.append(helper.make_node("ReduceMean", ["rows"], ["out"], axes=[1], keepdims=0))
    else:
        nodes.append(helper.make_node("Identity", ["rows"], ["out"]))
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(name, kinds.INT64, ["n", "l"]) for name in inputs],
        [helper.make_tensor_value_info("out", kinds.FLOAT, None)],
        [onnx.numpy_helper.from_array(table, "table")],
    )
    opset = [helper.make_opsetid("", 17)]
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


def write_pooling(directory: Path, *ways: str) -> None:
    """What sentence-transformers writes of the pooling."""
    known = ("cls_token", "mean_tokens", "max_tokens", "lasttoken")
    facts = {f"pooling_mode_{way}": way in ways for way in known}
    path = directory / "1_Pooling" / "config.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps({"word_embedding_dimension": WIDTH, **facts}), encoding="utf-8")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A model that can be used."""
    made = tmp_path / "model"
    write_model(made / "model.onnx")
    write_tokenizer(made / "tokenizer.json")
    return made


def load(directory: Path) -> Any:
    """The model of a directory, as the setting names it."""
    return embedder_in(directory, f"onnx:{directory}", 1)


def refused(directory: Path) -> Unavailable:
    """What is said of a directory that cannot be used."""
    with pytest.raises(Unavailable) as caught:
        load(directory)
    return caught.value


def direction(*words: int) -> Any:
    """The mean of these tokens' rows, at length 1."""
    mean = TABLE[list(words)].mean(axis=0)
    return mean / np.linalg.norm(mean)


RED, TEA, CAKE = (WORDS.index(word) for word in ("red", "tea", "cake"))


def test_the_mean_of_the_tokens_is_taken_and_of_no_padding(directory: Path) -> None:
    embedder = load(directory)
    rows = embedder.embed(["red tea", "cake", "red cake tea"])
    assert rows.dtype == np.float32
    assert np.allclose(rows[0], direction(CLS, RED, TEA, SEP), atol=1e-6)
    assert np.allclose(rows[1], direction(CLS, CAKE, SEP), atol=1e-6)
    assert np.allclose(rows[2], direction(CLS, RED, CAKE, TEA, SEP), atol=1e-6)


def test_the_space_says_what_the_model_is(directory: Path) -> None:
    space = load(directory).space
    assert (space.name, space.dimension, space.tokens_max) == (f"onnx:{directory}", WIDTH, 256)
    assert len(space.fingerprint) == 32


def test_the_first_token_is_taken_where_the_model_says_so(directory: Path) -> None:
    write_pooling(directory, "cls_token")
    rows = load(directory).embed(["red tea", "cake"])
    assert np.allclose(rows, [direction(CLS)] * 2, atol=1e-6)


def test_another_pooling_is_another_space(directory: Path) -> None:
    unsaid = load(directory).space.fingerprint
    write_pooling(directory, "mean_tokens")
    assert load(directory).space.fingerprint == unsaid
    write_pooling(directory, "cls_token")
    assert load(directory).space.fingerprint != unsaid


@pytest.mark.parametrize("ways", [("max_tokens",), ("lasttoken",), ("cls_token", "mean_tokens")])
def test_a_pooling_that_is_not_known_is_refused_and_not_guessed(directory, ways) -> None:
    write_pooling(directory, *ways)
    told = refused(directory)
    assert all(way in told.why for way in ways)
    assert told.next


def test_a_model_is_the_same_wherever_it_lies(directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "elsewhere"
    (other / "onnx").mkdir(parents=True)
    shutil.copy(directory / "model.onnx", other / "onnx" / "model.onnx")
    shutil.copy(directory / "tokenizer.json", other / "tokenizer.json")
    assert load(other).space.fingerprint == load(directory).space.fingerprint


def test_other_weights_another_tokenizer_or_length_is_another_space(directory: Path) -> None:
    seen = {load(directory).space.fingerprint}
    write_model(directory / "model.onnx", TABLE * np.float32(2))
    seen.add(load(directory).space.fingerprint)
    write_tokenizer(directory / "tokenizer.json", marks=False)
    seen.add(load(directory).space.fingerprint)
    (directory / "sentence_bert_config.json").write_text('{"max_seq_length": 16}', "utf-8")
    seen.add(load(directory).space.fingerprint)
    assert len(seen) == 4


def test_weights_in_a_file_beside_the_model_name_it_too(directory: Path) -> None:
    seen = set()
    for table in (TABLE, TABLE * np.float32(2)):
        write_model(directory / "model.onnx", table)
        model = onnx.load(str(directory / "model.onnx"))
        (directory / "model.onnx_data").unlink(missing_ok=True)
        onnx.save(
            model, str(directory / "model.onnx"), save_as_external_data=True,
            location="model.onnx_data", size_threshold=0,
        )  # fmt: skip
        seen.add(load(directory).space.fingerprint)
    assert len(seen) == 2


def test_a_text_is_cut_where_the_model_ends(directory: Path) -> None:
    (directory / "sentence_bert_config.json").write_text('{"max_seq_length": 8}', "utf-8")
    embedder = load(directory)
    assert embedder.space.tokens_max == 8
    rows = embedder.embed(["tea " * 6, "tea " * 6 + "cake " * 50])
    assert np.array_equal(rows[0], rows[1])


@pytest.mark.parametrize("length", [0, -1, 7, 1 << 20, "8", None, 8.5])
def test_a_length_that_no_model_has_is_not_believed(directory: Path, length: Any) -> None:
    told = json.dumps({"max_seq_length": length})
    (directory / "sentence_bert_config.json").write_text(told, "utf-8")
    assert load(directory).space.tokens_max == 256


def test_a_model_that_asks_for_less_or_more_is_given_it(directory: Path) -> None:
    expected = load(directory).embed(["red tea", "cake"])
    for inputs in (["input_ids"], ["input_ids", "attention_mask", "token_type_ids"]):
        write_model(directory / "model.onnx", inputs=inputs)
        assert np.array_equal(load(directory).embed(["red tea", "cake"]), expected)


# -- vectors of tokens ---------------------------------------------------------------------------


def test_token_vectors_leave_out_the_marks_and_the_padding(directory: Path) -> None:
    two, one = load(directory).token_vectors(["red tea", "cake"])
    assert np.allclose(two, [direction(RED), direction(TEA)], atol=1e-6)
    assert np.allclose(one, [direction(CAKE)], atol=1e-6)


def test_token_vectors_of_a_tokenizer_without_marks_are_those_of_all_words(directory) -> None:
    write_tokenizer(directory / "tokenizer.json", marks=False)
    two, one = load(directory).token_vectors(["red tea", "cake"])
    assert np.allclose(two, [direction(RED), direction(TEA)], atol=1e-6)
    assert np.allclose(one, [direction(CAKE)], atol=1e-6)


def test_a_text_without_words_has_a_token_vector_nevertheless(directory: Path) -> None:
    (rows,) = load(directory).token_vectors([""])
    assert np.allclose(rows, [direction(CLS), direction(SEP)], atol=1e-6)


# -- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_is_named(directory: Path, name: str) -> None:
    (directory / name).unlink()
    told = refused(directory)
    assert told.why == f"{directory / name} is missing"
    assert told.next


def test_a_directory_that_is_not_there_is_told_as_a_missing_file(tmp_path: Path) -> None:
    assert refused(tmp_path / "absent").why == f"{tmp_path / 'absent' / 'model.onnx'} is missing"


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"\x08\x08" * 500], ids=len)
def test_garbage_in_the_place_of_a_file_is_refused(directory, name, content: bytes) -> None:
    (directory / name).write_bytes(content)
    told = refused(directory)
    assert str(directory / name) in told.why
    assert told.next


@pytest.mark.parametrize("name", ["1_Pooling/config.json", "sentence_bert_config.json"])
@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff"])
def test_facts_that_cannot_be_read_are_not_passed_over(directory, name, content) -> None:
    (directory / "1_Pooling").mkdir()
    (directory / name).write_bytes(content)
    assert str(directory / name) in refused(directory).why


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_model_that_gives_no_direction_is_refused(directory: Path, value: float) -> None:
    write_model(directory / "model.onnx", np.full_like(TABLE, value))
    assert "no number, or nothing" in refused(directory).why


def test_a_vector_that_is_no_direction_is_refused_later_too(directory: Path) -> None:
    broken = TABLE.copy()
    broken[TEA] = np.nan
    write_model(directory / "model.onnx", broken)
    embedder = load(directory)
    assert np.isfinite(embedder.embed(["cake"])).all()
    for ask in (embedder.embed, embedder.token_vectors):
        with pytest.raises(Unavailable):
            ask(["cake", "red tea"])


def test_a_model_that_has_pooled_already_is_refused(directory: Path) -> None:
    write_model(directory / "model.onnx", pooled=True)
    told = refused(directory)
    assert "not a vector for each token" in told.why
    assert "without pooling" in told.next


def test_a_tokenizer_that_knows_more_words_than_the_model_is_refused(directory: Path) -> None:
    write_model(directory / "model.onnx", TABLE[:3])
    assert "the model failed" in refused(directory).why


def test_a_text_that_is_no_text_is_refused_and_the_next_one_is_read(directory: Path) -> None:
    embedder = load(directory)
    with pytest.raises(Unavailable, match="the tokenizer failed"):
        embedder.embed(["half of a pair: \ud83d"])
    assert embedder.embed(["tea"]).shape == (1, WIDTH)


# -- cross-encoders ------------------------------------------------------------------------------


def scorer(directory: Path, logits: Sequence[float]) -> OnnxScorer:
    """One whose logit for a pair is the mean of what its words have here."""
    table = np.zeros((len(WORDS), 1), dtype=np.float32)
    table[: len(logits), 0] = logits
    write_model(directory / "model.onnx", table, pooled=True)
    return OnnxScorer(directory)


def test_a_cross_encoder_gives_each_text_a_score_from_0_to_1(directory: Path) -> None:
    logits = [0.0] * len(WORDS)
    logits[TEA], logits[CAKE] = 30.0, -30.0
    scores = scorer(directory, logits).score("red", ["tea", "green", "cake", "tea"])
    assert scores[0] == scores[3] > scores[1] == 0.5 > scores[2]
    assert all(isinstance(one, float) and 0 <= one <= 1 for one in scores)


@pytest.mark.filterwarnings("error")
def test_logits_of_any_size_make_scores_without_a_warning(directory: Path) -> None:
    logits = [0.0] * len(WORDS)
    logits[TEA], logits[CAKE] = 1e30, -1e30
    assert scorer(directory, logits).score("red", ["tea", "cake"]) == [1.0, 0.0]


def test_no_texts_have_no_scores(directory: Path) -> None:
    assert scorer(directory, [0.0]).score("red", []) == []


def test_a_cross_encoder_that_gives_no_numbers_is_refused(directory: Path) -> None:
    broken = scorer(directory, [float("nan")] * len(WORDS))
    with pytest.raises(Unavailable, match="no number for each pair"):
        broken.score("red", ["tea"])


@pytest.mark.parametrize("name", ["model.onnx", "tokenizer.json"])
def test_a_missing_file_of_a_cross_encoder_is_named(directory: Path, name: str) -> None:
    (directory / name).unlink()
    with pytest.raises(Unavailable) as caught:
        OnnxScorer(directory)
    assert caught.value.why == f"{directory / name} is missing"
