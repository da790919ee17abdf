"""The key and certificate that say which node this is, made once and kept for ever.

The surprising part is what a certificate must *not* say. gRPC trusts a pinned certificate as
a root, and accepts whatever a pinned key has signed unless the certificate forbids signing
others: so every certificate here carries KeyUsage digitalSignature and nothing else, and one
without it is never pinned. It is ECDSA P-256 because gRPC refuses Ed25519 in TLS, has key
identifiers because without them only the first of several roots verifies, and its dates are
fixed and far apart because a fresh date and a slow clock would break a join.
"""

import contextlib
import datetime
import hashlib
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from aimem_node.clocks import Chance
from aimem_node.contract.errors import Code, Failure
from aimem_node.durable import put_in_place, replace_file, sync_directory, write_new

TLS_NAME = "aimem"
"""The one name in every certificate; callers dial addresses and expect this name."""

NOT_BEFORE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
NOT_AFTER = datetime.datetime(2049, 12, 31, tzinfo=datetime.UTC)
"""Constants rather than the clock: a node with a wrong clock still makes a usable certificate."""

CERT_BYTES_MAX = 16 * 1024
"""A P-256 certificate is under 1 KiB; the rest is for other makers' extensions."""

_NODE_ID = re.compile(r"[0-9a-f]{32}")
_DIRECTORY, _KEY, _CERT = "identity", "node.key", "node.crt"
_NEXT_KEY, _NEXT_CERT = "next.key", "next.crt"


def identity_dir(data_dir: str) -> Path:
    """Where the key is, and whatever must stay with it when the store is restored."""
    return Path(data_dir) / _DIRECTORY


