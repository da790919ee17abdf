"""Send one request to an address that was checked, and learn no more than how it went.

The socket goes to the address, while TLS and the Host header speak of the name: so the certificate
is the name's, and no second look-up can lead elsewhere. There is little here that a full HTTP
client has, on purpose. Redirects would lead to places nobody checked, proxies from the environment
would do the looking-up again, and compressed answers can be bombs; so none of them is understood.
"""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_address
from typing import Final

import h11

from aimem_node.contract.errors import Code, Failure
from aimem_node.outbound.urls import Target
from aimem_node.version import VERSION

TIMEOUT_S: Final = 10.0
"""For all of it: connecting, sending and the answer. The follower that waits is one of many."""
CONNECT_MS_MAX: Final = 3_000
"""For one address, so that one that swallows everything leaves time for the next."""
ADDRESSES_TRIED_MAX: Final = 4
HEAD_BYTES_MAX: Final = 16 * 1024
"""Status line and headers, as most servers limit them."""
ANSWER_BYTES_MAX: Final = 64 * 1024
"""Of all that is read. What is read of the body is dropped at once."""
CHUNK_BYTES: Final = 8 * 1024
BODY_BYTES_MAX: Final = 1 << 20
"""Of what we send: the size of the largest op."""
OWN_HEADERS: Final = frozenset(
    {b"host", b"content-length", b"transfer-encoding", b"connection", b"accept-encoding", b"expect",
     b"upgrade", b"te", b"trailer", b"user-agent"}
)  # fmt: skip
"""Set here and nowhere else."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the receiver said."""

    status: int
    "HTTP status, 200 to 999."
    address: str
    "Where it was said."

    @property
    def is_taken(self) -> bool:
        """The receiver has it. A redirect (3xx) is no answer to a delivery."""
        return 200 <= self.status < 300


async def post(
    target: Target,
    addresses: Sequence[str],
    headers: Mapping[str, str],
    body: bytes,
    *,
    timeout_s: float = TIMEOUT_S,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """POST body to one of the addresses that `resolve` gave for the target, and no other.

    Any status is an Answer. Raises Failure DEADLINE when the time is up, UNAVAILABLE when the
    receiver cannot be reached, does not prove its name or breaks the protocol; a failure that is
    not definite may have been a delivery. `tls` is for receivers with certificates of one's own.
    """
    assert addresses
    assert len(body) <= BODY_BYTES_MAX
    talk = h11.Connection(h11.CLIENT, max_incomplete_event_size=HEAD_BYTES_MAX)
    request = _request(talk, target, headers, body)
    exchange: _Exchange | None = None
    try:
        async with asyncio.timeout(timeout_s):
            exchange = await _connected(target, addresses, tls, talk)
            await exchange.run(request)
    except TimeoutError:
        if exchange is None or exchange.status is None:
            sent = exchange is not None
            message = f"{target.host} did not answer within {timeout_s:g} s"
            raise Failure(Code.DEADLINE, message, definite=not sent) from None
    except (OSError, h11.RemoteProtocolError, EOFError) as error:
        if exchange is None or exchange.status is None:
            message = f"{target.host} broke off the exchange: {_said(error)}"
            raise Failure(Code.UNAVAILABLE, message, definite=exchange is None) from error
    finally:
        if exchange is not None:
            exchange.abort()
    assert exchange.status is not None
    return Answer(exchange.status, exchange.address)


class _Exchange:
    """One connection, one request, one answer."""

    def __init__(
        self,
        address: str,
        talk: h11.Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self.address = address
        self.status: int | None = None
        self._talk = talk
        self._reader = reader
        self._writer = writer

    async def run(self, request: bytes) -> None:
        """Send the request, and read until the answer or its limit ends."""
        self._writer.write(request)
        await self._writer.drain()
        read_bytes = 0
        while True:
            event = self._talk.next_event()
            if event is h11.NEED_DATA:
                if read_bytes >= ANSWER_BYTES_MAX:
                    if self.status is None:
                        raise EOFError(f"no answer in the first {read_bytes} bytes")
                    return
                chunk = await self._reader.read(CHUNK_BYTES)
                if not chunk and self.status is None:
                    raise EOFError("it hung up without an answer")
                read_bytes += len(chunk)
                self._talk.receive_data(chunk)
            elif isinstance(event, h11.Response):
                self.status = event.status_code
            elif isinstance(event, h11.EndOfMessage | h11.ConnectionClosed):
                return

    def abort(self) -> None:
        """Let go of the connection at once; a peer that does not say goodbye is not waited for."""
        self._writer.transport.abort()


def _request(
    talk: h11.Connection, target: Target, headers: Mapping[str, str], body: bytes
) -> bytes:
    named = [(name.lower().encode("ascii"), text.encode("ascii")) for name, text in headers.items()]
    assert not OWN_HEADERS & {name for name, _ in named}, "a header that is not the caller's to set"
    own = [
        (b"host", target.authority.encode("ascii")),
        (b"user-agent", f"aimem-node/{VERSION}".encode()),
        (b"accept-encoding", b"identity"),
        (b"connection", b"close"),
        (b"content-length", str(len(body)).encode()),
    ]
    head = h11.Request(method=b"POST", target=target.resource.encode("ascii"), headers=own + named)
    events: list[h11.Event] = [head, h11.Data(data=body), h11.EndOfMessage()]
    return b"".join(talk.send(event) or b"" for event in events)


async def _connected(
    target: Target, addresses: Sequence[str], tls: ssl.SSLContext | None, talk: h11.Connection
) -> _Exchange:
    """The first address that takes the call and proves the target's name."""
    failure: Failure | None = None
    for address in addresses[:ADDRESSES_TRIED_MAX]:
        try:
            async with asyncio.timeout(CONNECT_MS_MAX / 1e3):
                return _Exchange(address, talk, *await _dialled(target, address, tls))
        except TimeoutError:
            why = f"{target.host} did not take the call within {CONNECT_MS_MAX} ms"
        except ssl.SSLError as error:
            why = f"{target.host} did not prove its name: {_said(error)}"
        except OSError as error:
            why = f"{target.host} cannot be reached: {_said(error)}"
        failure = Failure(Code.UNAVAILABLE, f"{why} (at {address})")
    assert failure is not None
    raise failure


async def _dialled(
    target: Target, address: str, tls: ssl.SSLContext | None
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ip_address(address).version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        await loop.sock_connect(sock, (address, target.port))
        if target.scheme == "http":
            return await asyncio.open_connection(sock=sock, limit=CHUNK_BYTES)
        context = tls or _trusting_the_system()
        assert context.check_hostname
        assert context.verify_mode is ssl.CERT_REQUIRED
        return await asyncio.open_connection(
            sock=sock, limit=CHUNK_BYTES, ssl=context, server_hostname=target.host
        )
    except BaseException:
        with contextlib.suppress(OSError):
            sock.close()
        raise


@cache
def _trusting_the_system() -> ssl.SSLContext:
    # Not create_default_context: that one writes keys to a file if the environment asks it to.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_default_certs()
    return context


def _said(error: BaseException) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
