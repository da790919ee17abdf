"""The bare HTTP client against a peer that says exactly what the test tells it to."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimem_node.client import wire_http
from aimem_node.client.wire_http import WireError, WireTimeoutError

Behaviour = Callable[[socket.socket], None]


@contextmanager
def peer(path: Path, behave: Behaviour) -> Iterator[str]:
    """One connection is accepted and handed to behave, then closed."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(1)

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            behave(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield str(path)
    finally:
        thread.join(10)
        listener.close()
        path.unlink()
    assert not thread.is_alive()


def read_request(connection: socket.socket) -> tuple[bytes, bytes]:
    """Head and body of one request, by its Content-Length."""
    held = b""
    while b"\r\n\r\n" not in held:
        held += connection.recv(65536)
    head, _, body = held.partition(b"\r\n\r\n")
    lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    size = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < size:
        body += connection.recv(65536)
    return head, body


def saying(*parts: bytes) -> Behaviour:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        for part in parts:
            connection.sendall(part)

    return behave


def test_a_request_carries_method_path_headers_and_body(tmp_path: Path) -> None:
    seen: list[tuple[bytes, bytes]] = []

    def behave(connection: socket.socket) -> None:
        seen.append(read_request(connection))
        connection.sendall(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\nX-A: b \r\n\r\nok")

    with peer(tmp_path / "s", behave) as path:
        answer = wire_http.request(path, "POST", "/a?b=c", b"{}", {"Accept": "application/json"})
    assert answer == (201, {"content-length": "2", "x-a": "b"}, b"ok")
    head, body = seen[0]
    assert body == b"{}"
    assert head.split(b"\r\n") == [
        b"POST /a?b=c HTTP/1.1",
        b"Accept: application/json",
        b"Host: localhost",
        b"Connection: close",
        b"Content-Length: 2",
    ]


def test_a_body_without_a_length_ends_with_the_connection(tmp_path: Path) -> None:
    with peer(tmp_path / "s", saying(b"HTTP/1.1 200 OK\r\n\r\n", b"ab", b"c")) as path:
        assert wire_http.request(path, "GET", "/")[2] == b"abc"


def test_words_ahead_of_the_answer_are_skipped(tmp_path: Path) -> None:
    said = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n"
    with peer(tmp_path / "s", saying(said)) as path:
        assert wire_http.request(path, "GET", "/") == (204, {}, b"")


@settings(max_examples=40, deadline=None)
@given(
    chunks=st.lists(st.binary(min_size=1, max_size=300), max_size=8),
    cuts=st.lists(st.integers(0, 3000), max_size=8),
)
def test_chunks_arrive_whole_wherever_the_wire_cuts_them(
    tmp_path_factory: pytest.TempPathFactory, chunks: list[bytes], cuts: list[int]
) -> None:
    framed = b"".join(b"%X;x=y\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks)
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + framed + b"0\r\nT: 1\r\n\r\n"
    edges = [0, *sorted({cut for cut in cuts if 0 < cut < len(said)}), len(said)]
    parts = [said[start:end] for start, end in pairwise(edges)]
    with peer(tmp_path_factory.mktemp("w") / "s", saying(*parts)) as path:
        assert wire_http.request(path, "GET", "/")[2] == b"".join(chunks)


def test_a_stream_gives_each_line_when_it_comes_and_not_later(tmp_path: Path) -> None:
    go_on = threading.Event()

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        connection.sendall(b'8\r\n{"a":1}\n\r\n')
        assert go_on.wait(10)
        connection.sendall(b"3\r\n{}\n\r\n1\r\nx\r\n0\r\n\r\n")

    with peer(tmp_path / "s", behave) as path, wire_http.open_answer(path, "GET", "/") as answer:
        lines = answer.lines()
        assert json.loads(next(lines)) == {"a": 1}
        go_on.set()
        assert list(lines) == [b"{}", b"x"]


def test_a_stream_in_pieces_outlives_its_time_limit_and_hangs_up_when_closed(
    tmp_path: Path,
) -> None:
    hung_up = threading.Event()

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\nab")
        assert connection.recv(1) == b""
        hung_up.set()

    with peer(tmp_path / "s", behave) as path:
        status, _, pieces = wire_http.stream(path, "GET", "/", timeout_s=5)
        assert (status, next(pieces)) == (200, b"ab")
        pieces.close()  # type: ignore[attr-defined]
    assert hung_up.is_set()


def test_where_nobody_listens_the_failure_is_definite(tmp_path: Path) -> None:
    with pytest.raises(WireError, match="no node answers at") as caught:
        wire_http.request(str(tmp_path / "none"), "GET", "/")
    assert caught.value.definite


def test_a_socket_path_that_is_too_long_is_a_definite_failure(tmp_path: Path) -> None:
    with pytest.raises(WireError) as caught:
        wire_http.request("/" + "x" * 200, "GET", "/")
    assert caught.value.definite


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "ended before"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", "3 bytes before"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nabcde", "no length"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", "no length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nab", "2 bytes before"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n", "longer than it"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1_0\r\n", "no length"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", "unknown coding"),
        (b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "no HTTP header"),
        (b"SSH-2.0-x\r\n", "no HTTP answer"),
        (b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 20_000, "head is larger"),
    ],
)
def test_an_answer_that_is_cut_or_wrong_is_an_indefinite_failure(
    tmp_path: Path, said: bytes, why: str
) -> None:
    def behave(connection: socket.socket) -> None:
        read_request(connection)
        try:
            connection.sendall(said)
        except OSError:
            return  # the client hung up on it already

    with peer(tmp_path / "s", behave) as path, pytest.raises(WireError, match=why) as caught:
        wire_http.request(path, "GET", "/")
    assert not caught.value.definite


