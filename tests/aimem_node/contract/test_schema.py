"""MCP tools made from the contract."""

import json
from typing import Any

import jsonschema
import pytest

from aimem_node.contract.operations import OPERATIONS, Profile
from aimem_node.contract.schema import in_profile, json_schema, tools

CORE_BYTES_MAX = 6_000
CORE_TOOLS_MAX = 8


def size(listed: list[dict[str, Any]]) -> int:
    return len(json.dumps(listed, ensure_ascii=False).encode())


def test_the_core_list_fits_into_its_budget() -> None:
    listed = tools(Profile.CORE)
    assert len(listed) <= CORE_TOOLS_MAX
    assert size(listed) <= CORE_BYTES_MAX


def test_each_profile_holds_those_before_it() -> None:
    names = [{tool["name"] for tool in tools(profile)} for profile in Profile]
    assert names[0] < names[1] < names[2]
    assert names[2] == {operation.mcp_name for operation in OPERATIONS.values()}


@pytest.mark.parametrize("profile", list(Profile))
def test_every_schema_is_a_schema(profile: Profile) -> None:
    for tool in tools(profile):
        jsonschema.Draft202012Validator.check_schema(tool["inputSchema"])
        assert tool["description"]
        assert tool["annotations"]["openWorldHint"] is False


def test_hints_say_what_an_operation_may_do() -> None:
    hints = {tool["name"]: tool["annotations"] for tool in tools(Profile.FULL)}
    assert hints["memory_recall"]["readOnlyHint"]
    assert hints["memory_forget"]["destructiveHint"]
    assert hints["memory_archive"]["idempotentHint"]
    assert hints["memory_store"]["title"] == "Store"
    core = {tool["name"]: tool["annotations"] for tool in tools(Profile.CORE)}
    # MCP assumes a tool to be destructive unless it says otherwise.
    assert core["memory_store"]["destructiveHint"] is False
    assert "destructiveHint" not in core["memory_delete"]


def test_small_profiles_leave_out_what_is_advanced_but_do_not_forbid_it() -> None:
    brief = json_schema(OPERATIONS["Store"], Profile.CORE)
    assert "metadata" not in brief["properties"]
    assert "options" not in brief["properties"]
    assert "additionalProperties" not in brief
    assert brief["required"] == ["title", "content"]
    full = json_schema(OPERATIONS["Store"], Profile.FULL)
    assert "request_key" in full["properties"]["options"]["properties"]
    assert full["additionalProperties"] is False


def test_a_cap_is_no_bound() -> None:
    limit = json_schema(OPERATIONS["List"], Profile.FULL)["properties"]["limit"]
    assert (limit["minimum"], limit["default"]) == (1, 20)
    assert "maximum" not in limit


def test_a_stream_is_a_tool_with_a_limit_and_only_in_full() -> None:
    assert not in_profile(OPERATIONS["Export"], Profile.STANDARD)
    for name in ("Export", "Events"):
        limit = json_schema(OPERATIONS[name], Profile.FULL)["properties"]["limit"]
        assert limit["maximum"] <= 1000
