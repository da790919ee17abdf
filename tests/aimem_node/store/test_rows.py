"""A row that goes in comes out."""

from aimem_node.store.rows import MEMORY_COLUMNS, memory_columns, memory_row


def test_a_row_survives_its_columns(bench, pen) -> None:
    bench.put(pen.memory("m1", tags=["b", "a"], metadata={"x": [1, 2.5, None]}))
    row = bench.see(lambda view: view.memory("m1"))
    columns = memory_columns(row)
    assert len(columns) == len(MEMORY_COLUMNS)
    assert memory_row(columns) == row
