"""What of a memory is embedded: its content, and its title only where that says more."""

import pytest

from aimem_node.embedding.text import passage_text


def test_the_title_comes_before_the_content_on_a_line_of_its_own() -> None:
    assert passage_text("Deploys", "We ship on Tuesdays.") == "Deploys\nWe ship on Tuesdays."


@pytest.mark.parametrize(
    "title",
    [
        "We ship",
        "we SHIP",
        "  We ship  ",
        "We ship.",
        "We ship…",
        "We ship...",
        "We ship on Mondays",
    ],
)
def test_a_title_that_the_content_begins_with_is_not_said_twice(title: str) -> None:
    assert passage_text(title, "We ship on Mondays") == "We ship on Mondays"


def test_spaces_before_the_content_hide_no_title() -> None:
    assert passage_text("Deploys", "\n  deploys are on Tuesdays") == "\n  deploys are on Tuesdays"


def test_capitals_are_compared_as_their_languages_have_them() -> None:
    assert passage_text("STRASSE", "Straße gesperrt") == "Straße gesperrt"


def test_a_title_that_stands_further_on_in_the_content_is_kept() -> None:
    assert passage_text("Deploys", "All deploys are on Tuesdays") == (
        "Deploys\nAll deploys are on Tuesdays"
    )


@pytest.mark.parametrize("title", ["", "  ", "...", "…"])
def test_a_title_that_says_nothing_adds_nothing(title: str) -> None:
    assert passage_text(title, "We ship on Tuesdays.") == "We ship on Tuesdays."


def test_a_memory_of_a_title_alone_is_embedded_by_it() -> None:
    assert passage_text("Deploys", "").strip() == "Deploys"


def test_the_text_is_handed_on_as_it_was_written() -> None:
    assert passage_text(" Wichtig! ", "Über\tuns  ") == " Wichtig! \nÜber\tuns  "
