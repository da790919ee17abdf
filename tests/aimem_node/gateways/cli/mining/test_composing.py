"""Long conversations become parts, and nothing of them is dropped."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.contract import codec, validate
from aimem_node.contract.values import Memory
from aimem_node.gateways.cli.mining import composing
from aimem_node.gateways.cli.mining.composing import Maker, parts_of, split_text
from aimem_node.gateways.cli.mining.found import Found, Message
from aimem_node.operations.lives import LIFE_US

MAKER = Maker(format="claude", namespace="n", tier="mid", who="ann", now_us=1_780_000_000_000_000)
WORDS = st.text("ab \nü€😀", max_size=400)


def said(number: int, size: int = 1_000) -> Message:
    return Message("user", f"{number}:" + "x" * size, number)


def squeezed(text: str) -> str:
    return re.sub(r"\s", "", text)


@given(WORDS, st.integers(4, 90))
def test_a_text_in_pieces_is_the_whole_text(text: str, bytes_max: int) -> None:
    pieces = split_text(text, bytes_max)
    assert all(0 < len(piece.encode()) <= bytes_max for piece in pieces)
    assert squeezed("".join(pieces)) == squeezed(text)


@given(st.lists(WORDS, max_size=12), st.integers(40, 200))
@settings(deadline=None)
def test_parts_hold_every_message_in_order_within_their_bound(texts, bytes_max) -> None:
    before = composing.PART_BYTES_MAX
    composing.PART_BYTES_MAX = bytes_max
    try:
        parts = parts_of(tuple(Message("u", text) for text in texts))
    finally:
        composing.PART_BYTES_MAX = before
    assert all(len(text.encode()) <= bytes_max for text, _ in parts)
    whole = squeezed("".join(text for text, _ in parts)).replace("[u]:", "")
    assert whole == squeezed("".join(texts))


def test_parts_end_where_messages_end() -> None:
    parts = parts_of(tuple(said(n) for n in range(150)))
    assert len(parts) == 3
    for text, _ in parts:
        assert all(re.fullmatch(r"\[user\]: \d+:x{1000}", line) for line in text.split("\n"))
    assert parts[1][1] == int(parts[1][0].split(": ")[1].split(":")[0])


def test_a_conversation_that_grows_keeps_its_parts_but_the_last() -> None:
    short = parts_of(tuple(said(n) for n in range(100)))
    long = parts_of(tuple(said(n) for n in range(101)))
    assert long[: len(short) - 1] == short[:-1]


def test_a_memory_says_where_it_comes_from() -> None:
    found = Found("f.json, index 0", "key", "Title", tuple(said(n) for n in range(70)))
    first, second = MAKER.drafts(found)
    assert first.memory["title"] == "Title"
    assert second.memory["title"] == "Title (part 2)"
    for number, draft in enumerate((first, second), 1):
        memory = draft.memory
        assert memory["source"] == "import"
        assert memory["tags"] == ["mine-claude"]
        assert memory["session"] == "key"
        assert memory["confidence"] == 0.8
        assert memory["metadata"]["mined_from"] == "f.json, index 0"
        assert (memory["metadata"]["part"], memory["metadata"]["parts"]) == (number, 2)
        assert "agent_id" not in memory
        assert "author" not in memory
    assert first.memory["happened_at"] == "1970-01-01T00:00:00Z"


def test_an_id_depends_on_what_it_names_and_not_on_what_it_says() -> None:
    def record_id(maker: Maker = MAKER, key: str = "k", text: str = "t") -> str:
        [draft] = maker.drafts(Found("w", key, "", text=text, is_note=True))
        return draft.memory["id"]

    other = Maker(format="claude", namespace="n", tier="mid", who="bob", now_us=0)
    assert record_id(text="other") == record_id()
    assert len({record_id(), record_id(key="l"), record_id(other)}) == 3


@given(st.text(max_size=900), st.text(max_size=900), st.text(min_size=1, max_size=40))
def test_whatever_is_found_the_contract_takes_the_memory(key, title, text) -> None:
    found = Found(
        "w", key, title, (Message(title, text),), tags=(title[:10],) * bool(title[:10].strip())
    )
    for draft in MAKER.drafts(found):
        validate.check(codec.from_json(Memory, draft.memory))


def test_the_tiers_live_as_long_as_the_node_has_it() -> None:
    assert {
        tier.value: None if life is None else life // 1_000_000 for tier, life in LIFE_US.items()
    } == composing.LIFE_S
