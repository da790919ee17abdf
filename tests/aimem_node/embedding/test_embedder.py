"""What every model has in common: the name of its space, and how it says that it cannot be used."""

from dataclasses import FrozenInstanceError, replace

import pytest

from aimem_node.embedding.embedder import Space, Unavailable

SPACE = Space("f" * 32, "minilm", 384, 256)


def test_a_space_is_a_value_that_nobody_changes() -> None:
    assert replace(SPACE) == SPACE
    assert len({SPACE, replace(SPACE), replace(SPACE, fingerprint="e" * 32)}) == 2
    with pytest.raises(FrozenInstanceError):
        SPACE.dimension = 3  # type: ignore[misc]


def test_what_cannot_be_used_says_why_and_what_to_do() -> None:
    told = Unavailable("the model is missing", "Install it.")
    assert (told.why, told.next, str(told)) == (
        "the model is missing", "Install it.", "the model is missing",
    )  # fmt: skip
    assert Unavailable("it failed").next == ""
