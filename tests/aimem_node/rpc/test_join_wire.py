"""The words of joining survive the way, and anything else is refused and nothing worse."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.handshake import Begin, Begun, Prove, Proved, Stage, Word
from aimem_node.rpc.join_wire import (
    begin_bytes,
    begin_from,
    begun_bytes,
    begun_from,
    poll_bytes,
    poll_from,
    prove_bytes,
    prove_from,
    proved_bytes,
    proved_from,
    word_bytes,
    word_from,
)
from tests.aimem_node.replica.joining_stage import FakeSeat

TEXTS = st.text(max_size=256)
BYTES = st.binary(max_size=1024)
READERS: list[Callable[[bytes], Any]] = [
    begin_from, begun_from, prove_from, proved_from, poll_from, word_from,
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)
NAMES = st.sampled_from(
    ["protocol", "invite_id", "certificate", "nonce", "name", "address", "session", "cluster_id",
     "signature", "mac", "word", "stage", "said", "epochs"]
)  # fmt: skip


@given(TEXTS, BYTES, TEXTS, TEXTS, BYTES, st.integers())
def test_what_the_joining_machine_says_arrives(
    invite_id: str, nonce: bytes, name: str, address: str, mac: bytes, protocol: int
) -> None:
    begin = Begin(invite_id, b"PEM", nonce, name, address, protocol)
    assert begin_from(begin_bytes(begin)) == begin
    prove = Prove(name, nonce, mac)
    assert prove_from(prove_bytes(prove)) == prove
    assert poll_from(poll_bytes(name)) == name


@given(TEXTS, BYTES, TEXTS)
def test_what_the_sponsor_says_arrives(session: str, nonce: bytes, cluster_id: str) -> None:
    begun = Begun(session, nonce, cluster_id)
    assert begun_from(begun_bytes(begun)) == begun
    proved = Proved(nonce, b"", Word(Stage.DECIDING, session))
    assert proved_from(proved_bytes(proved)) == proved


def test_every_epoch_arrives_with_its_proof_and_its_certificates(tmp_path: Path) -> None:
    seat = FakeSeat(tmp_path, "lab-1")
    seat.decided(seat.config.with_learner("f" * 32, "e" * 64, "lab-2", "192.0.2.7:1"), ())
    word = Word(Stage.ADMITTED, "admitted", tuple(seat.history), tuple(seat.proofs))
    assert word_from(word_bytes(word)) == word
    assert word_from(word_bytes(word)).history[0].certificate_of(seat.identity.fingerprint)


def must_be_refused(read: Callable[[bytes], Any], body: bytes) -> None:
    with pytest.raises(Failure) as caught:
        read(body)
    assert caught.value.code is Code.INVALID_ARGUMENT


@pytest.mark.parametrize("read", READERS)
@given(body=st.binary(max_size=100))
def test_noise_is_refused(read: Callable[[bytes], Any], body: bytes) -> None:
    must_be_refused(read, body)


@pytest.mark.parametrize("read", [r for r in READERS if r is not poll_from])
@given(facts=st.dictionaries(NAMES, JSON, max_size=6))
def test_objects_with_odd_values_are_refused(
    read: Callable[[bytes], Any], facts: dict[str, Any]
) -> None:
    try:
        read(json.dumps(facts).encode())
    except Failure as failure:
        assert failure.code is Code.INVALID_ARGUMENT  # noqa: PT017 - some are right by chance


def test_what_is_too_long_is_refused() -> None:
    must_be_refused(poll_from, poll_bytes("x" * 257))
    must_be_refused(prove_from, prove_bytes(Prove("s", b"x" * 1025, b"")))
    must_be_refused(begin_from, begin_bytes(Begin("", b"x" * 20_000, b"", "", "")))
    must_be_refused(poll_from, b"[" * 100_000)


def test_half_a_character_is_refused() -> None:
    must_be_refused(poll_from, b'{"session": "\\ud800"}')


@pytest.mark.parametrize("epochs", [None, [1], [["x", "y"]], [["e30=", "W10="]], [["e30="]]])
def test_a_history_that_cannot_be_read_is_refused(epochs: Any) -> None:
    facts = {"stage": "admitted", "said": "", "epochs": epochs}
    must_be_refused(word_from, json.dumps(facts).encode())
