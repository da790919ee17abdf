"""Say which memories are most alike: near one memory or text, or in pairs within a namespace."""

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    FindSimilarRequest,
    FindSimilarResponse,
    NearDuplicatesRequest,
    NearDuplicatesResponse,
)
from aimem_node.operations.call import ReadCall
from aimem_node.operations.registry import operation


@operation
def find_similar(call: ReadCall, request: FindSimilarRequest) -> FindSimilarResponse:
    """The memories most like one memory, or like a text."""
    raise Failure(Code.UNIMPLEMENTED, "find_similar is not answered yet")


@operation
def near_duplicates(call: ReadCall, request: NearDuplicatesRequest) -> NearDuplicatesResponse:
    """Pairs that say nearly the same."""
    raise Failure(Code.UNIMPLEMENTED, "near_duplicates is not answered yet")
