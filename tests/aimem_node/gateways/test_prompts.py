"""Agents are told in a few words how to use the memory."""

from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways.prompts import INSTRUCTIONS, PROMPTS


def test_there_are_the_two_known_prompts() -> None:
    assert set(PROMPTS) == {"recall-first", "memory-workflow"}


def test_a_namespace_that_is_given_is_the_one_to_use() -> None:
    text = PROMPTS["recall-first"].text({"namespace": "team/api"})
    assert "`team/api`" in text
    assert "team/project" not in text


def test_prompts_name_only_tools_that_exist() -> None:
    tools = {operation.mcp_name for operation in OPERATIONS.values()}
    for words in PROMPTS.values():
        named = {word.strip(".,:`(") for word in words.text({}).replace("(", " ").split()}
        assert {word for word in named if word.startswith("memory_")} <= tools


def test_the_instructions_are_short() -> None:
    assert len(INSTRUCTIONS) < 400
