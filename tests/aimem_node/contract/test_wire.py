"""Values and protobuf bytes."""

from typing import Any

import pytest
from any_value import ANY_MESSAGE, outcome, values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimem_node.contract.descriptors import contract_pool, message_class
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    BulkStoreRequest,
    ExportRecord,
    ExportRecordHeader,
    ListRequest,
    Memory,
    StoreRequest,
    StoreResponse,
    TaxonomyNode,
    Tier,
    UpdateRequest,
)
from aimem_node.contract.wire import from_wire, to_wire


def raw(name: str) -> Any:
    return message_class(contract_pool(), f"aimem.v1.{name}")()


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(st.data())
def test_every_value_survives_the_wire(data: Any) -> None:
    cls = data.draw(ANY_MESSAGE)
    value = data.draw(values(cls))
    assert from_wire(cls, to_wire(value)) == value


@settings(deadline=None, max_examples=150)
@given(ANY_MESSAGE, st.binary(max_size=60))
def test_bytes_from_anyone_give_a_value_or_a_failure(cls: type, wire: bytes) -> None:
    given = outcome(from_wire, cls, wire)
    assert isinstance(given, cls) or given.code is Code.INVALID_ARGUMENT


def test_absent_fields_have_their_defaults() -> None:
    assert from_wire(ListRequest, b"") == ListRequest(limit=20)
    assert from_wire(Memory, b"").tier is Tier.MID


def test_zero_differs_from_absent_where_it_matters() -> None:
    assert from_wire(UpdateRequest, to_wire(UpdateRequest(id="x", title=""))).title == ""
    assert from_wire(UpdateRequest, to_wire(UpdateRequest(id="x"))).title is None
    assert from_wire(Memory, to_wire(Memory(expires_at=0))).expires_at == 0


def test_an_unspecified_enum_is_absent() -> None:
    message = raw("StoreRequest")
    message.title, message.tier = "t", 0
    assert from_wire(StoreRequest, message.SerializeToString()).tier is Tier.MID
    assert from_wire(StoreResponse, b"").tier is None


def test_an_enum_value_of_another_version_is_named() -> None:
    message = raw("ExportRecord")
    message.memory.tier = 99
    with pytest.raises(Failure) as caught:
        from_wire(ExportRecord, message.SerializeToString())
    assert caught.value.path == "$.memory.tier"


def test_bad_json_inside_protobuf_has_a_path() -> None:
    message = raw("BulkStoreRequest")
    message.memories.add(title="a", metadata="{}")
    message.memories.add(title="b", metadata="[1]")
    with pytest.raises(Failure) as caught:
        from_wire(BulkStoreRequest, message.SerializeToString())
    assert caught.value.path == "$.memories[1].metadata"


def test_a_required_field_that_is_absent_is_left_to_validation() -> None:
    assert from_wire(StoreRequest, b"") == StoreRequest(title="", content="")


def test_an_empty_message_inside_is_still_there() -> None:
    record = ExportRecord(header=ExportRecordHeader())
    assert from_wire(ExportRecord, to_wire(record)) == record


def test_a_tree_survives() -> None:
    tree = TaxonomyNode(name="a", children=(TaxonomyNode(name="b", children=(TaxonomyNode(),)),))
    assert from_wire(TaxonomyNode, to_wire(tree)) == tree


def test_fields_of_a_newer_version_are_passed_over() -> None:
    unknown = b"\xfa\x7f\x01x"  # field 2047, one byte of text
    assert from_wire(ListRequest, unknown) == ListRequest()


def test_a_time_that_no_calendar_reaches_is_refused() -> None:
    message = raw("Memory")
    message.created_at.seconds = 2**60
    with pytest.raises(Failure) as caught:
        from_wire(Memory, message.SerializeToString())
    assert caught.value.path == "$.created_at"


@pytest.mark.parametrize(
    "value",
    [Memory(title="\ud800"), Memory(priority=2**40), Memory(metadata={"a": float("nan")})],
)
def test_what_the_wire_cannot_carry_is_a_failure(value: Memory) -> None:
    with pytest.raises(Failure):
        to_wire(value)
