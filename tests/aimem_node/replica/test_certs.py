"""Members' certificates, there and back."""

import ssl
from hashlib import sha256
from pathlib import Path

import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.certs import certificate_from, der_of
from aimem_node.replica.identity import Identity


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity.load_or_create(str(tmp_path / "n"), SystemChance())


def test_a_fingerprint_is_the_hash_of_what_the_list_of_members_keeps(identity: Identity) -> None:
    assert sha256(der_of(identity.cert_pem)).hexdigest() == identity.fingerprint


def test_a_kept_certificate_checks_what_its_node_has_signed(identity: Identity) -> None:
    kept = certificate_from(der_of(identity.cert_pem))
    assert kept.fingerprint == identity.fingerprint
    assert kept.verifies(identity.sign(b"words"), b"words")
    assert not kept.verifies(identity.sign(b"words"), b"other words")


def test_a_certificate_is_read_once(identity: Identity) -> None:
    der = der_of(identity.cert_pem)
    assert certificate_from(der) is certificate_from(bytes(der))


@pytest.mark.parametrize("der", [b"", b"no certificate", b"\x30\x03\x02\x01\x01"])
def test_what_is_no_certificate_is_refused(der: bytes) -> None:
    with pytest.raises(Failure) as refused:
        certificate_from(der)
    assert refused.value.code is Code.INVALID_ARGUMENT


def test_a_damaged_certificate_is_refused(identity: Identity) -> None:
    der = der_of(identity.cert_pem)
    with pytest.raises(Failure):
        certificate_from(der[:-40])
    assert ssl.DER_cert_to_PEM_cert(der).encode() == identity.cert_pem
