"""The graph of a BERT encoder, made from its weights.

Devlin et al. 2019 (arXiv 1810.04805), with the post-layer normalisation of the original. Positions
are sliced, not gathered: an optimiser of the runtime makes a failing graph of a gathered range.
Weights of query, key and value are joined, so that a layer multiplies once instead of three times.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aimem_node.embedding.embedder import Matrix

OPSET = 17
IR_VERSION = 8
MASKED = -10_000.0
EPSILON = 1e-12


@dataclass(frozen=True, slots=True)
class Shape:
    """How large a BERT is."""

    layers: int
    heads: int
    width: int


class _Graph:
    """Nodes and weights as they are added."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []
        self._made = 0

    def hold(self, values: Any, name: str = "") -> str:
        """Put numbers into the graph; their name."""
        import numpy as np
        from onnx import numpy_helper

        name = name or self._name("c")
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def add(self, kind: str, inputs: Sequence[str], count: int = 1, **facts: Any) -> Any:
        """Add an operation; the name of its result, or the names of several."""
        from onnx import helper

        outputs = [self._name(kind) for _ in range(count)]
        self.nodes.append(helper.make_node(kind, list(inputs), outputs, **facts))
        return outputs[0] if count == 1 else outputs

    def _name(self, kind: str) -> str:
        self._made += 1
        return f"{kind}_{self._made}"


def graph_of(weights: Mapping[str, Matrix], shape: Shape) -> bytes:
    """An ONNX model: input_ids and attention_mask (batch, length) to token vectors
    (batch, length, width)."""
    import numpy as np
    from onnx import TensorProto, helper

    graph = _Graph()
    x = _embeddings(graph, weights)
    seen = graph.add("Cast", ["attention_mask"], to=TensorProto.FLOAT)
    unseen = graph.add("Sub", [graph.hold(np.float32(1.0)), seen])
    away = graph.add("Mul", [unseen, graph.hold(np.float32(MASKED))])
    mask = graph.add("Unsqueeze", [away, graph.hold(np.array([1, 2], np.int64))])
    for number in range(shape.layers):
        x = _layer(graph, weights, f"encoder.layer.{number}.", x, mask, shape)
    graph.nodes.append(helper.make_node("Identity", [x], ["token_vectors"]))
    made = helper.make_graph(
        graph.nodes,
        "bert",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
            for name in ("input_ids", "attention_mask")
        ],
        [
            helper.make_tensor_value_info(
                "token_vectors", TensorProto.FLOAT, ["batch", "length", shape.width]
            )
        ],
        graph.weights,
    )
    model = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    encoded: bytes = model.SerializeToString()
    return encoded


def _embeddings(graph: _Graph, weights: Mapping[str, Matrix]) -> str:
    import numpy as np

    words = graph.hold(weights["embeddings.word_embeddings.weight"], "words")
    places = graph.hold(weights["embeddings.position_embeddings.weight"], "places")
    kind = graph.hold(weights["embeddings.token_type_embeddings.weight"][0])
    length = graph.add("Shape", ["input_ids"], start=1, end=2)
    start, axis = graph.hold(np.array([0], np.int64)), graph.hold(np.array([0], np.int64))
    x = graph.add("Gather", [words, "input_ids"])
    x = graph.add("Add", [x, graph.add("Slice", [places, start, length, axis])])
    x = graph.add("Add", [x, kind])
    return _normalised(graph, weights, "embeddings.LayerNorm", x)


def _layer(
    graph: _Graph, weights: Mapping[str, Matrix], at: str, x: str, mask: str, shape: Shape
) -> str:
    import numpy as np

    size = shape.width // shape.heads
    parts = [f"{at}attention.self.{name}" for name in ("query", "key", "value")]
    joined = graph.hold(np.concatenate([weights[f"{part}.weight"].T for part in parts], axis=1))
    bias = graph.hold(np.concatenate([weights[f"{part}.bias"] for part in parts]))
    three = graph.add("Split", [graph.add("Add", [graph.add("MatMul", [x, joined]), bias])], 3,
                      axis=2)  # fmt: skip
    apart = graph.hold(np.array([0, 0, shape.heads, size], np.int64))
    q, k, v = (graph.add("Reshape", [part, apart]) for part in three)
    q = graph.add("Transpose", [q], perm=[0, 2, 1, 3])
    k = graph.add("Transpose", [k], perm=[0, 2, 3, 1])
    v = graph.add("Transpose", [v], perm=[0, 2, 1, 3])
    likeness = graph.add("Mul", [graph.add("MatMul", [q, k]), graph.hold(np.float32(size**-0.5))])
    share = graph.add("Softmax", [graph.add("Add", [likeness, mask])], axis=3)
    seen = graph.add("Transpose", [graph.add("MatMul", [share, v])], perm=[0, 2, 1, 3])
    seen = graph.add("Reshape", [seen, graph.hold(np.array([0, 0, shape.width], np.int64))])
    x = graph.add("Add", [x, _dense(graph, weights, f"{at}attention.output.dense", seen)])
    x = _normalised(graph, weights, f"{at}attention.output.LayerNorm", x)
    wide = _gelu(graph, _dense(graph, weights, f"{at}intermediate.dense", x))
    x = graph.add("Add", [x, _dense(graph, weights, f"{at}output.dense", wide)])
    return _normalised(graph, weights, f"{at}output.LayerNorm", x)


def _dense(graph: _Graph, weights: Mapping[str, Matrix], name: str, x: str) -> str:
    made: str = graph.add("MatMul", [x, graph.hold(weights[f"{name}.weight"].T)])
    added: str = graph.add("Add", [made, graph.hold(weights[f"{name}.bias"])])
    return added


def _normalised(graph: _Graph, weights: Mapping[str, Matrix], name: str, x: str) -> str:
    scale = graph.hold(weights[f"{name}.weight"])
    made: str = graph.add(
        "LayerNormalization", [x, scale, graph.hold(weights[f"{name}.bias"])],
        axis=-1, epsilon=EPSILON,
    )  # fmt: skip
    return made


def _gelu(graph: _Graph, x: str) -> str:
    import numpy as np

    bent = graph.add("Erf", [graph.add("Mul", [x, graph.hold(np.float32(0.5**0.5))])])
    half = graph.add("Mul", [x, graph.hold(np.float32(0.5))])
    made: str = graph.add("Mul", [half, graph.add("Add", [bent, graph.hold(np.float32(1.0))])])
    return made