def test_a_line_that_never_ends_is_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_http, "LINE_BYTES_MAX", 1000)
    with (
        peer(tmp_path / "s", saying(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 2000)) as path,
        wire_http.open_answer(path, "GET", "/") as answer,
        pytest.raises(WireError, match="longer than 1000"),
    ):
        list(answer.lines())


def test_silence_ends_as_a_timeout(tmp_path: Path) -> None:
    asked, done = threading.Event(), threading.Event()

    def behave(connection: socket.socket) -> None:
        read_request(connection)
        asked.set()
        assert done.wait(10)

    with peer(tmp_path / "s", behave) as path:
        with pytest.raises(WireTimeoutError) as caught:
            wire_http.request(path, "GET", "/", timeout_s=0.05)
        done.set()
    assert isinstance(caught.value, TimeoutError)
    assert not caught.value.definite


def test_a_refusal_that_comes_before_the_body_was_read_is_still_heard(tmp_path: Path) -> None:
    def behave(connection: socket.socket) -> None:
        connection.recv(100)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}")
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass

    with peer(tmp_path / "s", behave) as path:
        assert wire_http.request(path, "POST", "/", b"x" * 4_000_000)[0] == 413


@pytest.mark.parametrize(
    ("path", "headers"),
    [("/a b", {}), ("/a\r\nX: y", {}), ("/", {"A": "b\r\nX: y"}), ("/", [("A\n", "b")])],
)
def test_a_line_break_never_gets_into_the_head(path: str, headers: object) -> None:
    with pytest.raises(ValueError, match="line breaks"):
        wire_http.request("/nowhere", "GET", path, None, headers)  # type: ignore[arg-type]


def test_it_imports_nothing_that_a_hook_would_have_to_wait_for() -> None:
    program = (
        "import sys, socket, json, os, time\n"
        "before = set(sys.modules)\n"
        "import aimem_node.client.wire_http\n"
        "print('\\n'.join(sorted(set(sys.modules) - before)))\n"
    )
    # -S: without site, so that editable-install hooks import nothing on their own.
    root = Path(wire_http.__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, check=True, cwd=root
    )
    assert found.stdout.decode().split() == [
        "aimem_node",
        "aimem_node.client",
        "aimem_node.client.wire_http",
    ]
