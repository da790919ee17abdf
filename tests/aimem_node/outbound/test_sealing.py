"""A sealed secret opens with one key, in one place, and only as it was sealed."""

import base64
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.operations.secrets import screen
from aimem_node.outbound.sealing import (
    PREFIX,
    SEALED_CHARS_MAX,
    private_key_of,
    public_key_of,
    seal,
    unseal,
)
from aimem_node.replica.identity import Identity

SECRET = b"correct horse battery staple"
SUBSCRIPTION = "0d1f6a3e-0000-4000-8000-000000000001"
A, B = "a" * 32, "b" * 32
KEY_A, KEY_B = (ec.derive_private_key(number, ec.SECP256R1()) for number in (1234567, 7654321))
KEYS = {A: KEY_A.public_key(), B: KEY_B.public_key()}
SEALED = seal(SECRET, KEYS, SUBSCRIPTION)


def refusal(
    sealed: str, key: ec.EllipticCurvePrivateKey = KEY_A, place: str = SUBSCRIPTION, node: str = A
) -> str:
    with pytest.raises(Failure) as caught:
        unseal(sealed, key, place, node)
    assert caught.value.code is Code.CORRUPT
    assert SECRET.decode() not in str(caught.value)
    return caught.value.message


def test_each_member_opens_it_with_the_key_it_has() -> None:
    assert SEALED.keys() == KEYS.keys()
    assert unseal(SEALED[A], KEY_A, SUBSCRIPTION, A) == SECRET
    assert unseal(SEALED[B], KEY_B, SUBSCRIPTION, B) == SECRET


def test_the_key_of_a_real_node_opens_what_was_sealed_to_its_certificate(tmp_path: Path) -> None:
    identity = Identity.load_or_create(str(tmp_path), SystemChance())
    keys = {identity.node_id: public_key_of(identity.cert_pem)}
    sealed = seal(SECRET, keys, SUBSCRIPTION)[identity.node_id]
    key = private_key_of(identity.key_pem)
    assert unseal(sealed, key, SUBSCRIPTION, identity.node_id) == SECRET


def test_no_other_key_opens_it() -> None:
    assert "another key" in refusal(SEALED[A], KEY_B)
    assert "another key" in refusal(SEALED[B])


def test_it_opens_in_no_other_place() -> None:
    assert "place" in refusal(SEALED[A], place=SUBSCRIPTION[:-1] + "2")
    assert "place" in refusal(SEALED[A], node=B)
    assert "place" in refusal(SEALED[A], place="", node=SUBSCRIPTION + A)
    # Moved to where another node of the same key would look.
    twice = seal(SECRET, {A: KEYS[A], B: KEYS[A]}, SUBSCRIPTION)
    assert "place" in refusal(twice[B], node=A)


def test_the_same_secret_is_never_sealed_to_the_same_text() -> None:
    again = seal(SECRET, KEYS, SUBSCRIPTION)
    assert len({*again.values(), *SEALED.values()}) == 4


def raw_of(sealed: str) -> bytearray:
    said = sealed.removeprefix(PREFIX)
    return bytearray(base64.urlsafe_b64decode(said + "=" * (-len(said) % 4)))


def said(raw: bytes) -> str:
    return PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def test_a_change_of_any_bit_is_noticed() -> None:
    raw = raw_of(SEALED[A])
    assert said(raw) == SEALED[A]
    for bit in range(8 * len(raw)):
        changed = bytearray(raw)
        changed[bit // 8] ^= 1 << bit % 8
        refusal(said(changed))


@pytest.mark.parametrize(
    "text",  # named by number, since what is sealed is another text in every process
    ["", "sealed-v1:", "sealed-v2:" + SEALED[A].removeprefix(PREFIX), SEALED[A][:-1],
     SEALED[A][:90], SEALED[A] + "A", SEALED[A] + "==", SEALED[A] + "\n",
     " " + SEALED[A], PREFIX + "A" * 200,
     SEALED[A].replace("sealed", "SEALED"), PREFIX + "é" * 200, "A" * (SEALED_CHARS_MAX + 1)],
    ids=map(str, range(13)),
)  # fmt: skip
def test_what_is_no_sealed_secret_is_refused(text: str) -> None:
    refusal(text)


def test_only_one_spelling_is_opened() -> None:
    body = SEALED[A].removeprefix(PREFIX)
    assert len(raw_of(SEALED[A])) % 3  # then the last character has bits to spare
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    near = letters[letters.index(body[-1]) ^ 1]
    assert "spelling" in refusal(PREFIX + body[:-1] + near)


@given(st.binary(min_size=1, max_size=300), st.text(max_size=40), st.text(max_size=40))
def test_any_secret_comes_back_for_any_names(secret: bytes, place: str, holder: str) -> None:
    sealed = seal(secret, {holder: KEYS[A]}, place)[holder]
    assert unseal(sealed, KEY_A, place, holder) == secret


def test_the_screen_for_secrets_lets_a_sealed_one_pass() -> None:
    for count in (1, 20, 32, 64, 200):
        sealed = seal(bytes(count), KEYS, SUBSCRIPTION)[A]
        assert screen(f'{{"{A}": "{sealed}"}}') == ()


def test_a_key_of_another_curve_is_a_mistake_of_ours() -> None:
    other = ec.generate_private_key(ec.SECP384R1()).public_key()
    with pytest.raises(AssertionError):
        seal(SECRET, {A: other}, SUBSCRIPTION)
