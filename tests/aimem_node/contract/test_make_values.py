"""The made Python values."""

import dataclasses

import pytest

from aimem_node.contract.shapes import SHAPES
from aimem_node.contract.values import (
    ENUMS,
    ExportRecordHeader,
    ListRequest,
    Memory,
    StoreRequest,
    StoreResponse,
    Tier,
)


def test_comments_of_the_source_are_docstrings() -> None:
    assert Memory.__doc__ == "Something worth remembering."
    assert Tier.__doc__ == "How long a memory is kept."
    assert all(cls.__doc__ for cls in (*SHAPES, *ENUMS.values()))


def test_values_cannot_be_changed() -> None:
    memory = Memory()
    with pytest.raises(dataclasses.FrozenInstanceError):
        memory.title = "x"  # type: ignore[misc]
    assert not hasattr(memory, "__dict__")


def test_a_required_field_must_be_given() -> None:
    with pytest.raises(TypeError, match="content"):
        StoreRequest(title="t")  # type: ignore[call-arg]


def test_defaults_are_in_place() -> None:
    request = StoreRequest(title="t", content="c")
    assert (request.tier, request.namespace, request.priority) == (Tier.MID, "global", None)
    assert ListRequest().limit == 20
    assert StoreResponse().tier is None
    assert (Memory().metadata, Memory().tags) == ({}, ())
    assert ExportRecordHeader().version == 0
