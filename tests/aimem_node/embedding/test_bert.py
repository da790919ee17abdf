"""The graph computes what the paper says: the same network, written out once more in numpy.

The two share nothing but the weights. A mistake in a transposition or in the mask would still give
vectors of length 1 that look like any others.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from aimem_node.embedding.bert import Shape, graph_of
from aimem_node.embedding.minilm import SHAPE
from aimem_node.embedding.safetensors import read_safetensors
from tests.aimem_node.embedding.conftest import SMALL, Real, bert_weights

np = pytest.importorskip("numpy")
runtime = pytest.importorskip("onnxruntime")
tokenizers = pytest.importorskip("tokenizers")
pytest.importorskip("onnx")

erf = np.vectorize(math.erf)
TEXTS = (
    "We deploy on Tuesdays.",
    "The database is PostgreSQL 16, and nobody may touch it on Fridays: ask Ben, or call 0123.",
    "Überraschung! 東京 🙂",
    "a",
)


def norm(x: Any, weights: Mapping[str, Any], name: str) -> Any:
    """Layer normalisation."""
    away = x - x.mean(axis=-1, keepdims=True)
    scaled = away / np.sqrt((away**2).mean(axis=-1, keepdims=True) + 1e-12)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def dense(x: Any, weights: Mapping[str, Any], name: str) -> Any:
    """A layer that multiplies, in the order in which weights are stored."""
    return np.einsum("li,oi->lo", x, weights[f"{name}.weight"]) + weights[f"{name}.bias"]


def attention(x: Any, weights: Mapping[str, Any], at: str, shape: Shape) -> Any:
    """Each head by itself: what every token takes from every other."""
    size = shape.width // shape.heads
    q, k, v = (dense(x, weights, f"{at}self.{part}") for part in ("query", "key", "value"))
    seen = np.empty_like(x)
    for head in range(shape.heads):
        mine = slice(head * size, (head + 1) * size)
        likeness = q[:, mine] @ k[:, mine].T / math.sqrt(size)
        share = np.exp(likeness - likeness.max(axis=-1, keepdims=True))
        seen[:, mine] = share / share.sum(axis=-1, keepdims=True) @ v[:, mine]
    return seen


def forward(weights: Mapping[str, Any], shape: Shape, ids: Sequence[int]) -> Any:
    """Token vectors (length, width) of one text, unpadded, in double precision."""
    weights = {name: np.asarray(values, dtype=np.float64) for name, values in weights.items()}
    x = weights["embeddings.word_embeddings.weight"][list(ids)]
    x = x + weights["embeddings.position_embeddings.weight"][: len(ids)]
    x = x + weights["embeddings.token_type_embeddings.weight"][0]
    x = norm(x, weights, "embeddings.LayerNorm")
    for number in range(shape.layers):
        at = f"encoder.layer.{number}."
        seen = attention(x, weights, f"{at}attention.", shape)
        x = norm(x + dense(seen, weights, f"{at}attention.output.dense"), weights,
                 f"{at}attention.output.LayerNorm")  # fmt: skip
        wide = dense(x, weights, f"{at}intermediate.dense")
        wide = wide * 0.5 * (1 + erf(wide / math.sqrt(2)))
        x = norm(x + dense(wide, weights, f"{at}output.dense"), weights, f"{at}output.LayerNorm")
    return x


def run(graph: bytes, rows: Sequence[Sequence[int]]) -> Any:
    """What the graph makes of texts of several lengths, padded to the longest."""
    session = runtime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    longest = max(map(len, rows))
    ids = np.zeros((len(rows), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for at, row in enumerate(rows):
        ids[at, : len(row)], mask[at, : len(row)] = row, 1
    return session.run(None, {"input_ids": ids, "attention_mask": mask})[0]


@pytest.mark.parametrize("shape", [SMALL, Shape(1, 1, 4), Shape(3, 4, 16)], ids=str)
def test_a_graph_computes_the_network_of_its_weights(shape: Shape) -> None:
    weights = bert_weights(shape, words=20, places=12)
    rows = [[3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8], [2, 7], [19]]
    found = run(graph_of(weights, shape), rows)
    for at, row in enumerate(rows):
        assert np.abs(found[at, : len(row)] - forward(weights, shape, row)).max() < 1e-4


def test_the_order_of_the_words_and_the_words_count() -> None:
    weights = bert_weights(SMALL, words=20, places=12)
    one, other, third = run(graph_of(weights, SMALL), [[3, 4, 5], [5, 4, 3], [3, 4, 6]])
    assert np.abs(one - other[::-1]).max() > 0.01
    assert np.abs(one - third).max() > 0.01


def test_what_is_masked_is_not_seen() -> None:
    weights = bert_weights(SMALL, words=20, places=12)
    session = runtime.InferenceSession(graph_of(weights, SMALL), providers=["CPUExecutionProvider"])
    mask = np.array([[1, 1, 0, 0]], dtype=np.int64)
    one, other = (
        session.run(None, {"input_ids": np.array([ids], dtype=np.int64), "attention_mask": mask})[0]
        for ids in ([3, 4, 5, 6], [3, 4, 17, 18])
    )
    assert np.abs(one[0, :2] - other[0, :2]).max() < 1e-6


def test_the_same_weights_give_the_same_bytes() -> None:
    assert graph_of(bert_weights(SMALL, 9, 9), SMALL) == graph_of(bert_weights(SMALL, 9, 9), SMALL)


def test_weights_that_lack_a_layer_are_named() -> None:
    weights = bert_weights(SMALL, 9, 9)
    del weights["encoder.layer.1.attention.self.key.bias"]
    with pytest.raises(KeyError, match=r"encoder\.layer\.1\.attention\.self\.key\.bias"):
        graph_of(weights, SMALL)


def test_the_real_model_gives_the_vectors_that_numpy_computes(real: Real) -> None:
    tokenizer = tokenizers.Tokenizer.from_file(str(real.folder / "tokenizer.json"))
    tokenizer.no_padding()
    weights = read_safetensors(real.folder / "model.safetensors")
    found = real.embedder.embed(TEXTS)
    for row, text in zip(found, TEXTS, strict=True):
        pooled = forward(weights, SHAPE, tokenizer.encode(text).ids).mean(axis=0)
        assert np.abs(row - pooled / np.linalg.norm(pooled)).max() < 1e-4
