"""Nothing that comes in is without a bound (promise F5): bodies however they are framed, packed
bodies, header blocks, lines, messages, nesting and numbers; and bytes drawn by chance.

Behind every way in stands a dispatch that must not be asked: what is too large is refused before.
"""

import gzip
import json
import random
import socket
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import grpc
import pytest

from aimem_node.contract.descriptors import contract_pool, message_class
from aimem_node.contract.operations import OPERATIONS
from aimem_node.gateways.mcp_socket import MESSAGE_BYTES_MAX, PREFACE_BYTES_MAX
from aimem_node.gateways.reading import BODY_BYTES_MAX, QUERY_PAIRS_MAX
from aimem_node.gateways.serving import HEADER_BYTES_MAX
from aimem_node.rpc.grpc_server import METADATA_BYTES_MAX, REQUEST_BYTES_MAX
from tests.surfaces.stub import Stub

STORE = b'{"title":"t","content":"c"}'
JSON = b"Content-Type: application/json\r\n"
PREFACE = b'{"aimem_mcp":1,"profile":"core","agent_id":null}\n'
ENDLESS = 64 * 1024 * 1024
"""What a caller would send who is not stopped."""


@pytest.fixture(scope="module")
def stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stub]:
    opened = Stub(tmp_path_factory.mktemp("s"))
    yield opened
    assert opened.call("Health") is not None
    opened.stop()


@pytest.fixture(autouse=True)
def nothing_asked(stub: Stub) -> Iterator[None]:
    """The dispatch stays out of it, and the node is well afterwards."""
    stub.dispatch.asked.clear()
    yield
    assert stub.dispatch.asked == []
    status, _ = post(stub, STORE)
    assert status == 201


def talk(
    path: str, *parts: bytes, closes: bool = False, endless: Iterable[bytes] = ()
) -> tuple[bytes, int]:
    """Send parts until the other side has had enough; what it said, and how much it took.

    Closes: this side is closed then, which to HTTP is a caller that has left.
    """
    sent = 0
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(10)
        connection.connect(path)
        try:
            for part in chain(parts, endless):
                connection.sendall(part)
                sent += len(part)
        except (BrokenPipeError, ConnectionResetError):
            pass
        heard = b""
        try:
            if closes:
                connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65_536):
                heard += piece
        except OSError:
            pass
    return heard, sent


def head(path: str = "/api/v1/memories", more: bytes = b"", method: str = "POST") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n".encode() + JSON + more + b"\r\n"


def status_of(heard: bytes) -> int:
    return int(heard.split(b" ", 2)[1]) if heard.startswith(b"HTTP/1.1") else 0


def post(stub: Stub, body: bytes, more: bytes = b"", path: str = "/api/v1/memories") -> Any:
    framed = b"Connection: close\r\nContent-Length: %d\r\n" % len(body)
    heard, _ = talk(stub.socket("http"), head(path, framed + more), body)
    shown = heard.partition(b"\r\n\r\n")[2]
    return status_of(heard), shown


def chunks() -> Iterator[bytes]:
    """The pieces of a body that never ends; only whoever takes it can end it."""
    piece = b"%x\r\n" % 65_536 + b" " * 65_536 + b"\r\n"
    while True:
        yield piece


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(stub: Stub) -> None:
    heard, _ = talk(stub.socket("http"), head(more=b"Content-Length: 99999999999\r\n"))
    assert status_of(heard) == 413


@pytest.mark.parametrize("path", ["/api/v1/memories", "/mcp"])
def test_a_body_in_chunks_without_end_is_cut_off(stub: Stub, path: str) -> None:
    more = b"Transfer-Encoding: chunked\r\nAccept: application/json, text/event-stream\r\n"
    heard, _ = talk(stub.socket("http"), head(path, more), endless=chunks())
    assert status_of(heard) in (413, 0)


def test_one_byte_more_than_the_largest_body_is_too_much(stub: Stub) -> None:
    fits = STORE + b" " * (BODY_BYTES_MAX - len(STORE))
    assert post(stub, fits)[0] == 201
    stub.dispatch.asked.clear()
    assert post(stub, fits + b" ")[0] == 413


