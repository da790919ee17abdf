"""A sentence model or a cross-encoder in ONNX, run on this machine's processors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aimem_node.embedding.embedder import Space, Unavailable

if TYPE_CHECKING:
    from aimem_node.embedding.embedder import Matrix, Vector

CROSS_TOKENS_MAX = 512
EXPORT = "Export the model again."
READABLE = "Let this user read the directory."
_MODE = "pooling_mode_"


class OnnxEmbedder:
    """An encoder with a tokenizer; mean or first-token pooling."""

    def __init__(
        self, space: Space, model: Path, tokenizer: Path, *, pooling: str = "mean",
        threads: int = 1, quick: Path | None = None,
    ) -> None:  # fmt: skip
        """`quick`: the same model with coarser weights, which reads questions."""
        self.space = space
        self._session = open_session(model, threads)
        self._quick = self._session if quick is None else open_session(quick, threads)
        self._asks = inputs_of(self._session)
        self._tokenizer = open_tokenizer(tokenizer, space.tokens_max)
        self._pooling = pooling

    def embed(self, texts: Sequence[str]) -> Matrix:
        """See Embedder."""
        return self._pooled(*self._run(self._session, texts))

    def question(self, text: str) -> Vector:
        """See Embedder."""
        vector: Vector = self._pooled(*self._run(self._quick, [text]))[0]
        return vector

    def _pooled(self, tokens: Matrix, encoded: Sequence[Any]) -> Matrix:
        import numpy as np

        if self._pooling == "cls":
            pooled = tokens[:, 0]
        else:
            share = np.array([one.attention_mask for one in encoded], dtype=np.float32)[:, :, None]
            pooled = (tokens * share).sum(axis=1) / np.maximum(share.sum(axis=1), 1e-9)
        return unit_rows(pooled)

    def token_vectors(self, texts: Sequence[str]) -> list[Matrix]:
        """See Embedder; without the marks of beginning and end, unless there is nothing else."""
        import numpy as np

        tokens, encoded = self._run(self._session, texts)
        found = []
        for rows, one in zip(tokens, encoded, strict=True):
            seen = np.array(one.attention_mask, dtype=bool)
            said = seen & ~np.array(one.special_tokens_mask, dtype=bool)
            found.append(unit_rows(rows[said if said.any() else seen]))
        return found

    def _run(self, session: Any, texts: Sequence[str]) -> tuple[Matrix, Sequence[Any]]:
        encoded = encode(self._tokenizer, list(texts))
        tokens: Matrix = run(session, fed(self._asks, encoded))
        if tokens.ndim != 3 or tokens.shape[:2] != (len(encoded), len(encoded[0].ids)):
            raise Unavailable(
                f"the model's first output, {tokens.shape}, is not a vector for each token",
                "Export the model for feature extraction, without pooling.",
            )
        return tokens, encoded


class OnnxScorer:
    """A cross-encoder with one logit for a pair."""

    def __init__(self, directory: Path, threads: int = 1) -> None:
        self._session = open_session(model_in(directory), threads)
        self._asks = inputs_of(self._session)
        self._tokenizer = open_tokenizer(tokenizer_in(directory), CROSS_TOKENS_MAX)

    def score(self, query: str, texts: Sequence[str]) -> list[float]:
        """See Scorer."""
        import numpy as np

        if not texts:
            return []
        encoded = encode(self._tokenizer, [(query, text) for text in texts])
        logits = run(self._session, fed(self._asks, encoded)).astype(np.float64)
        if logits.size == 0 or logits.shape[0] != len(texts) or not np.isfinite(logits).all():
            raise Unavailable("the model gave no number for each pair", "Use a cross-encoder.")
        # The logistic function, in a form that no logit overflows.
        return [float(one) for one in (1 + np.tanh(logits.reshape(len(texts), -1)[:, -1] / 2)) / 2]


def embedder_in(directory: Path, name: str, threads: int) -> OnnxEmbedder:
    """The sentence model of a directory: model.onnx (or onnx/model.onnx), tokenizer.json, and
    what sentence-transformers writes beside them. Raises Unavailable naming the missing file."""
    model, tokenizer = model_in(directory), tokenizer_in(directory)
    pooling = _pooling(directory / "1_Pooling" / "config.json")
    told = _facts(directory / "sentence_bert_config.json").get("max_seq_length")
    tokens_max = told if isinstance(told, int) and 8 <= told <= 8192 else 256
    # Large models have their weights in files beside, and a model is other weights first of all.
    parts = sorted(path for path in model.parent.glob("model.onnx?*") if path.is_file())
    try:
        fingerprint = fingerprint_of((model, tokenizer, *parts), f"{pooling} {tokens_max}")
    except OSError as error:
        raise Unavailable(f"{directory} cannot be read: {error}", READABLE) from None
    space = Space(fingerprint, name, 0, tokens_max)
    made = OnnxEmbedder(space, model, tokenizer, pooling=pooling, threads=threads)
    made.space = replace(space, dimension=int(made.embed(["aimem"]).shape[1]))
    return made


def model_in(directory: Path) -> Path:
    """The model file of a directory. Raises Unavailable."""
    for path in (directory / "model.onnx", directory / "onnx" / "model.onnx"):
        if path.is_file():
            return path
    raise Unavailable(f"{directory / 'model.onnx'} is missing", "Name a directory that has one.")


def tokenizer_in(directory: Path) -> Path:
    """The tokenizer file of a directory. Raises Unavailable."""
    path = directory / "tokenizer.json"
    if not path.is_file():
        raise Unavailable(f"{path} is missing", "Export the model with its fast tokenizer.")
    return path


def fingerprint_of(files: Sequence[Path], recipe: str) -> str:
    """Names a model by its files and by how it is used; about 0.1 s for 90 MB."""
    import hashlib

    digest = hashlib.sha256(recipe.encode())
    for path in files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:32]


def open_session(model: Path, threads: int) -> Any:
    """Load a model. Raises Unavailable if the runtime is missing or refuses it."""
    try:
        import onnxruntime
    except ImportError as error:
        raise Unavailable(f"onnxruntime cannot be imported: {error}") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Waiting threads must not burn a core that callers need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the runtime has a dozen kinds, none with a common base
        raise Unavailable(f"{model} cannot be loaded: {error}", EXPORT) from None


def open_tokenizer(path: Path, tokens_max: int) -> Any:
    """Load a tokenizer that cuts at so many tokens. Raises Unavailable."""
    try:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # a missing library, or whatever its core says of the file
        raise Unavailable(f"{path} cannot be loaded: {error}", EXPORT) from None
    tokenizer.enable_truncation(tokens_max)
    tokenizer.enable_padding()
    return tokenizer


def encode(tokenizer: Any, texts: Sequence[Any]) -> Sequence[Any]:
    """The tokens of texts or of pairs of texts, all at the length of the longest. Raises
    Unavailable."""
    try:
        encoded: Sequence[Any] = tokenizer.encode_batch(texts)
    except Exception as error:  # as in open_session; half a surrogate pair, for one
        raise Unavailable(f"the tokenizer failed: {error}") from None
    return encoded


INPUTS: Final = {
    "input_ids": "ids", "attention_mask": "attention_mask", "token_type_ids": "type_ids",
}  # fmt: skip
"""What models ask for, and what a tokenizer calls it."""


def inputs_of(session: Any) -> tuple[str, ...]:
    """Which of these a model asks for."""
    asked = {one.name for one in session.get_inputs()}
    return tuple(name for name in INPUTS if name in asked)


def fed(asks: Sequence[str], encoded: Sequence[Any]) -> dict[str, Any]:
    """What a model is given."""
    import numpy as np

    return {
        name: np.array([getattr(one, INPUTS[name]) for one in encoded], dtype=np.int64)
        for name in asks
    }


def run(session: Any, feeds: dict[str, Any]) -> Any:
    """The first output. Raises Unavailable."""
    try:
        return session.run(None, feeds)[0]
    except Exception as error:  # as in open_session
        raise Unavailable(f"the model failed: {error}") from None


def unit_rows(rows: Any) -> Matrix:
    """The rows at length 1. Raises Unavailable for a row that is no direction."""
    import numpy as np

    rows = np.asarray(rows, dtype=np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise Unavailable(
            "the model gave a vector that is no number, or nothing", "Use another model."
        )
    unit: Matrix = rows / lengths
    return unit


def _pooling(path: Path) -> str:
    """How a vector is made of those of the tokens: mean, or cls. Raises Unavailable for a way that
    would have to be guessed."""
    facts = _facts(path)
    ways = {name.removeprefix(_MODE) for name in facts if name.startswith(_MODE) and facts[name]}
    if not ways or ways == {"mean_tokens"}:
        return "mean"
    if ways == {"cls_token"}:
        return "cls"
    raise Unavailable(
        f"{path} asks for pooling by {', '.join(sorted(ways))}",
        "Use a model that takes the mean of its tokens or the first of them.",
    )


def _facts(path: Path) -> dict[str, Any]:
    """What a file beside the model says; nothing if it is not there. Raises Unavailable."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise Unavailable(f"{path} cannot be read: {error}", EXPORT) from None
    if not isinstance(found, dict):
        raise Unavailable(f"{path} is no JSON object", EXPORT)
    return found
