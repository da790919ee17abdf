"""A model with coarser weights."""

from pathlib import Path

import pytest

from aimem_node.embedding.eight_bits import eight_bits
from tests.aimem_node.embedding.conftest import Real

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


def test_one_graph_gives_one_file_so_that_nodes_read_a_question_alike(real: Real) -> None:
    (graph,) = (real.data_dir / "models").glob("*.onnx")
    assert eight_bits(graph) == graph.with_suffix(".int8").read_bytes()


def test_nothing_is_written_beside_the_graph(real: Real) -> None:
    before = sorted((real.data_dir / "models").iterdir())
    eight_bits(before[0].parent / next(one.name for one in before if one.suffix == ".onnx"))
    assert sorted((real.data_dir / "models").iterdir()) == before


def test_what_is_no_graph_raises_and_gives_nothing(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(Exception, match=r"(?i)pars|protobuf|decod"):
        eight_bits(tmp_path / "model.onnx")
