"""Who knocks is remembered for a quarter of an hour, and not too many of them."""

from pathlib import Path

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.identity import Certificate, Identity
from aimem_node.replica.knocks import (
    KNOCK_LASTS_US,
    KNOCKS_MAX,
    KNOCKS_PER_SOURCE_MAX,
    Knock,
    Knocks,
)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> list[Certificate]:
    tmp = tmp_path_factory.mktemp("keys")

    def one(number: int) -> Certificate:
        return Identity.load_or_create(str(Path(tmp) / str(number)), SystemChance()).certificate

    return [one(number) for number in range(KNOCKS_MAX + 1)]


def knock(knocks: Knocks, certificate: Certificate, source: str = "ipv4:a", at: int = 0) -> None:
    knocks.add(certificate, "lab-2", "192.0.2.7:7946", source, 5, at)


def test_it_is_found_by_the_beginning_of_its_fingerprint(certificates: list[Certificate]) -> None:
    knocks = Knocks()
    knock(knocks, certificates[0])
    knock(knocks, certificates[1])
    wanted = certificates[1].fingerprint
    assert knocks.find(wanted[:8], 0).certificate == certificates[1]
    assert knocks.find(wanted, 0).name == "lab-2"
    (first, second) = knocks.shown(0)
    assert (second.fingerprint, second.address, second.at) == (wanted, "192.0.2.7:7946", 5)
    assert first.fingerprint == certificates[0].fingerprint
    knocks.drop(wanted)
    knocks.drop(wanted)
    assert len(knocks.shown(0)) == 1


def test_too_little_of_a_fingerprint_approves_nobody(certificates: list[Certificate]) -> None:
    knocks = Knocks()
    knock(knocks, certificates[0])
    with pytest.raises(Failure, match="too short") as caught:
        knocks.find(certificates[0].fingerprint[:7], 0)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_beginning_that_fits_two_approves_neither(certificates: list[Certificate]) -> None:
    knocks = Knocks()
    for name in ("12345678aa", "12345678bb"):
        knocks._all[name] = Knock(certificates[0], "", "", "", 0, KNOCK_LASTS_US)
    with pytest.raises(Failure) as caught:
        knocks.find("12345678", 0)
    assert caught.value.code is Code.AMBIGUOUS


def test_it_is_forgotten_after_a_quarter_of_an_hour_however_often_it_knocks(
    certificates: list[Certificate],
) -> None:
    knocks = Knocks()
    knock(knocks, certificates[0])
    knock(knocks, certificates[0], at=KNOCK_LASTS_US - 1)
    with pytest.raises(Failure, match="waits here") as caught:
        knocks.find(certificates[0].fingerprint, KNOCK_LASTS_US)
    assert caught.value.code is Code.NOT_FOUND


def test_few_from_one_place_and_not_many_in_all(certificates: list[Certificate]) -> None:
    knocks = Knocks()
    for number, certificate in enumerate(certificates[:KNOCKS_MAX]):
        knock(knocks, certificate, f"ipv4:{number // KNOCKS_PER_SOURCE_MAX}")
    with pytest.raises(Failure) as caught:
        knock(knocks, certificates[KNOCKS_MAX], "ipv4:else")
    assert caught.value.code is Code.LIMITED
    knocks.drop(certificates[0].fingerprint)
    with pytest.raises(Failure):
        knock(knocks, certificates[KNOCKS_MAX], "ipv4:1")
    knock(knocks, certificates[KNOCKS_MAX], "ipv4:else")
