"""Call a node on another machine: gRPC over TLS in which each side knows the other's key.

Everything heavy is imported here, so only those who say --node pay for it.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Any

from aimem_node.client.grpc_wire import Route, TlsFiles
from aimem_node.client.seen import Seen
from aimem_node.client.sync import SyncClient
from aimem_node.contract import codec
from aimem_node.contract.errors import Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways.cli import failures, node

ENVIRONMENT = {
    "tls_ca": "AIMEM_TLS_CA",
    "tls_cert": "AIMEM_TLS_CERT",
    "tls_key": "AIMEM_TLS_KEY",
}


class Remote:
    """A node at host:port."""

    def __init__(
        self, settings: Mapping[str, Any], env: Mapping[str, str], timeout_s: float
    ) -> None:
        try:
            self._client = SyncClient(route_of(settings, env), timeout_s)
        except Failure as failure:
            raise as_call_failure(failure) from None

    def call(
        self, operation: Mapping[str, Any], request: dict[str, Any], key: str, after: str,
        wait_ms: int | None,
    ) -> tuple[bytes, str]:  # fmt: skip
        """The answer as JSON text, and the session's token. Raises CallFailure."""
        declared = OPERATIONS[operation["rpc"]]
        self._client.seen = Seen(wait_ms)
        self._client.seen.hear(after)
        try:
            value = codec.from_json(declared.request, request)
            response = self._client.call(declared.name, value)
        except Failure as failure:
            raise as_call_failure(failure, key) from None
        return str(codec.dumps(codec.to_json(response))).encode(), self._client.seen.token

    def lines(self, operation: Mapping[str, Any], request: dict[str, Any]) -> Iterator[bytes]:
        """The items of a streaming answer as JSON texts. Raises CallFailure."""
        declared = OPERATIONS[operation["rpc"]]
        try:
            value = codec.from_json(declared.request, request)
            for item in self._client.stream(declared.name, value):
                yield codec.dumps(codec.to_json(item)).encode()
        except Failure as failure:
            raise as_call_failure(failure) from None


def route_of(settings: Mapping[str, Any], env: Mapping[str, str]) -> Route:
    """Where to and as whom: our certificate or else this node's own, and the token if there is one.

    The TLS listener lets no connection in without a certificate that it has pinned. A token on
    top says for whom this call speaks.
    """
    files = {name: settings.get(name) or env.get(word) for name, word in ENVIRONMENT.items()}
    if not files["tls_ca"]:
        raise failures.usage(
            "--node needs to know the certificate of that node",
            "Get its identity/node.crt (on it: aimem-node identity --cert) and give the file "
            "with --tls-ca or AIMEM_TLS_CA.",
        )
    address = str(settings["node"])
    if not address.rpartition(":")[2].isdigit() or ":" not in address:
        raise failures.usage(
            f"--node takes HOST:PORT, not {address!r}", "There, aimem-node status lists the port."
        )
    bearer = settings.get("token")
    if not files["tls_cert"]:
        data_dir = node.data_dir_of(settings, env)
        files["tls_cert"] = os.path.join(data_dir, "identity", "node.crt")
        files["tls_key"] = os.path.join(data_dir, "identity", "node.key")
        if not os.path.exists(str(files["tls_cert"])):
            raise failures.usage(
                f"--node needs a certificate to show, and there is none of this node in {data_dir}",
                "Make it: aimem-node identity --cert > me.crt; there: aimem-node pin add me.crt "
                "--name NAME. Or give one with --tls-cert and --tls-key.",
            )
    tls = TlsFiles(str(files["tls_ca"]), files["tls_cert"] or None, files["tls_key"] or None)
    return Route(address, tls, bearer)


def as_call_failure(failure: Failure, key: str = "") -> failures.CallFailure:
    """A failure of the contract as the command line's own."""
    from aimem_node.contract import errors

    shown = failures.from_json(errors.to_json(failure))
    if key and not shown.definite:
        shown.next_step = f"Send it again with --request-key {key}: it is not done twice."
    return shown
