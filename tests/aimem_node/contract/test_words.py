"""One name, spelled for each surface."""

import pytest

from aimem_node.contract import words


def test_names_follow_their_rpc() -> None:
    assert words.snake("GetTaxonomy") == "get_taxonomy"
    assert words.kebab("SessionStart") == "session-start"
    assert words.kebab("ttl_secs") == "ttl-secs"


def test_an_enum_value_must_carry_its_enum_in_front() -> None:
    assert words.member("OnConflict", "ON_CONFLICT_NEW") == "NEW"
    with pytest.raises(ValueError, match="ON_CONFLICT_"):
        words.member("OnConflict", "NEW")


def test_nested_messages_are_flat_in_python() -> None:
    assert words.python_class("aimem.v1.ExportRecord.Header") == "ExportRecordHeader"


def test_a_first_sentence_ends_at_its_full_stop() -> None:
    assert words.sentence("One thing. Another.") == "One thing."
    assert words.sentence("As in a.b") == "As in a.b"
