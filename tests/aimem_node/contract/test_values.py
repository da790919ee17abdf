"""The flat list of values."""

from aimem_node.contract import values
from aimem_node.contract.operations import OPERATIONS


def test_every_request_and_response_can_be_imported_from_one_place() -> None:
    for operation in OPERATIONS.values():
        for cls in (operation.request, operation.response):
            assert getattr(values, cls.__name__) is cls
