"""Questions for vectors between members: their bytes, and what the store here answers.

A vector says much of its text, so it is given to nobody who may not hold the text. Nothing here
takes numbers apart: whether a body is a vector of the right kind is for who asked to find out.
"""

from collections.abc import Callable

from aimem_node.replica.granting import Grants
from aimem_node.replica.vectors import (
    ASKED_MAX,
    FINGERPRINT_BYTES,
    GivenVector,
    VectorAnswer,
    VectorAsk,
    VectorText,
)
from aimem_node.rpc import peer_words as words
from aimem_node.rpc.peer_words import bounded, read_wire, wire_class
from aimem_node.store.view import View
from aimem_sync.faults import OpFault

BODY_BYTES_MAX = 16_384
"""Of one vector: 8,192 numbers, more than any model of sentences gives."""


def ask_bytes(ask: VectorAsk) -> bytes:
    """What ask_from reads."""
    made = wire_class("VectorAsk")(fingerprint=bytes.fromhex(ask.fingerprint))
    for one in ask.texts:
        made.texts.add(record_id=one.record_id, mark=one.mark)
    return bytes(made.SerializeToString())


def ask_from(body: bytes) -> VectorAsk:
    """Raises OpFault, as all of these do."""
    found = read_wire("VectorAsk", body)
    if len(found.fingerprint) != FINGERPRINT_BYTES:
        raise OpFault(f"a model's fingerprint of {len(found.fingerprint)} bytes")
    texts = bounded(found.texts, ASKED_MAX)
    return VectorAsk(
        found.fingerprint.hex(),
        tuple(VectorText(words.text(one.record_id), one.mark) for one in texts),
    )


def answer_bytes(answer: VectorAnswer) -> bytes:
    """What answer_from reads."""
    made = wire_class("VectorAnswer")(same_model=answer.same_model)
    for one in answer.vectors:
        made.vectors.add(record_id=one.record_id, mark=one.mark, body=one.body)
    return bytes(made.SerializeToString())


def answer_from(body: bytes) -> VectorAnswer:
    """The answer to it."""
    found = read_wire("VectorAnswer", body)
    given = []
    for one in bounded(found.vectors, ASKED_MAX):
        if len(one.body) > BODY_BYTES_MAX:
            raise OpFault(f"a vector of {len(one.body)} bytes")
        given.append(GivenVector(words.text(one.record_id), one.mark, one.body))
    return VectorAnswer(found.same_model, tuple(given))


def answered(grants: Grants | None, node_id: str) -> Callable[[View, VectorAsk], VectorAnswer]:
    """What answers a member from the store, as far as it may hold the texts."""

    def answer(view: View, ask: VectorAsk) -> VectorAnswer:
        if all(space.fingerprint != ask.fingerprint for space in view.spaces()):
            return VectorAnswer(same_model=False)
        texts = [(one.record_id, one.mark) for one in ask.texts]
        if grants is not None and grants.is_any(view):
            texts = [one for one in texts if _may_hold(view, grants, one[0], node_id)]
        given = view.vector_bodies(ask.fingerprint, texts)
        return VectorAnswer(same_model=True, vectors=tuple(GivenVector(*one) for one in given))

    return answer


def _may_hold(view: View, grants: Grants, record_id: str, node_id: str) -> bool:
    holders = grants.holders(view, record_id)
    return holders is None or node_id in holders
