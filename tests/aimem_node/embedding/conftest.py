"""Models small enough to be made in a test, and the real one, loaded once for all tests."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aimem_node.embedding import minilm
from aimem_node.embedding.bert import Shape

np = pytest.importorskip("numpy")
tokenizers = pytest.importorskip("tokenizers")

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "blue", "tea", "cake", "aimem")
SMALL = Shape(layers=2, heads=2, width=8)
PLACES = 300


def safetensors(tensors: Mapping[str, Any], **changed: Any) -> bytes:
    """A file of weights, as its format has it. `changed`: facts that the header lies about."""
    names = {"float32": "F32", "float16": "F16", "int64": "I64"}
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    body = b""
    for name, values in tensors.items():
        raw = np.ascontiguousarray(values).tobytes()
        facts = {"dtype": names[values.dtype.name], "shape": list(values.shape)}
        header[name] = {**facts, "data_offsets": [len(body), len(body) + len(raw)], **changed}
        body += raw
    encoded = json.dumps(header).encode()
    return len(encoded).to_bytes(8, "little") + encoded + body


def bert_weights(shape: Shape, words: int, places: int) -> dict[str, Any]:
    """Weights of a BERT that has learned nothing, the same at every call."""
    chance = np.random.default_rng(5)
    width, wide = shape.width, 4 * shape.width

    def some(*size: int) -> Any:
        return chance.standard_normal(size).astype(np.float32) * np.float32(0.4)

    def dense(name: str, into: int, out: int) -> dict[str, Any]:
        return {f"{name}.weight": some(out, into), f"{name}.bias": some(out)}

    def norm(name: str) -> dict[str, Any]:
        return {f"{name}.weight": 1 + some(width), f"{name}.bias": some(width)}

    made = {
        "embeddings.word_embeddings.weight": some(words, width),
        "embeddings.position_embeddings.weight": some(places, width),
        "embeddings.token_type_embeddings.weight": some(2, width),
        **norm("embeddings.LayerNorm"),
    }
    for number in range(shape.layers):
        at = f"encoder.layer.{number}."
        for part in ("query", "key", "value"):
            made |= dense(f"{at}attention.self.{part}", width, width)
        made |= dense(f"{at}attention.output.dense", width, width)
        made |= norm(f"{at}attention.output.LayerNorm")
        made |= dense(f"{at}intermediate.dense", width, wide)
        made |= dense(f"{at}output.dense", wide, width) | norm(f"{at}output.LayerNorm")
    return made


def write_tokenizer(path: Path, *, marks: bool = True) -> None:
    """A tokenizer that knows WORDS. `marks`: whether it puts [CLS] and [SEP] around a text."""
    words = {word: number for number, word in enumerate(WORDS)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    if marks:
        made.post_processor = tokenizers.processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", words["[CLS]"]), ("[SEP]", words["[SEP]"])],
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(str(path))


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of an installed package whose model is tiny: what happens to files can be seen
    without the real one."""
    folder = tmp_path / "package"
    write_tokenizer(folder / "tokenizer.json")
    weights = bert_weights(SMALL, len(WORDS), PLACES)
    (folder / "model.safetensors").write_bytes(safetensors(weights))
    monkeypatch.setattr(minilm, "files", lambda: folder)
    monkeypatch.setattr(minilm, "SHAPE", SMALL)
    return folder


@dataclass(frozen=True)
class Real:
    """MiniLM as it is installed."""

    data_dir: Path
    folder: Path
    embedder: Any
    said: list[str]


@pytest.fixture(scope="session")
def real(tmp_path_factory: pytest.TempPathFactory) -> Real:
    """The real model, its graph built for these tests."""
    for library in ("onnxruntime", "onnx"):
        pytest.importorskip(library)
    folder = minilm.files()
    if folder is None:
        pytest.skip(f"{minilm.PACKAGE} is not installed: {minilm.INSTALL}")
    data_dir, said = tmp_path_factory.mktemp("minilm"), []
    return Real(data_dir, folder, minilm.load(data_dir, 1, said.append), said)


@pytest.fixture
def nothing_said() -> Callable[[str], None]:
    """For a load that has nothing to tell."""

    def say(line: str) -> None:
        raise AssertionError(f"it told: {line}")

    return say
