"""A node's key and certificate: made once, damaged never unnoticed, fit to be pinned."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica import identity as identities
from aimem_node.replica.identity import (
    NOT_AFTER,
    NOT_BEFORE,
    Certificate,
    Identity,
    is_node_id,
    make_certificate,
    verify,
)


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity.load_or_create(str(tmp_path), SystemChance())


def forged(change: Callable[[x509.CertificateBuilder], x509.CertificateBuilder]) -> bytes:
    """A self-signed certificate with its extensions replaced by what change adds."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )
    made = change(builder).sign(key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM)


def usage(**changes: bool) -> x509.KeyUsage:
    words = dict.fromkeys(
        [
            "digital_signature",
            "content_commitment",
            "key_encipherment",
            "data_encipherment",
            "key_agreement",
            "key_cert_sign",
            "crl_sign",
            "encipher_only",
            "decipher_only",
        ],
        False,
    )
    return x509.KeyUsage(**(words | {"digital_signature": True} | changes))


def with_all(
    key_usage: x509.KeyUsage | None, *, ca: bool = False, name: str = "aimem"
) -> Callable[[x509.CertificateBuilder], x509.CertificateBuilder]:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()

    def change(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
        builder = builder.add_extension(x509.BasicConstraints(ca, None), critical=True)
        if key_usage is not None:
            builder = builder.add_extension(key_usage, critical=True)
        for extension in (
            x509.SubjectAlternativeName([x509.DNSName(name)]),
            x509.SubjectKeyIdentifier.from_public_key(key),
            x509.AuthorityKeyIdentifier.from_issuer_public_key(key),
        ):
            builder = builder.add_extension(extension, critical=False)
        return builder

    return change


def test_an_identity_stays_the_same_once_it_is_made(tmp_path: Path) -> None:
    first = Identity.load_or_create(str(tmp_path), SystemChance())
    second = Identity.load_or_create(str(tmp_path), SystemChance())
    assert first == second
    assert len(first.node_id) == 32
    assert int(first.node_id, 16) >= 0
    assert len(first.fingerprint) == 64


def test_two_nodes_are_never_the_same(tmp_path: Path) -> None:
    one = Identity.load_or_create(str(tmp_path / "a"), SystemChance())
    other = Identity.load_or_create(str(tmp_path / "b"), SystemChance())
    assert one.node_id != other.node_id
    assert one.fingerprint != other.fingerprint


def test_the_certificate_keeps_the_rules_of_pinning(identity: Identity) -> None:
    cert = x509.load_pem_x509_certificate(identity.cert_pem)
    found = cert.extensions
    assert found.get_extension_for_class(x509.KeyUsage).value == usage()
    assert found.get_extension_for_class(x509.KeyUsage).critical
    assert not found.get_extension_for_class(x509.BasicConstraints).value.ca
    names = found.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["aimem"]
    assert found.get_extension_for_class(x509.SubjectKeyIdentifier)
    assert found.get_extension_for_class(x509.AuthorityKeyIdentifier)
    assert cert.not_valid_before_utc.year == 2020
    assert cert.not_valid_after_utc.year >= 2046
    assert identity.node_id == identity.certificate.common_name
    assert Certificate.parse(identity.cert_pem) == identity.certificate


def test_what_the_key_signs_the_certificate_verifies_and_nothing_else(
    identity: Identity, tmp_path: Path
) -> None:
    other = Identity.load_or_create(str(tmp_path / "other"), SystemChance())
    signature = identity.sign(b"an op")
    assert verify(identity.cert_pem, signature, b"an op")
    assert not verify(identity.cert_pem, signature, b"another op")
    assert not verify(other.cert_pem, signature, b"an op")
    assert not verify(identity.cert_pem, b"no signature", b"an op")


def test_only_the_owner_can_read_the_key(identity: Identity, tmp_path: Path) -> None:
    home = tmp_path / "identity"
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert stat.S_IMODE((home / "node.key").stat().st_mode) == 0o600
    assert "PRIVATE" not in repr(identity)


def test_a_key_that_others_can_read_is_refused_with_the_remedy(
    identity: Identity, tmp_path: Path
) -> None:
    os.chmod(tmp_path / "identity" / "node.key", 0o640)
    with pytest.raises(Failure) as caught:
        Identity.load_or_create(str(tmp_path), SystemChance())
    assert caught.value.code is Code.PERMISSION_DENIED
    assert caught.value.next.startswith("Run: chmod 600 ")


@pytest.mark.parametrize("file", ["node.key", "node.crt"])
@pytest.mark.parametrize("content", [b"", b"not PEM", None])
def test_damaged_files_are_reported_and_never_replaced(
    identity: Identity, tmp_path: Path, file: str, content: bytes | None
) -> None:
    path = tmp_path / "identity" / file
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    with pytest.raises(Failure, match="cannot be used") as caught:
        Identity.load_or_create(str(tmp_path), SystemChance())
    assert caught.value.code is Code.CORRUPT
    assert not path.exists() if content is None else path.read_bytes() == content


def test_a_key_and_certificate_of_different_nodes_are_refused(
    identity: Identity, tmp_path: Path
) -> None:
    other = Identity.load_or_create(str(tmp_path / "other"), SystemChance())
    (tmp_path / "identity" / "node.crt").write_bytes(other.cert_pem)
    with pytest.raises(Failure, match="do not belong together"):
        Identity.load_or_create(str(tmp_path), SystemChance())


def test_a_directory_that_cannot_be_written_fails_as_storage(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Failure) as caught:
        Identity.load_or_create(str(tmp_path / "file"), SystemChance())
    assert caught.value.code is Code.STORAGE


def test_a_crash_while_making_it_leaves_nothing_half_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(identities, "sync_directory", broken)
        with pytest.raises(Failure, match="No space left"):
            Identity.load_or_create(str(tmp_path), SystemChance())
    assert list(tmp_path.iterdir()) == []
    assert Identity.load_or_create(str(tmp_path), SystemChance()).node_id


def test_when_two_make_it_at_once_both_take_the_one_that_was_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = identities._create

    def beaten(home: str, chance: SystemChance) -> None:
        make(home, chance)
        make(home, chance)

    monkeypatch.setattr(identities, "_create", beaten)
    loser = Identity.load_or_create(str(tmp_path), SystemChance())
    assert loser == Identity.load_or_create(str(tmp_path), SystemChance())
    assert [path.name for path in tmp_path.iterdir()] == ["identity"]


@pytest.mark.parametrize(
    ("pem", "why"),
    [
        (b"junk", "is not a PEM certificate"),
        (b"", "is not a PEM certificate"),
        (b"x" * 20_000, "is larger than"),
        (forged(with_all(None)), "lacks the extension keyUsage"),
        (forged(with_all(usage(key_cert_sign=True))), "other than digitalSignature alone"),
        (forged(with_all(usage(key_encipherment=True))), "other than digitalSignature alone"),
        (forged(with_all(usage(digital_signature=False))), "other than digitalSignature alone"),
        (forged(with_all(usage(), ca=True)), "may sign other certificates"),
        (forged(with_all(usage(), name="else")), "does not carry the name"),
        (forged(lambda builder: builder), "lacks the extension"),
    ],
)
def test_a_certificate_that_breaks_a_rule_may_not_be_pinned(pem: bytes, why: str) -> None:
    with pytest.raises(Failure, match=why) as caught:
        Certificate.parse(pem)
    assert caught.value.code is Code.INVALID_ARGUMENT


def test_a_certificate_signed_by_another_key_may_not_be_pinned(identity: Identity) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(identity.cert_pem)
    signer = serialization.load_pem_private_key(identity.key_pem, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    own = x509.load_pem_x509_certificate(make_certificate(key, "child", 2))
    builder = (
        x509.CertificateBuilder()
        .subject_name(own.subject)
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(2)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )
    for extension in own.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    child = builder.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    with pytest.raises(Failure, match="not signed by its own key"):
        Certificate.parse(child)


def test_a_chain_of_two_certificates_may_not_be_pinned(identity: Identity) -> None:
    with pytest.raises(Failure, match="2 certificates"):
        Certificate.parse(identity.cert_pem * 2)


def test_a_key_that_grpc_refuses_in_tls_may_not_be_pinned() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "x")])
    cert = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .sign(key, None)
    )
    with pytest.raises(Failure, match="ECDSA P-256"):
        Certificate.parse(cert.public_bytes(serialization.Encoding.PEM))