def is_node_id(text: str) -> bool:
    """Whether this could name a node: 32 lower-case hex digits."""
    return _NODE_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate that may be pinned: it passed every rule of this module."""

    pem: bytes
    fingerprint: str
    """SHA-256 of the DER form, 64 lower-case hex digits."""
    common_name: str
    _key: ec.EllipticCurvePublicKey = field(repr=False, compare=False)

    @classmethod
    def parse(cls, pem: bytes, what: str = "certificate") -> "Certificate":
        """Read one PEM certificate; Failure INVALID_ARGUMENT says which rule it breaks."""
        if len(pem) > CERT_BYTES_MAX:
            raise _unfit(what, f"is larger than {CERT_BYTES_MAX} bytes")
        try:
            found = x509.load_pem_x509_certificates(pem)
        except ValueError as error:
            raise _unfit(what, "is not a PEM certificate") from error
        if len(found) != 1:
            raise _unfit(what, f"holds {len(found)} certificates instead of one")
        cert = found[0]
        try:
            key = _check(cert, what)
        except ValueError as error:  # extensions are parsed when first asked for
            raise _unfit(what, "has extensions that cannot be read") from error
        names = cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return cls(
            pem=cert.public_bytes(serialization.Encoding.PEM),
            fingerprint=cert.fingerprint(hashes.SHA256()).hex(),
            common_name=str(names[0].value) if names else "",
            _key=key,
        )

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """True when the key of this certificate signed message."""
        try:
            self._key.verify(signature, message, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Identity:
    """Who this node is, with the key that proves it."""

    node_id: str
    """32 hex digits, drawn once; also the certificate's common name."""
    certificate: Certificate
    key_pem: bytes = field(repr=False)
    _key: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)

    @classmethod
    def load_or_create(cls, data_dir: str, chance: Chance) -> "Identity":
        """The identity kept under data_dir, made there when there is none.

        Raises Failure CORRUPT when the files are damaged or do not belong together,
        PERMISSION_DENIED when others may read the key, STORAGE when they cannot be written.
        """
        home = os.path.join(data_dir, _DIRECTORY)
        if not os.path.isdir(home):
            try:
                _create(home, chance)
            except OSError as error:
                if not os.path.isdir(home):  # otherwise another process was first: take its
                    message = f"cannot make the node's key in {home}: {error.strerror}"
                    raise Failure(Code.STORAGE, message) from error
        if _is_switching(home):
            with contextlib.suppress(Failure):  # then it is a left-over and not this key's
                cls._load(home, _KEY, _NEXT_CERT)
                _switch(home)
        return cls._load(home)

    @classmethod
    def load_next(cls, data_dir: str) -> "Identity | None":
        """The key that is to replace the present one, if it was made already."""
        home = os.path.join(data_dir, _DIRECTORY)
        if not all(os.path.exists(os.path.join(home, file)) for file in (_NEXT_KEY, _NEXT_CERT)):
            return None
        return cls._load(home, _NEXT_KEY, _NEXT_CERT)

    def make_next(self, data_dir: str, chance: Chance) -> "Identity":
        """A new key for the same node, kept beside the present one; the same if it is there.

        Raises CORRUPT when the one that is there cannot be used, STORAGE when it cannot be written.
        """
        home = os.path.join(data_dir, _DIRECTORY)
        found = Identity.load_next(data_dir)
        if found is None:
            try:
                _create_next(home, self.node_id, chance)
            except OSError as error:
                message = f"cannot make the node's next key in {home}: {error.strerror}"
                raise Failure(Code.STORAGE, message) from error
            found = Identity._load(home, _NEXT_KEY, _NEXT_CERT)
        if found.node_id != self.node_id:
            raise _damaged(home, "the next key is another node's")
        return found

    @classmethod
    def switch(cls, data_dir: str) -> "Identity":
        """Put the next key in the place of the present one, which is gone then. STORAGE."""
        home = os.path.join(data_dir, _DIRECTORY)
        if cls.load_next(data_dir) is None and not _is_switching(home):
            raise _damaged(home, "there is no next key")
        _switch(home)
        return cls._load(home)

    @classmethod
    def _load(cls, home: str, key_file: str = _KEY, cert_file: str = _CERT) -> "Identity":
        key_pem = _read(os.path.join(home, key_file), secret=True)
        cert_pem = _read(os.path.join(home, cert_file))
        try:
            key = serialization.load_pem_private_key(key_pem, password=None)
        except (ValueError, TypeError) as error:
            raise _damaged(home, "the key cannot be read") from error
        try:
            certificate = Certificate.parse(cert_pem, "the node's certificate")
        except Failure as error:
            raise _damaged(home, error.message) from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise _damaged(home, "the key is not an ECDSA key")
        if _spki(key.public_key()) != _spki(certificate._key):  # noqa: SLF001 - the same module
            raise _damaged(home, "the key and the certificate do not belong together")
        if not is_node_id(certificate.common_name):
            raise _damaged(home, "the certificate does not name a node")
        return cls(certificate.common_name, certificate, key_pem, key)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate's DER form, 64 hex digits: what others pin."""
        return self.certificate.fingerprint

    @property
    def cert_pem(self) -> bytes:
        """The certificate, for others to pin."""
        return self.certificate.pem

    def sign(self, message: bytes) -> bytes:
        """DER-encoded ECDSA signature of message over SHA-256."""
        return self._key.sign(message, ec.ECDSA(hashes.SHA256()))


def verify(cert_pem: bytes, signature: bytes, message: bytes) -> bool:
    """True when the key of the certificate signed message; Failure when it may not be pinned."""
    return Certificate.parse(cert_pem).verifies(signature, message)


