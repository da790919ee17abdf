"""What a call raised becomes an answer that gives nothing away."""

from aimem_node.contract.errors import Code, Failure
from aimem_node.gateways.mistakes import as_failure


def test_a_failure_is_handed_on_as_it_is() -> None:
    failure = Failure(Code.NOT_FOUND, "gone")
    assert as_failure(failure, "Get") is failure


def test_a_bug_is_named_by_its_type_and_not_by_its_text() -> None:
    failure = as_failure(ValueError("the memory's secret content"), "Get")
    assert failure.code is Code.INTERNAL
    assert "ValueError" in failure.message
    assert "secret" not in str(failure)
