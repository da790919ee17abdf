"""What the command line knows of the contract."""

import json

from aimem_node.contract.descriptors import MADE
from aimem_node.contract.operations import OPERATIONS
from aimem_node.contract.surface import surface


def test_the_file_says_what_the_contract_says() -> None:
    assert json.loads((MADE / "surface.json").read_text()) == surface()


def test_every_operation_is_a_command() -> None:
    assert {facts["rpc"] for facts in surface()["operations"].values()} == set(OPERATIONS)
    assert surface()["aliases"]["taxonomy"] == "get-taxonomy"


def test_write_options_are_flags_like_any_other() -> None:
    fields = {field["name"]: field for field in surface()["operations"]["store"]["fields"]}
    assert fields["request_key"]["in_options"]
    assert "options" not in fields
    assert fields["tier"]["words"] == ["short", "mid", "long"]
    assert fields["tier"]["default"] == "mid"
    assert fields["content"]["stdin"]
