"""What both sides sign covers everything they said, and nothing can be sent back."""

import dataclasses
from pathlib import Path

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.replica.handshake import (
    Begin,
    Begun,
    is_mac_of,
    joiner_words,
    mac_of,
    sponsor_words,
    transcript,
)
from aimem_node.replica.identity import Identity


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Identity, Identity]:
    tmp: Path = tmp_path_factory.mktemp("keys")
    one, two = (Identity.load_or_create(str(tmp / name), SystemChance()) for name in "ab")
    return one, two


def agreed(keys: tuple[Identity, Identity], **changes: object) -> bytes:
    joiner, sponsor = keys
    begin = Begin("01" * 8, joiner.cert_pem, b"n" * 16, "lab", "192.0.2.7:1")
    begun = Begun("session", b"m" * 16, "cluster")
    of_begin = {f.name for f in dataclasses.fields(Begin)}
    begin = dataclasses.replace(begin, **{k: v for k, v in changes.items() if k in of_begin})
    begun = dataclasses.replace(
        begun, **{k.removeprefix("s_"): v for k, v in changes.items() if k not in of_begin}
    )
    return transcript(begin, begun, sponsor.certificate)


@pytest.mark.parametrize(
    "change",
    [
        {"protocol": 2},
        {"invite_id": "02" * 8},
        {"nonce": b"N" * 16},
        {"name": "lab2"},
        {"address": "192.0.2.7:2"},
        {"s_session": "other"},
        {"s_nonce": b"M" * 16},
        {"s_cluster_id": "other"},
        {"name": "lab1", "address": "92.0.2.7:1"},
    ],
)
def test_every_part_is_in_what_is_signed(
    keys: tuple[Identity, Identity], change: dict[str, object]
) -> None:
    assert agreed(keys, **change) != agreed(keys)


def test_both_certificates_are_in_what_is_signed(keys: tuple[Identity, Identity]) -> None:
    joiner, sponsor = keys
    assert agreed((sponsor, joiner)) != agreed((joiner, sponsor))
    assert agreed((sponsor, sponsor)) != agreed((joiner, sponsor))
    assert agreed((joiner, joiner)) != agreed((joiner, sponsor))


def test_no_part_can_be_moved_into_its_neighbour(keys: tuple[Identity, Identity]) -> None:
    assert agreed(keys, name="lab1", address="92.0.2.7:1") != agreed(
        keys, name="lab", address="192.0.2.7:1"
    )


def test_what_one_side_says_is_no_answer_of_the_other(keys: tuple[Identity, Identity]) -> None:
    assert joiner_words(agreed(keys)) != sponsor_words(agreed(keys))


def test_a_mac_needs_the_secret_the_invitation_and_the_words() -> None:
    mac = mac_of(b"s" * 16, "01", b"words")
    assert is_mac_of(mac, b"s" * 16, "01", b"words")
    assert not is_mac_of(mac, b"t" * 16, "01", b"words")
    assert not is_mac_of(mac, b"s" * 16, "02", b"words")
    assert not is_mac_of(mac, b"s" * 16, "01", b"word")
    assert not is_mac_of(b"", b"s" * 16, "01", b"words")
