"""Members' certificates, between the form in which they are kept and the one that is used.

A config keeps them as DER, since that is what a fingerprint is the hash of; TLS and the rules of
identity.py want PEM. There are as many as there are members, so all of them are remembered.
"""

import ssl
from functools import lru_cache

from aimem_node.replica.identity import Certificate


def der_of(pem: bytes) -> bytes:
    """The DER form of one PEM certificate."""
    return ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))


@lru_cache(maxsize=1024)
def certificate_from(der: bytes) -> Certificate:
    """A member's certificate. Raises Failure INVALID_ARGUMENT if it may not be pinned."""
    return Certificate.parse(
        ssl.DER_cert_to_PEM_cert(der).encode("ascii"), "a member's certificate"
    )
