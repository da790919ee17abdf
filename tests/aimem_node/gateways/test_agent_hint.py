"""A program names an agent in the characters that an agent id may have."""

from aimem_node.gateways.agent_hint import agent_hint


def test_a_hint_names_client_host_and_process() -> None:
    assert agent_hint("claude-code", "box.local", 42) == "ai:claude-code@box.local:pid-42"


def test_an_unknown_process_is_left_out() -> None:
    assert agent_hint("x", "box", None) == "ai:x@box"


def test_runs_of_other_characters_become_one_dash() -> None:
    assert agent_hint("Claude  Code (β)!", "my--host", 1) == "ai:Claude-Code@my-host:pid-1"


def test_a_client_without_a_usable_name_still_has_a_hint() -> None:
    assert agent_hint("///", "", None) == "ai:client@host"


def test_a_hint_fits_into_an_agent_id() -> None:
    assert len(agent_hint("c" * 10_000, "h" * 10_000, 4_194_304)) <= 128