def test_a_next_key_names_the_same_node_and_changes_nothing_yet(
    identity: Identity, tmp_path: Path
) -> None:
    home = str(tmp_path)
    assert Identity.load_next(home) is None
    following = identity.make_next(home, SystemChance())
    assert following.node_id == identity.node_id
    assert following.fingerprint != identity.fingerprint
    assert identity.make_next(home, SystemChance()) == following
    assert Identity.load_next(home) == following
    assert Identity.load_or_create(home, SystemChance()) == identity
    assert stat.S_IMODE((tmp_path / "identity" / "next.key").stat().st_mode) == 0o600


def test_a_switch_puts_the_next_key_in_the_place_of_the_present_one(
    identity: Identity, tmp_path: Path
) -> None:
    following = identity.make_next(str(tmp_path), SystemChance())
    assert Identity.switch(str(tmp_path)) == following
    assert Identity.load_or_create(str(tmp_path), SystemChance()) == following
    assert sorted(os.listdir(tmp_path / "identity")) == ["node.crt", "node.key"]
    with pytest.raises(Failure, match="there is no next key"):
        Identity.switch(str(tmp_path))


@pytest.mark.parametrize("renames", [0, 1])
def test_a_crash_within_a_switch_leaves_the_old_identity_or_the_new_one(
    identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    following = identity.make_next(str(tmp_path), SystemChance())
    done: list[str] = []
    replace = os.replace

    def dying(source: str, target: str) -> None:
        if len(done) == renames:
            raise OSError(5, "Input/output error")
        done.append(target)
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(identities.os, "replace", dying)
        with pytest.raises(Failure) as caught:
            Identity.switch(str(tmp_path))
        assert caught.value.code is Code.STORAGE
    expected = following if renames else identity
    assert Identity.load_or_create(str(tmp_path), SystemChance()) == expected
    if not renames:
        assert Identity.switch(str(tmp_path)) == following


@pytest.mark.parametrize("renames", [0, 1])
def test_a_crash_while_a_next_key_is_made_only_means_that_it_is_made_again(
    identity: Identity, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, renames: int
) -> None:
    done: list[str] = []
    replace = os.replace

    def dying(source: str, target: str) -> None:
        if len(done) == renames:
            raise OSError(28, "No space left on device")
        done.append(target)
        replace(source, target)

    with monkeypatch.context() as patched:
        patched.setattr(identities.os, "replace", dying)
        with pytest.raises(Failure, match="No space left"):
            identity.make_next(str(tmp_path), SystemChance())
    assert Identity.load_next(str(tmp_path)) is None
    assert Identity.load_or_create(str(tmp_path), SystemChance()) == identity
    assert identity.make_next(str(tmp_path), SystemChance()).node_id == identity.node_id


def test_a_stray_certificate_never_replaces_the_real_one(
    identity: Identity, tmp_path: Path
) -> None:
    other = Identity.load_or_create(str(tmp_path / "other"), SystemChance())
    (tmp_path / "identity" / "next.crt").write_bytes(other.cert_pem)
    assert Identity.load_or_create(str(tmp_path), SystemChance()) == identity
    assert identity.make_next(str(tmp_path), SystemChance()).node_id == identity.node_id


def test_a_next_key_of_another_node_is_refused(identity: Identity, tmp_path: Path) -> None:
    other = Identity.load_or_create(str(tmp_path / "other"), SystemChance())
    (tmp_path / "identity" / "next.crt").write_bytes(other.cert_pem)
    key = tmp_path / "identity" / "next.key"
    key.write_bytes(other.key_pem)
    key.chmod(0o600)
    with pytest.raises(Failure, match="another node's") as caught:
        identity.make_next(str(tmp_path), SystemChance())
    assert caught.value.code is Code.CORRUPT


def test_a_node_id_is_told_from_other_names() -> None:
    assert is_node_id("0123456789abcdef" * 2)
    assert not is_node_id("0123456789ABCDEF" * 2)
    assert not is_node_id("lab-1")
