"""A request goes to the checked address and speaks of the name; an answer cannot do harm."""

import asyncio
import gzip
import ssl
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h11
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from aimem_node.contract.errors import Code, Failure
from aimem_node.outbound import posting
from aimem_node.outbound.posting import ANSWER_BYTES_MAX, Answer, post
from aimem_node.outbound.reachable import Allowed
from aimem_node.outbound.urls import Target, check_url, resolve

NAME = "hooks.example.com"
HERE = "127.0.0.1"
BODY = b'{"event":"memory_store"}'
TAKEN = b"HTTP/1.1 204 No Content\r\n\r\n"

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


class Receiver:
    """A server on this machine that hears a whole request and does what it is told then."""

    def __init__(self, answer: bytes | Serve = TAKEN, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[bytes] = []
        self.connections = 0
        self.server_names: list[str | None] = []
        self.port = 0
        self._answer = answer
        self._tls = tls
        if tls is not None:
            tls.sni_callback = lambda _, name, __: self.server_names.append(name)

    async def __aenter__(self) -> "Receiver":
        self._server = await asyncio.start_server(self._serve, HERE, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            self.requests.append(head + await reader.readexactly(len(BODY)))
            if isinstance(self._answer, bytes):
                writer.write(self._answer)
                await writer.drain()
            else:
                await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


def certificate(home: Path, name: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """What a server of that name needs, and what a client that trusts it does."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    cert = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2049, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    pem = home / f"{name}.pem"
    pem.write_bytes(
        cert
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(cadata=cert.decode())
    return server, client


def plain(port: int) -> Target:
    return check_url(f"http://localhost:{port}/hook?x=1", Allowed(loopback=True))


def play(scene: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(scene)


async def answered(answer: bytes | Serve, **options: Any) -> Answer:
    async with Receiver(answer) as receiver:
        return await post(plain(receiver.port), [HERE], {}, BODY, **options)


def failed(scene: Coroutine[Any, Any, Any]) -> Failure:
    with pytest.raises(Failure) as caught:
        play(scene)
    return caught.value


def test_the_request_is_one_plain_post_with_our_headers_and_the_callers() -> None:
    async def scene() -> None:
        async with Receiver() as receiver:
            answer = await post(plain(receiver.port), [HERE], {"X-Aimem-Delivery": "d-1"}, BODY)
        assert answer == Answer(204, HERE)
        assert answer.is_taken
        head, body = receiver.requests[0].split(b"\r\n\r\n")
        assert body == BODY
        lines = head.decode().split("\r\n")
        assert lines[0] == "POST /hook?x=1 HTTP/1.1"
        headers = {name.lower(): text for name, text in (line.split(": ") for line in lines[1:])}
        assert headers["host"] == f"localhost:{receiver.port}"
        assert headers["content-length"] == str(len(BODY))
        assert headers["x-aimem-delivery"] == "d-1"
        assert headers["accept-encoding"] == "identity"
        assert headers["connection"] == "close"

    play(scene())


def test_tls_and_host_speak_of_the_name_while_the_socket_goes_to_the_address(
    tmp_path: Path,
) -> None:
    server, client = certificate(tmp_path, NAME)

    async def scene() -> None:
        async with Receiver(tls=server) as receiver:
            target = check_url(f"https://{NAME}:{receiver.port}/x")
            answer = await post(target, [HERE], {}, BODY, tls=client)
        assert answer == Answer(204, HERE)
        assert receiver.server_names == [NAME]
        assert f"Host: {NAME}:{receiver.port}".lower().encode() in receiver.requests[0].lower()

    play(scene())


@pytest.mark.parametrize("trusts", [True, False])
def test_a_server_that_does_not_prove_the_name_hears_nothing(tmp_path: Path, trusts: bool) -> None:
    server, client = certificate(tmp_path, "evil.example.com" if trusts else NAME)

    async def scene() -> Receiver:
        async with Receiver(tls=server) as receiver:
            target = check_url(f"https://{NAME}:{receiver.port}/x")
            with pytest.raises(Failure, match="did not prove its name") as caught:
                await post(target, [HERE], {}, BODY, tls=client if trusts else None)
            assert caught.value.code is Code.UNAVAILABLE
            assert caught.value.definite
            return receiver

    assert play(scene()).requests == []


def test_a_name_that_changes_after_the_look_leads_nowhere_else() -> None:
    """Rebinding: checked once, called once, and whatever the name says by then is not asked."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    async def scene() -> Answer:
        allowed = Allowed(loopback=True)
        async with Receiver() as receiver:
            target = plain(receiver.port)
            addresses = await resolve(target, rebinding, allowed)
            return await post(target, addresses, {}, BODY)

    assert play(scene()) == Answer(204, "127.0.0.1")
    assert asked == ["localhost"]


def test_only_the_addresses_given_are_dialled(monkeypatch: pytest.MonkeyPatch) -> None:
    dialled: list[tuple[str, int]] = []

    async def scene() -> None:
        loop = asyncio.get_running_loop()

        async def connect(sock: Any, address: tuple[str, int]) -> None:
            dialled.append(address)
            raise ConnectionRefusedError(111, "refused")

        async def look_up(*_: Any, **__: Any) -> list[Any]:
            raise AssertionError("a second look-up")

        monkeypatch.setattr(loop, "sock_connect", connect)
        monkeypatch.setattr(loop, "getaddrinfo", look_up)
        target = check_url("https://rebinding.example/")
        with pytest.raises(Failure, match="cannot be reached"):
            await post(target, ["93.184.215.14", "2606:4700::1111"], {}, BODY)

    play(scene())
    assert dialled == [("93.184.215.14", 443), ("2606:4700::1111", 443)]


def test_the_next_address_is_tried_when_one_does_not_take_the_call() -> None:
    async def scene() -> Answer:
        async with Receiver() as receiver:
            return await post(plain(receiver.port), ["127.0.0.77", HERE], {}, BODY)

    assert play(scene()) == Answer(204, HERE)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_failure_and_is_not_followed(status: int) -> None:
    async def scene() -> None:
        async with Receiver() as trap:
            location = f"http://127.0.0.1:{trap.port}/".encode()
            answer = await answered(
                b"HTTP/1.1 %d Elsewhere\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n"
                % (status, location)
            )
        assert answer.status == status
        assert not answer.is_taken
        assert trap.connections == 0

    play(scene())


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        async with Receiver() as proxy:
            for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
                monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
            assert (await answered(TAKEN)).is_taken
        assert proxy.connections == 0

    play(scene())


async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Slow: 1\r\n")
        await writer.drain()
        await asyncio.sleep(0.01)


def test_a_receiver_that_says_nothing_or_dribbles_is_given_up_at_the_deadline() -> None:
    for serve in (silence, drip):
        failure = failed(answered(serve, timeout_s=0.2))
        assert failure.code is Code.DEADLINE
        assert not failure.definite  # it may have taken it


def test_a_taken_delivery_with_a_body_that_never_ends_is_taken() -> None:
    async def unending(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc")
        await reader.read()

    assert play(answered(unending, timeout_s=0.2)).is_taken


class Flood:
    """Sends until nobody listens, and counts."""

    def __init__(self, head: bytes, chunk: bytes) -> None:
        self.sent_bytes = 0
        self.stopped = asyncio.Event()
        self._head, self._chunk = head, chunk

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._head)
        try:
            while True:
                writer.write(self._chunk)
                await writer.drain()
                self.sent_bytes += len(self._chunk)
        finally:
            self.stopped.set()


BOMB = gzip.compress(bytes(50_000_000))
GIANTS = {
    "plain": (b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", bytes(65_536)),
    "chunked": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"10000\r\n" + bytes(65_536) + b"\r\n"),
    "until it hangs up": (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", bytes(65_536)),
    "a bomb": (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
               b"Content-Length: 99999999\r\n\r\n", BOMB),
}  # fmt: skip


@pytest.mark.parametrize("kind", GIANTS)
def test_of_a_giant_answer_little_is_read_and_nothing_is_kept(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []
    receive = h11.Connection.receive_data

    def counted(self: h11.Connection, chunk: bytes) -> None:
        read.append(len(chunk))
        receive(self, chunk)

    monkeypatch.setattr(h11.Connection, "receive_data", counted)

    async def scene() -> None:
        flood = Flood(*GIANTS[kind])
        assert (await answered(flood)).is_taken
        await flood.stopped.wait()

    play(scene())
    assert sum(read) <= ANSWER_BYTES_MAX + posting.CHUNK_BYTES


@pytest.mark.parametrize(
    ("head", "chunk"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-Filler: " + b"x" * 1000 + b"\r\n"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        (b"", b"x" * 4096),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"x" * 4096),
        (b"SSH-2.0-OpenSSH_9.6\r\n", b"x" * 4096),
    ],
)
def test_a_head_without_end_or_sense_is_a_failure(head: bytes, chunk: bytes) -> None:
    async def scene() -> None:
        flood = Flood(head, chunk)
        try:
            await answered(flood)
        finally:
            await flood.stopped.wait()

    failure = failed(scene())
    assert failure.code is Code.UNAVAILABLE
    assert not failure.definite


def test_hanging_up_without_an_answer_is_a_failure_that_may_have_been_a_delivery() -> None:
    failure = failed(answered(b""))
    assert failure.code is Code.UNAVAILABLE
    assert not failure.definite
    assert "hung up" in failure.message


def test_nobody_there_is_a_definite_failure() -> None:
    async def scene() -> None:
        async with Receiver() as receiver:
            port = receiver.port
        await post(plain(port), [HERE], {}, BODY)

    failure = failed(scene())
    assert failure.code is Code.UNAVAILABLE
    assert failure.definite


@pytest.mark.parametrize("header", [("Host", "evil"), ("content-length", "0"), ("TE", "gzip")])
def test_the_caller_cannot_set_the_headers_that_steer(header: tuple[str, str]) -> None:
    with pytest.raises(AssertionError):
        play(post(plain(1), [HERE], dict([header]), BODY))


def test_a_header_cannot_hold_another() -> None:
    with pytest.raises(h11.LocalProtocolError):
        play(post(plain(1), [HERE], {"X-Event": "a\r\nX-Evil: 1"}, BODY))


def test_a_context_that_checks_no_names_is_a_mistake_of_ours() -> None:
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    lax.check_hostname = False
    lax.verify_mode = ssl.CERT_NONE

    async def scene() -> None:
        async with Receiver() as receiver:
            target = check_url(f"https://{NAME}:{receiver.port}/")
            await post(target, [HERE], {}, BODY, tls=lax)

    with pytest.raises(AssertionError):
        play(scene())
