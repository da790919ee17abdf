"""TLS as this node speaks it: both ends pinned, no authorities, no plaintext.

gRPC has no way to ask for a client certificate without verifying it, and it goes on serving
a connection whose certificate has been unpinned since. So pinning happens twice: the pinned
certificates are the only roots at every new handshake, and every call compares the
fingerprint of its connection with the list as it is then.
"""

import hashlib
import ssl
import threading
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

    # gRPC takes no empty list of roots. Our own certificate stands in: nobody else holds
    # its key, it can sign no other, and every call is refused as it is not pinned.
    return renewing_credentials(lambda: (pair, ask() or identity.cert_pem))


def renewing_credentials(now: Callable[[], tuple[Any, bytes]]) -> grpc.ServerCredentials:
    """Credentials whose key pairs and roots are those that `now` gives at each handshake.

    Only a *change* is handed to gRPC. Each configuration it is given takes the place of the one
    before, and a handshake on another thread that still uses that one ends the whole process
    (grpc issue 36693); with a new one for every handshake that happens within a second of load.
    """
    given: list[tuple[Any, bytes]] = []
    handing = threading.Lock()

    def configuration() -> Any:
        found = now()
        with handing:
            if given and given[0] == found:
                return None
            given[:] = [found]
        return grpc.ssl_server_certificate_configuration(*found)

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
