"""The way to a sponsor: first see who answers there, and only then speak.

The certificate is fetched over a bare TLS connection that trusts nobody and says nothing. Only if
its hash is the one in the line does gRPC get it, as its only root: so there is nobody to trust but
the machine that made the line, and gRPC refuses by itself if another one answers the second time.
"""

import asyncio
import contextlib
import hashlib
import json
import ssl
from collections.abc import Sequence
from typing import Any, Final

import grpc
import grpc.aio

from aimem_node.contract import errors
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.addresses import split_address
from aimem_node.replica.handshake import Begin, Begun, Prove, Proved, Word
from aimem_node.replica.identity import TLS_NAME, Certificate
from aimem_node.rpc.grpc_failures import FAILURE_KEY
from aimem_node.rpc.join_wire import (
    ANSWER_BYTES_MAX,
    BEGIN,
    POLL,
    PROVE,
    begin_bytes,
    begun_from,
    poll_bytes,
    prove_bytes,
    proved_from,
    word_from,
)

CONNECT_S: Final = 5.0
"""A handshake takes milliseconds; past this a firewall is swallowing our packets."""
CALL_S: Final = 15.0
"""The sponsor answers within two, whatever the voters do."""


class JoinDoor:
    """Opens connections to sponsors. The Door of a running node."""

    async def open(self, addresses: Sequence[str], fingerprint: str) -> "JoinSponsor":
        """To the first address that shows the certificate of this fingerprint.

        Raises UNAVAILABLE if none can be reached, PERMISSION_DENIED if others answer there.
        """
        strangers: list[Failure] = []
        silent: list[str] = []
        for address in addresses:
            try:
                der = await shown_certificate(address)
            except (OSError, TimeoutError) as error:
                silent.append(f"{address}: {_why(error)}")
                continue
            shown = hashlib.sha256(der).hexdigest()
            if shown != fingerprint:
                strangers.append(_stranger(address, shown, fingerprint))
                continue
            pem = ssl.DER_cert_to_PEM_cert(der).encode("ascii")
            return JoinSponsor(address, Certificate.parse(pem, "the sponsor's certificate"))
        if strangers:
            raise strangers[0]
        raise Failure(
            Code.UNAVAILABLE,
            f"the sponsor cannot be reached ({'; '.join(silent)})",
            next="Is the member running, and may this machine connect there? The port is open only "
            "while an invitation is good.",
        )


class JoinSponsor:
    """A sponsor that showed the right certificate."""

    def __init__(self, address: str, certificate: Certificate) -> None:
        self.address = address
        self.certificate = certificate
        options = (
            ("grpc.ssl_target_name_override", TLS_NAME),
            ("grpc.max_receive_message_length", ANSWER_BYTES_MAX),
            ("grpc.enable_http_proxy", 0),
        )
        credentials = grpc.ssl_channel_credentials(root_certificates=certificate.pem)
        self._channel = grpc.aio.secure_channel(address, credentials, options=options)

    async def begin(self, begin: Begin) -> Begun:
        """Introduce this machine."""
        return begun_from(await self._call(BEGIN, begin_bytes(begin)))

    async def prove(self, prove: Prove) -> Proved:
        """Prove who this machine is, and that it has the line."""
        return proved_from(await self._call(PROVE, prove_bytes(prove)))

    async def poll(self, session: str) -> Word:
        """Ask how the joining stands."""
        return word_from(await self._call(POLL, poll_bytes(session)))

    async def close(self) -> None:
        """Let go of the connection."""
        await self._channel.close()

    async def _call(self, path: str, body: bytes) -> bytes:
        try:
            answer: bytes = await self._channel.unary_unary(path)(body, timeout=CALL_S)
        except grpc.aio.AioRpcError as error:
            raise failure_of(error, self.address) from error
        return answer


async def shown_certificate(address: str) -> bytes:
    """The certificate that a TLS server shows, as DER. Raises OSError or TimeoutError."""
    host, port = split_address(address)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # its hash is compared instead, before anything is said
    context.set_alpn_protocols(["h2"])
    async with asyncio.timeout(CONNECT_S):
        _, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=TLS_NAME)
    try:
        found = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    finally:
        writer.close()
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(1):
                await writer.wait_closed()
    if not found:
        raise ConnectionError("it shows no certificate")
    return bytes(found)


def failure_of(error: Any, address: str) -> Failure:
    """The very failure that the sponsor raised, or UNAVAILABLE if it did not get so far."""
    for key, carried in error.trailing_metadata() or ():
        if key == FAILURE_KEY:
            with contextlib.suppress(ValueError, UnicodeDecodeError):
                return errors.from_json(_facts(carried))
    return Failure(
        Code.UNAVAILABLE,
        f"the sponsor at {address} does not answer: {error.code().name}",
        next="Try again; the same line goes on where it was.",
    )


def _facts(carried: bytes) -> dict[str, Any]:
    facts = json.loads(carried)
    if not isinstance(facts, dict):
        raise ValueError("no object")
    return facts


def _stranger(address: str, shown: str, wanted: str) -> Failure:
    return Failure(
        Code.PERMISSION_DENIED,
        f"the machine that answers at {address} is not the one that was meant: it shows the "
        f"certificate {shown[:16]}… instead of {wanted[:16]}…",
        next="Nothing was sent to it. Make a new line on the member you mean; if it happens again, "
        "somebody stands in between.",
        details={"shown": shown, "wanted": wanted},
    )


def _why(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {CONNECT_S:.0f} s"
    if isinstance(error, ssl.SSLError):
        return "no TLS is spoken there"
    text = getattr(error, "strerror", None) or str(error)
    return text or type(error).__name__
