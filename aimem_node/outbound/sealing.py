"""Keep a secret in the log so that every member can use it and nobody else can read it.

The log is on every disk, in every backup and every export; a webhook's secret is not to be. It is
sealed once for each member, to the key that the member has already (ECDSA P-256, the one of its
certificate), by ECIES: an ephemeral key, ECDH, HKDF-SHA256, AES-256-GCM. The subscription's id and
the holder's are bound into it, so a sealed secret cannot be moved to another place. Two things
follow from using that key. A member who joins later, or gets a new key, needs the secret sealed
again, by one who can still open it; and a stolen node key opens whatever was sealed to it.

One key for two algorithms is sound here because nothing that one of them takes in means anything
to the other: what is signed begins with words of its own, and what is agreed on only ever becomes
an AES key under TITLE.
"""

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from aimem_node.contract.errors import Code, Failure

PREFIX: Final = "sealed-v1:"
"""What every sealed secret begins with. The screen for secrets knows it, and lets it pass."""
TITLE: Final = b"aimem sealed secret, version 1"
SECRET_BYTES_MAX: Final = 4096
SEALED_CHARS_MAX: Final = 8192

_CURVE = ec.SECP256R1()
_POINT_BYTES, _KEY_BYTES, _NONCE_BYTES, _TAG_BYTES = 65, 32, 12, 16
_TEXT = re.compile(re.escape(PREFIX) + r"[A-Za-z0-9_-]{108,}")


def seal(
    secret: bytes, keys: Mapping[str, ec.EllipticCurvePublicKey], subscription_id: str
) -> dict[str, str]:
    """The secret, sealed to each key: holder -> text to be kept in the log. P-256 keys only.

    A holder is the id of a node, or of its key; `unseal` must be told the same one.
    """
    assert 0 < len(secret) <= SECRET_BYTES_MAX
    return {holder: _seal(secret, key, subscription_id, holder) for holder, key in keys.items()}


def unseal(
    sealed: str, private_key: ec.EllipticCurvePrivateKey, subscription_id: str, holder: str
) -> bytes:
    """The secret that was sealed to this holder for this subscription.

    Raises Failure CORRUPT if it was sealed to another key, for another place, or was changed.
    """
    if len(sealed) > SEALED_CHARS_MAX or _TEXT.fullmatch(sealed) is None:
        raise _unopenable("it is not a sealed secret")
    said = sealed.removeprefix(PREFIX)
    try:
        raw = base64.b64decode(said + "=" * (-len(said) % 4), altchars=b"-_", validate=True)
        point, box = raw[:_POINT_BYTES], raw[_POINT_BYTES:]
        ephemeral = ec.EllipticCurvePublicKey.from_encoded_point(_CURVE, point)
        shared = private_key.exchange(ec.ECDH(), ephemeral)
    except (ValueError, binascii.Error) as error:
        raise _unopenable("it is damaged") from error
    if base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != said or point[0] != 4:
        raise _unopenable("it is not in its one spelling")
    key, nonce = _derived(shared, point, private_key.public_key())
    try:
        return AESGCM(key).decrypt(nonce, box, _place(subscription_id, holder))
    except InvalidTag as error:
        raise _unopenable("it was sealed to another key or place, or was changed") from error


def public_key_of(certificate: bytes) -> ec.EllipticCurvePublicKey:
    """The key of a member's pinned certificate, PEM or DER."""
    is_pem = certificate.startswith(b"-----")
    load = x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate
    key = load(certificate).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey), "a certificate that was never to be pinned"
    return key


def private_key_of(key_pem: bytes) -> ec.EllipticCurvePrivateKey:
    """The node's own key, as its Identity keeps it."""
    key = serialization.load_pem_private_key(key_pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey), "an identity with another kind of key"
    return key


def _seal(secret: bytes, key: ec.EllipticCurvePublicKey, subscription_id: str, holder: str) -> str:
    assert key.curve.name == _CURVE.name
    ephemeral = ec.generate_private_key(_CURVE)
    point = _point(ephemeral.public_key())
    # The nonce may be derived: the key is used for this one message and then forgotten.
    box_key, nonce = _derived(ephemeral.exchange(ec.ECDH(), key), point, key)
    box = AESGCM(box_key).encrypt(nonce, secret, _place(subscription_id, holder))
    return PREFIX + base64.urlsafe_b64encode(point + box).rstrip(b"=").decode()


def _derived(
    shared: bytes, point: bytes, recipient: ec.EllipticCurvePublicKey
) -> tuple[bytes, bytes]:
    """Key and nonce, from what both sides agreed on and from who they are."""
    whole = HKDF(
        hashes.SHA256(),
        _KEY_BYTES + _NONCE_BYTES,
        salt=None,
        info=TITLE + point + _point(recipient),
    ).derive(shared)
    return whole[:_KEY_BYTES], whole[_KEY_BYTES:]


def _point(key: ec.EllipticCurvePublicKey) -> bytes:
    return key.public_bytes(
        serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    )


def _place(subscription_id: str, holder: str) -> bytes:
    """What the seal is bound to. Lengths first: no two places are written the same."""
    parts = [part.encode() for part in (subscription_id, holder)]
    return TITLE + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _unopenable(why: str) -> Failure:
    return Failure(
        Code.CORRUPT,
        f"a sealed secret cannot be opened: {why}",
        next="Subscribe again, or have a member that can open it seal it for this node.",
    )
