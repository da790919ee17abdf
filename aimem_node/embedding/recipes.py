"""Which models a node is set to use, told without loading any.

A setting that cannot work is said at once, with the exact line that installs what is missing.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.embedding import minilm
from aimem_node.embedding.embedder import Embedder, Say, Scorer, Space, Unavailable
from aimem_node.embedding.llm import LanguageModel
from aimem_node.embedding.onnx_model import OnnxScorer, embedder_in
from aimem_node.embedding.server import OLLAMA_URL, TIMEOUT_S, ServedEmbedder, Server
from aimem_node.embedding.worker import Embedding

LIBRARIES: Final = ("onnxruntime", "tokenizers", "numpy")
INSTALL_LIBRARIES: Final = 'pip install "aimem-node[semantic]"'
LLM_TIMEOUT_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a model comes about."""

    name: str
    "off, minilm, onnx:DIR, ollama:MODEL or openai:MODEL."
    load: Callable[[Say], Embedder] | None = None
    "None: there is none."
    why: str = ""
    "Why there is none, or none yet."
    next: str = ""
    space: Space | None = None
    "What its vectors are called, if that is known already."


def embedding_of(settings: Any, say: Say = lambda _line: None) -> Embedding:
    """The models of a node. `settings`: embedder, embedder_url, embedder_key_file, rerank, llm,
    llm_url, llm_key_file, embed_threads and data_dir, as in config. Raises a Failure for a key
    that cannot be read."""
    how, _, where = settings.rerank.partition(":")
    scorer: Callable[[], Scorer] | None = None
    if how == "onnx":
        scorer = lambda: OnnxScorer(Path(where), settings.embed_threads)  # noqa: E731
    chat: LanguageModel | None = None
    kind, _, model = settings.llm.partition(":")
    if kind != "off":
        url, key = settings.llm_url or OLLAMA_URL, key_in("llm_key_file", settings.llm_key_file)
        chat = LanguageModel(kind, model, Server(url, key, LLM_TIMEOUT_S))
    return Embedding(
        recipe_of(settings, settings.embedder),
        rerank_by="cross" if how == "onnx" else how,
        scorer=scorer,
        chat=chat,
        before=lambda name: recipe_of(settings, name),
        say=say,
    )


def recipe_of(settings: Any, name: str) -> Recipe:
    """How an embedder comes about that is named as in the settings."""
    kind, _, rest = name.partition(":")
    if kind == "auto":
        missing = _missing_for_minilm()
        if missing:
            why = "no embedder is installed: memories are found by their words"
            return Recipe("off", why=why, next=minilm.INSTALL)
        kind = name = minilm.NAME
    if kind == "off":
        return Recipe("off", why="no embedder is configured")
    if kind in {"ollama", "openai"}:
        url = settings.embedder_url or OLLAMA_URL
        server = Server(url, key_in("embedder_key_file", settings.embedder_key_file), TIMEOUT_S)
        return Recipe(name, lambda _say: ServedEmbedder(kind, rest, server))
    threads: int = settings.embed_threads
    if kind == "onnx":
        return Recipe(name, lambda _say: _checked(lambda: embedder_in(Path(rest), name, threads)))
    data_dir: Path = settings.data_dir
    return Recipe(
        name,
        lambda say: _checked(lambda: minilm.load(data_dir, threads, say), minilm.INSTALL),
        space=minilm.remembered(data_dir),
    )


def key_in(setting: str, path: str) -> str:
    """The key in a file, without what surrounds it. Raises a Failure naming the setting, never
    with any of the file's content."""
    if not path:
        return ""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8"
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"the key in {path!r} cannot be read: {why}",
            path=setting,
            next="Name a file that this user can read.",
        ) from None


def _checked(load: Callable[[], Embedder], install: str = INSTALL_LIBRARIES) -> Embedder:
    missing = [name for name in LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise Unavailable(f"{', '.join(missing)} is not installed", install)
    return load()


def _missing_for_minilm() -> bool:
    return minilm.files() is None or any(
        importlib.util.find_spec(name) is None for name in LIBRARIES
    )