@pytest.mark.parametrize("size", [HEADER_BYTES_MAX + 1, ENDLESS])
@pytest.mark.parametrize("place", ["path", "query", "header", "headers"])
def test_a_head_without_end_is_cut_off(stub: Stub, place: str, size: int) -> None:
    start = {
        "path": b"GET /", "query": b"GET /api/v1/stats?", "header": b"GET / HTTP/1.1\r\nX: ",
        "headers": b"GET / HTTP/1.1\r\n",
    }[place]  # fmt: skip
    piece = b"a:b\r\n" * 8192 if place == "headers" else b"a" * 65_536
    heard, sent = talk(stub.socket("http"), start, *[piece] * (size // len(piece) + 1))
    assert status_of(heard) in (400, 0)
    assert sent < max(ENDLESS, 4 * HEADER_BYTES_MAX)


def test_a_query_of_too_many_pairs_is_refused(stub: Stub) -> None:
    query = "&".join(["tags=a"] * (QUERY_PAIRS_MAX + 1))
    raw = head(f"/api/v1/memories?{query}", b"Connection: close\r\n", "GET")
    assert status_of(talk(stub.socket("http"), raw)[0]) == 400


@pytest.mark.parametrize("kind", ["gzip", "deflate", "br", "GZIP"])
def test_a_packed_body_is_refused_unopened(stub: Stub, kind: str) -> None:
    bomb = gzip.compress(b" " * ENDLESS) if kind != "deflate" else zlib.compress(b" " * ENDLESS)
    status, said = post(stub, bomb, f"Content-Encoding: {kind}\r\n".encode())
    assert status == 415
    assert "Content-Encoding" in json.loads(said)["next"]


NESTED = [
    b"[" * 1_000_000,
    b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    b'{"a":' * 65 + b"1" + b"}" * 65,
]
NUMBERS = [b"9" * 1_000_000, b"1e999999999", b"-" + b"9" * 400]


@pytest.mark.parametrize("value", NESTED + NUMBERS, ids=lambda value: f"{value[:6]!r}{len(value)}")
def test_nesting_and_numbers_have_an_end_in_a_body(stub: Stub, value: bytes) -> None:
    body = STORE[:-1] + b',"metadata":{"x":' + value + b"}}"
    assert post(stub, body)[0] == 400


@pytest.mark.parametrize("value", NESTED + NUMBERS, ids=lambda value: f"{value[:6]!r}{len(value)}")
@pytest.mark.parametrize("version", [b"", b"Mcp-Protocol-Version: 2026-07-28\r\n"])
def test_nesting_and_numbers_have_an_end_in_mcp_over_http(
    stub: Stub, value: bytes, version: bytes
) -> None:
    body = call_of(STORE[:-1] + b',"metadata":{"x":' + value + b"}}")
    accept = b"Accept: application/json, text/event-stream\r\n"
    assert post(stub, body, accept + version, "/mcp")[0] == 400


def call_of(arguments: bytes) -> bytes:
    params = b'{"name":"memory_store","arguments":' + arguments + b"}"
    return b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":' + params + b"}"


@pytest.mark.parametrize("value", NESTED + NUMBERS, ids=lambda value: f"{value[:6]!r}{len(value)}")
def test_nesting_and_numbers_have_an_end_in_a_line_of_mcp(stub: Stub, value: bytes) -> None:
    line = call_of(STORE[:-1] + b',"metadata":{"x":' + value + b"}}") + b"\n"
    heard, _ = talk(stub.socket("mcp"), PREFACE, line, closes=True)
    assert b'"error"' in heard or b'"isError":true' in heard


def test_a_line_of_mcp_without_end_is_cut_off(stub: Stub) -> None:
    piece = b" " * 65_536
    heard, sent = talk(stub.socket("mcp"), *[piece] * (ENDLESS // len(piece)), closes=True)
    assert b"longer than %d" % PREFACE_BYTES_MAX in heard or sent < ENDLESS
    heard, sent = talk(stub.socket("mcp"), PREFACE, *[piece] * (ENDLESS // len(piece)), closes=True)
    assert b"longer than %d" % MESSAGE_BYTES_MAX in heard or sent < ENDLESS
    assert sent < ENDLESS / 2


def grpc_call(stub: Stub, message: bytes, **more: Any) -> grpc.StatusCode:
    big = [("grpc.max_send_message_length", -1), ("grpc.max_metadata_size", 64 << 20)]
    with grpc.insecure_channel(f"unix:{stub.socket('grpc')}", options=big) as channel:
        call = channel.unary_unary(
            OPERATIONS["Store"].grpc_path, lambda sent: sent, lambda heard: heard
        )
        with pytest.raises(grpc.RpcError) as caught:
            call(message, timeout=30, **more)
    code: grpc.StatusCode = caught.value.code()
    return code


def test_a_message_of_grpc_has_a_largest_size_packed_or_not(stub: Stub) -> None:
    large = b"\x12" + b"\0" * REQUEST_BYTES_MAX
    assert grpc_call(stub, large) is grpc.StatusCode.RESOURCE_EXHAUSTED
    packed = {"compression": grpc.Compression.Gzip}
    assert grpc_call(stub, large, **packed) is grpc.StatusCode.RESOURCE_EXHAUSTED
    bomb = b"\0" * ENDLESS
    assert grpc_call(stub, bomb, **packed) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_metadata_of_grpc_has_a_largest_size(stub: Stub) -> None:
    metadata = (("x-large", "a" * (4 * METADATA_BYTES_MAX)),)
    code = grpc_call(stub, b"", metadata=metadata)
    assert code in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE)


@pytest.mark.parametrize("value", NESTED + NUMBERS, ids=lambda value: f"{value[:6]!r}{len(value)}")
def test_nesting_and_numbers_have_an_end_in_a_message_of_grpc(stub: Stub, value: bytes) -> None:
    made = message_class(contract_pool(), "aimem.v1.StoreRequest")(
        title="t", content="c", metadata='{"x":' + value.decode() + "}"
    )
    assert grpc_call(stub, made.SerializeToString()) is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("seed", range(30))
@pytest.mark.parametrize("which", ["http", "mcp", "grpc"])
def test_bytes_drawn_by_chance_harm_nobody(stub: Stub, which: str, seed: int) -> None:
    chance = random.Random(seed)
    sound = {
        "http": head(more=b"Content-Length: %d\r\n" % len(STORE)) + STORE,
        "mcp": PREFACE + call_of(STORE) + b"\n",
        "grpc": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0",
    }[which]
    broken = bytearray(sound)
    for _ in range(chance.randrange(1, 12)):
        at = chance.randrange(len(broken))
        match chance.randrange(3):
            case 0:
                broken[at] = chance.randrange(256)
            case 1:
                del broken[at : at + chance.randrange(1, 20)]
            case _:
                broken[at:at] = chance.randbytes(chance.randrange(1, 200))
        if not broken:
            break
    talk(stub.socket(which), bytes(broken), closes=True)
    stub.dispatch.asked.clear()  # some of it may still be a request
