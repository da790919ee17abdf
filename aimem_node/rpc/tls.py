"""TLS as this node speaks it: both ends pinned, no authorities, no plaintext.

gRPC has no way to ask for a client certificate without verifying it, and it goes on serving
a connection whose certificate has been unpinned since. So pinning happens twice: the pinned
certificates are the only roots at every new handshake, and every call compares the
fingerprint of its connection with the list as it is then.
"""

import hashlib
import ssl
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import grpc

from aimem_node.replica.identity import Identity


def server_credentials(
    identity: Identity, roots: Callable[[], bytes] | None
) -> grpc.ServerCredentials:
    """Credentials of a TLS listener that shows the node's certificate.

    roots gives the pinned certificates as PEM and is asked at every handshake, on a thread of
    gRPC's own. Without it no client certificate is asked for: callers there bring a token.
    """
    pair = [(identity.key_pem, identity.cert_pem)]
    if roots is None:
        return grpc.ssl_server_credentials(pair)
    ask = roots

    def configuration() -> Any:
        # gRPC takes no empty list of roots. Our own certificate stands in: nobody else holds
        # its key, it can sign no other, and every call is refused as it is not pinned.
        return grpc.ssl_server_certificate_configuration(pair, ask() or identity.cert_pem)

    return grpc.dynamic_ssl_server_credentials(
        configuration(), configuration, require_client_authentication=True
    )


def peer_fingerprint(auth_context: Any) -> str | None:
    """SHA-256 (64 hex digits) of the certificate behind a gRPC call; None when it has none."""
    pems = auth_context.get("x509_pem_cert")
    return _fingerprint(bytes(pems[0])) if pems else None


@lru_cache(maxsize=1024)
def _fingerprint(pem: bytes) -> str:
    """Asked on every call and always about the same few certificates, hence the cache."""
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem.decode("ascii"))).hexdigest()
