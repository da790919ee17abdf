"""Which other nodes may speak here, and what those are told that may not.

The handshake admits whoever holds a pinned key, and goes on admitting over an open connection what
has been revoked since. So every call is looked at again: its certificate, the cluster it means, and
the node it claims to be, which must be the one whose key it is.
"""

import ssl
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.certs import certificate_from
from aimem_node.replica.identity import Certificate
from aimem_node.rpc.tls import peer_fingerprint
from aimem_sync.members import Config, Member

CLUSTER_KEY: Final = "aimem-cluster"
NODE_KEY: Final = "aimem-node"
"""Metadata of every call: which cluster is meant, and which node says so."""

NOT_PINNED: Final = "not_pinned"
REVOKED: Final = "revoked"
WRONG_CLUSTER: Final = "wrong_cluster"
WRONG_NODE: Final = "wrong_node"
UNFIT: Final = "unfit_certificate"
PROTOCOL_UNKNOWN: Final = "unknown_protocol"
MALFORMED: Final = "malformed"
"""Reasons, as metrics count them. A Failure carries its one in details["reason"]."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A member, as its connection proves."""

    node_id: str
    fingerprint: str


def admitted(config: Config, context: Any) -> Caller:
    """Who calls. Raises Failure UNAUTHENTICATED or PERMISSION_DENIED with the reason."""
    found = context.auth_context().get("x509_pem_cert")
    fingerprint = peer_fingerprint(context.auth_context())
    if fingerprint is None or not found:
        raise refusal(NOT_PINNED, "a node that shows no certificate is no member")
    node_id = member_of(config, fingerprint)
    unfit = _unfit(bytes(found[0]))
    if unfit:
        raise refusal(UNFIT, unfit)
    said = dict(context.invocation_metadata() or ())
    check_claims(config, node_id, said.get(CLUSTER_KEY), said.get(NODE_KEY))
    return Caller(node_id, fingerprint)


def member_of(config: Config, fingerprint: str) -> str:
    """Whose key this is now. Raises the reason why it is nobody's."""
    if fingerprint in config.revoked:
        raise refusal(
            REVOKED, f"the key {fingerprint[:16]} was revoked: its node was evicted, or has "
            "another key since",
        )  # fmt: skip
    node_id = config.node_of(fingerprint)
    if node_id is None:
        raise refusal(NOT_PINNED, f"the key {fingerprint[:16]} is no member's in epoch "
                      f"{config.epoch} here")  # fmt: skip
    return node_id


def check_claims(config: Config, node_id: str, cluster_id: object, claimed: object) -> None:
    """What a node says of itself must be so. Raises the reason why it is not."""
    if claimed != node_id:
        raise refusal(WRONG_NODE, f"a node that is {node_id[:8]} by its key claims to be another")
    if cluster_id != config.cluster_id:
        raise refusal(
            WRONG_CLUSTER, f"another cluster is meant; this is {config.cluster_id[:8]}, epoch "
            f"{config.epoch}",
        )  # fmt: skip


def refusal(reason: str, message: str) -> Failure:
    """Why a node is not heard."""
    code = Code.UNAUTHENTICATED if reason == NOT_PINNED else Code.PERMISSION_DENIED
    return Failure(
        code, message, next="See `aimem-node members` on both machines.",
        details={"reason": reason},
    )  # fmt: skip


def reason_of(failure: Failure) -> str:
    """The word for metrics."""
    return str(failure.details.get("reason") or failure.code.value.lower())


def fit_certificates(member: Member) -> dict[str, bytes]:
    """The certificates of a member that may be roots, as PEM by fingerprint."""
    fit = {}
    for fingerprint, der in member.keys().items():
        try:
            if der:
                fit[fingerprint] = certificate_from(der).pem
        except Failure:
            continue
    return fit


@lru_cache(maxsize=1024)
def _unfit(pem: bytes) -> str:
    """Which rule of identity.py a certificate breaks; empty if none."""
    try:
        Certificate.parse(pem, "the certificate of this node")
    except Failure as failure:
        return failure.message
    except ssl.SSLError:
        return "the certificate of this node cannot be read"
    return ""
