"""HTTP/1.1 over a unix socket with the standard library's socket and nothing else.

Exists for one reason: the start of a process. Importing http.client costs 29 ms, grpc 64 ms;
this costs what socket costs, and it is what a session hook waits for. So no dataclasses, no
typing, no re in here, and none in what it imports. One request, one connection.
"""

import socket
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

HEAD_BYTES_MAX = 64 * 1024
"""Of status line and headers: generous for our own node, a bound against anybody else's."""

BODY_BYTES_MAX = 256 * 1024 * 1024
"""Of an answer that is read as a whole: above the largest page a node can give."""

LINE_BYTES_MAX = 16 * 1024 * 1024
"""Of one line in a stream: a record with everything at its bounds takes a tenth of it."""

PIECE_BYTES = 65536
"""Asked of the kernel at once."""


class WireError(OSError):
    """No complete answer came."""

    def __init__(self, message: str, *, definite: bool = False) -> None:
        """definite: nothing can have been done, because nobody was reached."""
        super().__init__(message)
        self.message = message
        self.definite = definite


class WireTimeoutError(WireError, TimeoutError):
    """No complete answer came in time."""


class Answer:
    """A response whose body has yet to be read: all at once, in pieces, or line by line."""

    def __init__(self, connection: "socket.socket", deadline_s: float) -> None:
        """Reads the head; WireError when there is none."""
        self._connection = connection
        self._deadline_s = deadline_s
        self._held = b""
        self.status, self.headers = self._head()

    def __enter__(self) -> "Answer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up; the node notices and stops a stream."""
        self._connection.close()

    def keep_waiting(self) -> None:
        """From here on wait for ever: for a stream of events that may stay silent for days."""
        self._deadline_s = float("inf")

    def body(self) -> bytes:
        """All of it."""
        pieces: list[bytes] = []
        size = 0
        for piece in self.pieces():
            size += len(piece)
            if size > BODY_BYTES_MAX:
                raise self._broken(f"the answer is larger than {BODY_BYTES_MAX} bytes")
            pieces.append(piece)
        return b"".join(pieces)

    def lines(self) -> "Iterator[bytes]":
        """Line by line without the newlines, as they come; the last may lack its newline."""
        begun: list[bytes] = []
        size = 0
        for piece in self.pieces():
            *ends, rest = piece.split(b"\n")
            for end in ends:
                yield b"".join([*begun, end])
                begun, size = [], 0
            begun.append(rest)
            size += len(rest)
            if size > LINE_BYTES_MAX:
                raise self._broken(f"a line is longer than {LINE_BYTES_MAX} bytes")
        if size:
            yield b"".join(begun)

    def pieces(self) -> "Iterator[bytes]":
        """As it comes, without the framing; WireError if it ends before its end."""
        if self.status in {204, 304}:
            return iter(())
        coding = self.headers.get("transfer-encoding", "").strip().lower()
        if coding == "chunked":
            return self._chunks()
        if coding:
            raise self._broken(f"the node answered in the unknown coding {coding[:40]!r}")
        length = self.headers.get("content-length")
        if length is None:
            return self._until_end()
        return self._exactly(self._number(length, 10))

    def _head(self) -> "tuple[int, dict[str, str]]":
        while True:
            status, headers = self._one_head()
            if status >= 200:  # below: "go on", or some other word ahead of the answer
                return status, headers

    def _one_head(self) -> "tuple[int, dict[str, str]]":
        first = self._line(HEAD_BYTES_MAX).decode("latin-1")
        version, _, rest = first.partition(" ")
        code = rest[:3]
        if version not in {"HTTP/1.1", "HTTP/1.0"} or not (code.isascii() and code.isdigit()):
            raise self._broken(f"that is no HTTP answer: {first[:40]!r}")
        headers: dict[str, str] = {}
        size = len(first)
        while True:
            line = self._line(HEAD_BYTES_MAX).decode("latin-1")
            if not line:
                return int(code), headers
            size += len(line)
            if size > HEAD_BYTES_MAX:
                raise self._broken(f"the answer's head is larger than {HEAD_BYTES_MAX} bytes")
            name, colon, value = line.partition(":")
            if not colon:
                raise self._broken(f"that is no HTTP header: {line[:40]!r}")
            headers[name.lower()] = value.strip()

    def _chunks(self) -> "Iterator[bytes]":
        while True:
            first = self._line(HEAD_BYTES_MAX).decode("latin-1")
            size = self._number(first.partition(";")[0], 16)
            if size == 0:
                break
            yield from self._exactly(size)
            if self._line(HEAD_BYTES_MAX):
                raise self._broken("a chunk is longer than it said")
        while self._line(HEAD_BYTES_MAX):  # trailers, which nobody here needs
            pass

    def _exactly(self, size: int) -> "Iterator[bytes]":
        while size:
            piece = self._some()
            if not piece:
                raise self._broken(f"the connection ended {size} bytes before the answer did")
            piece, self._held = piece[:size], piece[size:]
            size -= len(piece)
            yield piece

    def _until_end(self) -> "Iterator[bytes]":
        piece = self._some()
        while piece:
            yield piece
            piece = self._some()

    def _line(self, bytes_max: int) -> bytes:
        """Up to the next newline, without it and a carriage return before it."""
        while b"\n" not in self._held:
            if len(self._held) > bytes_max:
                raise self._broken("a line of the answer's framing is too long")
            more = self._receive()
            if not more:
                raise self._broken("the connection ended before the answer did")
            self._held += more
        line, _, self._held = self._held.partition(b"\n")
        return line[:-1] if line.endswith(b"\r") else line

    def _some(self) -> bytes:
        held, self._held = self._held, b""
        return held or self._receive()

    def _receive(self) -> bytes:
        try:
            _limit(self._connection, self._deadline_s)
            return self._connection.recv(PIECE_BYTES)
        except TimeoutError:
            self.close()
            raise WireTimeoutError("no answer in time") from None
        except OSError as error:
            raise self._broken(f"the connection broke: {error.strerror or error}") from None

    def _broken(self, message: str) -> WireError:
        self.close()
        return WireError(message)

    def _number(self, text: str, base: int) -> int:
        word = text.strip().lower()
        if not word or len(word) > 16 or word.strip("0123456789abcdef"[:base]):
            raise self._broken(f"{word[:20]!r} is no length")
        return int(word, base)


