"""A random string is told from names, digests, ids, paths and encoded text."""

import base64
import random
import string
import uuid

import pytest

from aimem_node.operations.entropy import (
    CHARS_MAX,
    entropy_bits,
    is_encoded_text,
    is_random,
    random_spans,
    share_of_words,
)
from tests.aimem_node.operations.secret_fakes import B62, B64U, HEX, drawn

DIGEST = drawn(64, HEX)
HARMLESS = {
    "uuid": str(uuid.UUID(int=0x550E8400E29B41D4A716446655440000)),
    "uuid in a name": "user_550e8400-e29b-41d4-a716-446655440000_backup",
    "git hash": drawn(40, HEX),
    "sha256": DIGEST,
    "upper hex": DIGEST.upper(),
    "named digest": f"sha256:{DIGEST}",
    "ssh fingerprint": "SHA256:" + drawn(43),
    "integrity": "sha512-" + drawn(86) + "==",
    "go sum": "h1:" + drawn(43) + "=",
    "image": f"registry.example/aimem@sha256:{DIGEST}",
    "op id": f"{drawn(32, HEX)}.{drawn(16, HEX)}:1234567",
    "record of a kind": "subscription:550e8400-e29b-41d4-a716-446655440000",
    "sealed": "sealed-v1:" + drawn(160, B64U),
    "base64 of text": base64.b64encode(b"Hello world, this is only a test of it.").decode(),
    "base64 of json": base64.b64encode(b'{"sub":"ann","iat":1516239022,"x":[1,2]}').decode(),
    "path": "/srv/Projects/MyApp2/src/components/UserProfile3/index",
    "relative path": "../aimem_node/operations/V1Handlers2/TheSecondVersionOfIt",
    "path with noise": "/var/lib/aK29fjA0sk3jfAlK39fjsdkKxcm1/state",
    "windows path": "C:/Program2/JohnDoe2/AppData/Local/Temp2/Q1Report",
    "camel": "thisIsAVeryLongIdentifierWithVersion2AndMore",
    "class": "PKCS7PrivateKeyTypesForX509CertificatesV3",
    "snake": "test_that_the_2nd_write_of_a_node_is_kept_v2",
    "url": "https://docs.example/d/" + drawn(44, B64U) + "/edit#gid=0",
    "address with a query": "https://x.example/a?id=" + drawn(30) + "&page=" + drawn(26),
    "long number": "3" * 20 + "14159265358979323846264338327950288",
    "date": "backup-2024-05-01T12-30-00Z-of-node-lab2-weekly",
    "ssh public key": "ssh-ed25519 AAAAC3" + "NzaC1lZDI1NTE5" + drawn(48),
    "rule": "-" * 60 + "=" * 60,
    "certificate": "-----BEGIN CERTIFICATE-----\n" + drawn(64) + "\n-----END CERTIFICATE-----",
    "picture": "data:image/png;base64," + drawn(300, B62 + "+/"),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_only_looks_odd_is_passed_over(what: str) -> None:
    for text in (HARMLESS[what], f"see {HARMLESS[what]}, please", f'"{HARMLESS[what]}"'):
        assert list(random_spans(text)) == []


@pytest.mark.parametrize(("alphabet", "count"), [(B62, 32), (B64U, 43), (B62 + "+/", 40)])
def test_nearly_every_random_string_is_found(alphabet: str, count: int) -> None:
    found = sum(
        bool(list(random_spans(f"is {drawn(count, alphabet, seed)} here"))) for seed in range(300)
    )
    assert found >= 0.93 * 300


def test_most_random_strings_of_lower_case_and_digits_are_found() -> None:
    letters = string.ascii_lowercase + string.digits
    assert sum(is_random(drawn(40, letters, seed)) for seed in range(300)) >= 0.8 * 300


def test_only_the_string_is_found_without_its_name_and_punctuation() -> None:
    key = drawn(40)
    for before, after in (
        ("x=", ""),
        ("(", ")."),
        ("", "-"),
        ("", "/"),
        ("_", "\n"),
        ("a b='", "'"),
    ):
        text = before + key + after
        assert [text[slice(*span)] for span in random_spans(text)] == [key]


def test_a_blob_is_no_key() -> None:
    assert not is_random(drawn(CHARS_MAX + 1))


def test_the_spans_are_in_order_and_apart_whatever_the_text() -> None:
    chance = random.Random(3)
    pieces = [*HARMLESS.values(), drawn(40), drawn(43, B64U), " ", "\n", "=", "://", "-----BEGIN A"]
    for _ in range(200):
        text = "".join(chance.choice(pieces) for _ in range(12))
        ends = [0, *(edge for span in random_spans(text) for edge in span), len(text)]
        assert ends == sorted(ends)


def test_a_secret_after_an_address_or_a_public_key_is_still_found() -> None:
    key = drawn(40)
    for before in (
        "https://example.com/a ",
        HARMLESS["certificate"] + "\n",
        HARMLESS["url"] + "\n",
    ):
        assert [s for s, _ in random_spans(before + key)] == [len(before)]


def test_entropy_is_in_bits_for_each_character() -> None:
    assert entropy_bits("") == 0
    assert entropy_bits("aaaa") == 0
    assert entropy_bits("abcd") == 2


def test_encoded_text_is_read_in_both_alphabets_and_cut_anywhere() -> None:
    text = "Grüße aus Köln, das ist ein Test? ja~ja~ja".encode()
    for said in (base64.b64encode(text).decode(), base64.urlsafe_b64encode(text).decode()):
        for end in range(24, len(said)):
            assert is_encoded_text(said[:end]), end
    assert not is_encoded_text(drawn(44))
    assert not is_encoded_text("=")


def test_words_are_what_names_consist_of() -> None:
    assert share_of_words("theQuickBrownDogs") == 1
    assert share_of_words("aB3dE6") == 0
