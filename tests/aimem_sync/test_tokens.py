"""A token says what was seen, and never grows less."""

from __future__ import annotations

import pytest

from aimem_sync.cursor import Cursor, Range
from aimem_sync.faults import OpFault
from aimem_sync.tokens import TOKEN_CHARS_MAX, Token, Verdict, judge
from tests.aimem_sync.cluster import AT_A, AT_B, A

NEW = f"{8:016x}"


def test_a_token_survives_the_journey() -> None:
    token = Token("team", 3, Cursor({AT_A: 5, AT_B: 7}))
    assert Token.decode(token.encode()) == token
    assert Token.decode(Token("team").encode()) == Token("team")


@pytest.mark.parametrize(
    "text",
    ["", "team", "team/1", "/1/", "team/x/", "team/-1/", "team/01/", "team/1/nonsense",
     "team/²/", f"team/{1 << 60}/", "t" * (TOKEN_CHARS_MAX + 1)],
)  # fmt: skip
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(OpFault):
        Token.decode(text)


def test_two_tokens_of_one_cluster_are_merged_and_of_two_are_not() -> None:
    merged = Token("t", 1, Cursor({AT_A: 5})).merge(Token("t", 2, Cursor({AT_A: 3, AT_B: 1})))
    assert merged == Token("t", 2, Cursor({AT_A: 5, AT_B: 1}))
    with pytest.raises(OpFault):
        merged.merge(Token("u"))


def test_a_read_is_served_from_a_node_that_has_as_much() -> None:
    after = Cursor({AT_A: 2})
    assert judge(after, Cursor({AT_A: 2}), {}, []) == (Verdict.SERVE, ())
    missing = (Range(AT_A, 2, 2),)
    assert judge(after, Cursor({AT_A: 1}), {}, [Cursor({AT_A: 2})]) == (Verdict.WAIT, missing)


def test_only_a_dead_origin_that_nobody_holds_is_called_lost() -> None:
    after, have, dead = Cursor({AT_A: 2}), Cursor({AT_A: 1}), {A: NEW}
    assert judge(after, have, dead, [Cursor({AT_A: 1})])[0] is Verdict.LOST
    assert judge(after, have, dead, [Cursor({AT_A: 2})])[0] is Verdict.WAIT
    assert judge(after, have, dead, [Cursor(), None])[0] is Verdict.WAIT
    assert judge(after, have, {A: AT_A.incarnation}, [Cursor()])[0] is Verdict.WAIT