def request(
    path_to_socket: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: "Mapping[str, str] | Sequence[tuple[str, str]]" = (),
    timeout_s: float = 30.0,
) -> "tuple[int, dict[str, str], bytes]":
    """One call: status, headers by lower-case name, body. timeout_s bounds all of it.

    WireError with definite true when no node was reached, else nobody knows what was done;
    WireTimeoutError when time ran out after the node was reached.
    """
    with open_answer(path_to_socket, method, path, body, headers, timeout_s) as answer:
        return answer.status, answer.headers, answer.body()


def stream(
    path_to_socket: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: "Mapping[str, str] | Sequence[tuple[str, str]]" = (),
    timeout_s: float = 30.0,
) -> "tuple[int, dict[str, str], Iterator[bytes]]":
    """Like request, with the body in pieces as they come. Use them up, or close them.

    timeout_s bounds the time to status and headers only: events may be days apart.
    """
    answer = open_answer(path_to_socket, method, path, body, headers, timeout_s)
    answer.keep_waiting()
    return answer.status, answer.headers, _closing(answer)


def _closing(answer: Answer) -> "Iterator[bytes]":
    with answer:
        yield from answer.pieces()


def open_answer(
    path_to_socket: str,
    method: str,
    path: str,
    body: bytes | None = None,
    headers: "Mapping[str, str] | Sequence[tuple[str, str]]" = (),
    timeout_s: float = 30.0,
) -> Answer:
    """Like request, but the caller reads the body and must close the answer."""
    message = _message(method, path, body, headers)
    deadline_s = time.monotonic() + timeout_s
    connection = connected(path_to_socket, deadline_s)
    try:
        _send(connection, message, deadline_s)
        return Answer(connection, deadline_s)
    except BaseException:
        connection.close()
        raise


def _send(connection: "socket.socket", message: bytes, deadline_s: float) -> None:
    try:
        _limit(connection, deadline_s)
        connection.sendall(message)
    except TimeoutError:
        raise WireTimeoutError("the node did not take the request in time") from None
    except OSError:
        return  # it may have refused early, without reading all: then its answer is there to read


def connected(path_to_socket: str, deadline_s: float) -> "socket.socket":
    """A connection to the socket; WireError, definite, when nobody listens there."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _limit(connection, deadline_s)
        connection.connect(path_to_socket)
    except OSError as error:
        connection.close()
        why = error.strerror or str(error)
        message = f"no node answers at {path_to_socket}: {why}"
        raise WireError(message, definite=True) from None
    return connection


def _message(
    method: str,
    path: str,
    body: bytes | None,
    headers: "Mapping[str, str] | Sequence[tuple[str, str]]",
) -> bytes:
    pairs = list(headers.items()) if hasattr(headers, "items") else list(headers)
    pairs += [("Host", "localhost"), ("Connection", "close")]
    if body is not None:
        pairs.append(("Content-Length", str(len(body))))
    first = f"{method} {path} HTTP/1.1"
    words = [first, *(f"{name}: {value}" for name, value in pairs)]
    if first.count(" ") != 2 or any("\r" in word or "\n" in word for word in words):
        raise ValueError("a request's path and headers take no line breaks, the path no spaces")
    return "\r\n".join([*words, "", ""]).encode("latin-1") + (body or b"")


def _limit(connection: "socket.socket", deadline_s: float) -> None:
    """Let the next step take until the deadline; TimeoutError when it has passed."""
    if deadline_s == float("inf"):
        connection.settimeout(None)
        return
    left_s = deadline_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError
    connection.settimeout(left_s)