def make_certificate(key: ec.EllipticCurvePrivateKey, common_name: str, serial: int) -> bytes:
    """A self-signed certificate that keeps every rule of this module, as PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    public = key.public_key()
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    extensions: list[tuple[Any, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (usage, True),
        (x509.SubjectAlternativeName([x509.DNSName(TLS_NAME)]), False),
        (x509.SubjectKeyIdentifier.from_public_key(public), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(public), False),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public)
        .serial_number(serial)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _check(cert: x509.Certificate, what: str) -> ec.EllipticCurvePublicKey:
    key = cert.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != "secp256r1":
        raise _unfit(what, "does not hold an ECDSA P-256 key")
    try:
        cert.verify_directly_issued_by(cert)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise _unfit(what, "is not signed by its own key") from error
    extensions = cert.extensions
    try:
        basic = extensions.get_extension_for_class(x509.BasicConstraints).value
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        extensions.get_extension_for_class(x509.SubjectKeyIdentifier)
        extensions.get_extension_for_class(x509.AuthorityKeyIdentifier)
    except x509.ExtensionNotFound as error:
        missing = error.oid._name  # noqa: SLF001 - the library offers the name nowhere else
        raise _unfit(what, f"lacks the extension {missing}") from error
    if basic.ca:
        raise _unfit(what, "may sign other certificates (CA:TRUE)")
    others = (
        usage.content_commitment,
        usage.key_encipherment,
        usage.data_encipherment,
        usage.key_agreement,
        usage.key_cert_sign,
        usage.crl_sign,
    )
    if not usage.digital_signature or any(others):
        raise _unfit(what, "has a KeyUsage other than digitalSignature alone")
    if TLS_NAME not in names.get_values_for_type(x509.DNSName):
        raise _unfit(what, f"does not carry the name {TLS_NAME!r}")
    return key


def _create(home: str, chance: Chance) -> None:
    """Write both files aside and rename: a crash leaves a whole identity or none."""
    node_id = chance.token_hex(16)
    key_pem, cert_pem = _new_pair(node_id, chance)
    aside = f"{home}.{node_id[:8]}.new"
    os.makedirs(os.path.dirname(home), mode=0o700, exist_ok=True)
    os.mkdir(aside, 0o700)
    try:
        write_new(Path(aside, _KEY), key_pem)
        write_new(Path(aside, _CERT), cert_pem, 0o644)
        sync_directory(Path(aside))
        put_in_place(Path(aside), Path(home))
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _new_pair(node_id: str, chance: Chance) -> tuple[bytes, bytes]:
    serial = int(chance.token_hex(16), 16) >> 1 or 1
    key = ec.generate_private_key(ec.SECP256R1())
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return key_pem, make_certificate(key, node_id, serial)


def _create_next(home: str, node_id: str, chance: Chance) -> None:
    """The key before the certificate: a certificate without a key means that a switch is on."""
    key_pem, cert_pem = _new_pair(node_id, chance)
    if os.path.exists(os.path.join(home, _NEXT_CERT)):
        os.remove(os.path.join(home, _NEXT_CERT))
    for file, content, mode in ((_NEXT_KEY, key_pem, 0o600), (_NEXT_CERT, cert_pem, 0o644)):
        replace_file(Path(home, file), content, mode)


def _is_switching(home: str) -> bool:
    """Whether a crash came between the two renames of a switch."""
    has_key = os.path.exists(os.path.join(home, _NEXT_KEY))
    return os.path.exists(os.path.join(home, _NEXT_CERT)) and not has_key


def _switch(home: str) -> None:
    """Rename the key, then the certificate. Who finds only the second one finishes it."""
    try:
        if not _is_switching(home):
            put_in_place(Path(home, _NEXT_KEY), Path(home, _KEY))
        put_in_place(Path(home, _NEXT_CERT), Path(home, _CERT))
    except OSError as error:
        message = f"cannot put the next key of {home} in its place: {error.strerror}"
        raise Failure(Code.STORAGE, message, next="Start the node again.") from error


def _read(path: str, *, secret: bool = False) -> bytes:
    try:
        with open(path, "rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(CERT_BYTES_MAX + 1)
    except OSError as error:
        raise _damaged(path, error.strerror or "cannot be read") from error
    if secret and mode & 0o077:
        message = f"other users may read the node's key {path}"
        raise Failure(Code.PERMISSION_DENIED, message, next=f"Run: chmod 600 {path}")
    return content


def _spki(key: ec.EllipticCurvePublicKey) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return hashlib.sha256(key.public_bytes(serialization.Encoding.DER, form)).digest()


def _damaged(where: str, why: str) -> Failure:
    return Failure(
        Code.CORRUPT,
        f"the node's identity at {where} cannot be used: {why}",
        next="Restore the identity folder from a backup. Without it this is another node.",
    )


def _unfit(what: str, why: str) -> Failure:
    return Failure(
        Code.INVALID_ARGUMENT,
        f"{what} {why}",
        next="Use the certificate that aimem made: identity/node.crt in a node's data directory.",
    )
