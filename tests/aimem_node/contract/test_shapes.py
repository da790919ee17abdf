"""Value classes and their declared shapes."""

import dataclasses

from aimem_node.contract.shapes import SHAPES


def test_a_class_has_exactly_its_declared_fields() -> None:
    for cls, shape in SHAPES.items():
        assert [f.name for f in dataclasses.fields(cls)] == [f.attribute for f in shape.fields]
