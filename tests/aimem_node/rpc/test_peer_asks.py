"""Who are you, and where do we differ: the words for it, and their bounds."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from aimem_node.rpc import peer_asks as asks
from aimem_node.rpc.peer_asks import ChainAsk, DigestAnswer, DigestAsk, Hello
from aimem_node.rpc.peer_words import wire_class
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Origin
from aimem_sync.faults import OpFault

A = Origin("aa" * 16, "01" * 8)
HELLO = Hello("c1" * 16, A, 4, Cursor({A: 9}), 1_700_000_000_000_000)


def test_a_hello_comes_back() -> None:
    assert asks.hello_from(asks.hello_bytes(HELLO)) == HELLO


def test_versions_that_overlap_understand_one_another() -> None:
    assert asks.understands(HELLO)
    assert asks.understands(replace(HELLO, protocol_max=asks.PROTOCOL + 3))
    assert not asks.understands(
        replace(HELLO, protocol_min=asks.PROTOCOL + 1, protocol_max=asks.PROTOCOL + 3)
    )
    assert not asks.understands(replace(HELLO, protocol_min=0, protocol_max=0))


def test_questions_and_answers_come_back() -> None:
    ask = DigestAsk(asks.LEVEL_HASHES, (0, 255), ("r1",))
    assert asks.digest_ask_from(asks.digest_ask_bytes(ask)) == ask
    answer = DigestAnswer(Cursor({A: 3}), (("0", b"\1" * 32), ("r1", b"")))
    assert asks.digest_answer_from(asks.digest_answer_bytes(answer)) == answer
    chain = ChainAsk(A, (1, 5, 9))
    assert asks.chain_ask_from(asks.chain_ask_bytes(chain)) == chain
    assert asks.chains_from(asks.chains_bytes([b"\1" * 32, b""])) == (b"\1" * 32, b"")


WRONG: list[Callable[[], object]] = [
    lambda: asks.hello_from(b""),
    lambda: asks.hello_from(wire_class("PeerHello")(node_id="ann").SerializeToString()),
    lambda: asks.digest_ask_from(wire_class("DigestAsk")(level=3).SerializeToString()),
    lambda: asks.digest_ask_from(wire_class("DigestAsk")(buckets=[256]).SerializeToString()),
    lambda: asks.chain_ask_from(b""),
    lambda: asks.chains_from(wire_class("ChainAnswer")(chains=[b"x"]).SerializeToString()),
]


@pytest.mark.parametrize("wrong", WRONG)
def test_what_is_out_of_bounds_is_a_fault(wrong: Callable[[], object]) -> None:
    with pytest.raises(OpFault):
        wrong()
