"""Questions for vectors on the wire, and what is out of bounds there."""

import pytest

from aimem_node.replica.vectors import GivenVector, VectorAnswer, VectorAsk, VectorText
from aimem_node.rpc import peer_vectors
from aimem_node.rpc.peer_words import wire_class
from aimem_sync.faults import OpFault

TEXTS = (VectorText("r-1", -(1 << 63)), VectorText("r-2", 7))
GIVEN = (GivenVector("r-1", -(1 << 63), b"\1\2"), GivenVector("r-2", 7, b""))


def test_a_question_and_its_answer_come_out_as_they_went_in() -> None:
    ask = VectorAsk("0f" * 16, TEXTS)
    assert peer_vectors.ask_from(peer_vectors.ask_bytes(ask)) == ask
    for answer in (VectorAnswer(same_model=True, vectors=GIVEN), VectorAnswer(same_model=False)):
        assert peer_vectors.answer_from(peer_vectors.answer_bytes(answer)) == answer


def test_what_is_out_of_bounds_is_a_fault_and_nothing_worse() -> None:
    with pytest.raises(OpFault, match="fingerprint of 15 bytes"):
        peer_vectors.ask_from(peer_vectors.ask_bytes(VectorAsk("0f" * 15, TEXTS)))
    many = VectorAsk("0f" * 16, TEXTS * 200)
    with pytest.raises(OpFault, match="a list of 400"):
        peer_vectors.ask_from(peer_vectors.ask_bytes(many))
    long = wire_class("VectorAnswer")(same_model=True)
    long.vectors.add(record_id="r", body=bytes(peer_vectors.BODY_BYTES_MAX + 1))
    with pytest.raises(OpFault, match="a vector of"):
        peer_vectors.answer_from(long.SerializeToString())
    with pytest.raises(OpFault):
        peer_vectors.ask_from(b"\xff")
