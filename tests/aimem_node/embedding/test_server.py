"""Models behind a server: a real one on this machine, that plays Ollama and the rest, and worse."""

import json
import math
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from aimem_node.embedding import server as module
from aimem_node.embedding.embedder import Unavailable
from aimem_node.embedding.server import ServedEmbedder, Server

np = pytest.importorskip("numpy")

WAIT_S = 10.0
VECTORS = {"aimem": [1.0, 0.0, 0.0], "red": [0.0, 3.0, 4.0], "tea": [0.0, 0.0, 9.0]}


class Played:
    """A server whose answers a test may replace, and which remembers what it was asked."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[tuple[str, str, Mapping[str, str], Any]] = []
        self.digest = "sha256:one"
        self.names = ["nomic-embed-text:latest", "bge-m3:567m"]
        self.answers: dict[str, Callable[[Any], tuple[int, Any]]] = {
            "/api/tags": self._tags,
            "/api/embed": lambda body: (200, {"embeddings": [VECTORS[t] for t in body["input"]]}),
            "/v1/embeddings": lambda body: (200, {"data": self._backwards(body["input"])}),
        }
        "By path: of the body that came, the status and what is sent, as JSON unless it is bytes."
        self.headers: dict[str, str] = {}
        self.endless = b""
        "Sent instead of an answer, again and again, until the other side has had enough."
        self.left = threading.Event()
        "The other side had enough."
        self.slowly = threading.Event()
        "Set by a test that does not want the parts to come at once."

    def _tags(self, _body: Any) -> tuple[int, Any]:
        return 200, {"models": [{"name": name, "digest": self.digest} for name in self.names]}

    @staticmethod
    def unknown(_body: Any) -> tuple[int, Any]:
        """What it says of a path that it does not know."""
        return 404, {"error": "what?"}

    @staticmethod
    def _backwards(texts: list[str]) -> list[Any]:
        rows = [{"index": at, "embedding": VECTORS[text]} for at, text in enumerate(texts)]
        return rows[::-1]


def handler(played: Played) -> type[BaseHTTPRequestHandler]:
    """What answers as it is played."""

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_words: Any) -> None:
            """Nothing: a test says what is wrong."""

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def _answer(self, body: Any) -> None:
            played.asked.append((self.command, self.path, dict(self.headers), body))
            if played.endless:
                return self._never_end()
            status, said = played.answers.get(self.path, played.unknown)(body)
            raw = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            for name, value in {"Content-Length": str(len(raw)), **played.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(raw)
            return None

        def _never_end(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(played.endless)
                    if played.slowly.is_set():
                        played.left.wait(0.01)
            except OSError:
                played.left.set()

    return Handler


@pytest.fixture
def played() -> Iterator[Played]:
    """What the server plays."""
    made = Played()
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(made)) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield made
        made.left.set()
        server.shutdown()
        thread.join()


def embedder(
    played: Played, kind: str = "ollama", model: str = "nomic-embed-text", key: str = "",
    prefix: str = "", timeout_s: float = WAIT_S,
) -> ServedEmbedder:  # fmt: skip
    """A model behind it."""
    return ServedEmbedder(kind, model, Server(played.url + prefix, key, timeout_s))


def refused(work: Callable[[], Any]) -> Unavailable:
    """What is said of something that does not come about; there must be something to do."""
    with pytest.raises(Unavailable) as caught:
        work()
    assert caught.value.next
    return caught.value


KINDS = [("ollama", "/api/embed"), ("openai", "/v1/embeddings")]


# -- what goes well ------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_each_text_gets_its_own_vector_at_length_1(played: Played, kind: str) -> None:
    rows = embedder(played, kind).embed(["red", "tea", "aimem", "red"])
    assert rows.dtype == np.float32
    expected = [[0, 0.6, 0.8], [0, 0, 1], [1, 0, 0], [0, 0.6, 0.8]]
    assert np.allclose(rows, expected, atol=1e-6)


@pytest.mark.parametrize(("kind", "path"), KINDS)
def test_the_texts_and_the_model_are_sent_and_nothing_else(played, kind, path) -> None:
    embedder(played, kind).embed(["red", "tea"])
    method, where, headers, body = played.asked[-1]
    assert (method, where) == ("POST", path)
    assert body == {"model": "nomic-embed-text", "input": ["red", "tea"]}
    assert headers["Content-Type"] == "application/json"
    assert "Authorization" not in headers


def test_the_space_says_what_the_model_is(played: Played) -> None:
    space = embedder(played).space
    assert (space.name, space.dimension) == ("ollama:nomic-embed-text", 3)
    assert len(space.fingerprint) == 32
    assert embedder(played, "openai", "small").space.name == "openai:small"


def test_vectors_are_comparable_as_long_as_the_model_is_the_same(played: Played) -> None:
    first = embedder(played).space.fingerprint
    assert embedder(played).space.fingerprint == first
    seen = {first, embedder(played, "openai").space.fingerprint}
    seen.add(embedder(played, model="bge-m3:567m").space.fingerprint)
    played.digest = "sha256:two"
    seen.add(embedder(played).space.fingerprint)
    assert len(seen) == 4


def test_another_server_with_the_same_model_gives_the_same_space(played: Played) -> None:
    here = embedder(played, "openai").space
    played.answers["/proxy/v1/embeddings"] = played.answers["/v1/embeddings"]
    assert embedder(played, "openai", prefix="/proxy").space == here


def test_the_key_is_sent_with_every_call(played: Played) -> None:
    for kind in ("openai", "ollama"):
        embedder(played, kind, key="s3cret").embed(["tea"])
    assert {headers["Authorization"] for _, _, headers, _ in played.asked} == {"Bearer s3cret"}


@pytest.mark.parametrize("prefix", ["/models/here", "/models/here/"])
def test_a_path_in_the_address_is_kept(played: Played, prefix: str) -> None:
    played.answers = {f"/models/here{path}": said for path, said in played.answers.items()}
    for kind in ("ollama", "openai"):
        assert embedder(played, kind, prefix=prefix).embed(["tea"]).shape == (1, 3)
    assert all(path.startswith("/models/here/") for _, path, _, _ in played.asked)


def test_a_server_gives_no_vectors_of_tokens(played: Played) -> None:
    assert "rerank" in refused(lambda: embedder(played).token_vectors(["tea"])).next


# -- what goes wrong ---------------------------------------------------------------------------


def test_a_model_that_ollama_lacks_is_told_with_the_line_that_brings_it(played: Played) -> None:
    told = refused(lambda: embedder(played, model="mxbai-embed-large"))
    assert "has no model 'mxbai-embed-large'" in told.why
    assert told.next == "ollama pull mxbai-embed-large"


def test_a_part_of_a_name_is_no_name(played: Played) -> None:
    assert refused(lambda: embedder(played, model="bge-m3")).next == "ollama pull bge-m3"


@pytest.mark.parametrize(
    ("status", "step"),
    [(500, "log"), (503, "log"), (429, "log"), (404, "name of the model"),
     (401, "embedder_key_file"), (403, "embedder_key_file"), (204, "log")],
)  # fmt: skip
@pytest.mark.parametrize(("kind", "path"), KINDS)
def test_a_status_that_is_no_answer_is_told(played, kind, path, status, step) -> None:
    played.answers[path] = lambda _body: (status, b"" if status == 204 else b"model runner died")
    told = refused(lambda: embedder(played, kind))
    assert f"{path} answered {status}: " in told.why
    assert status == 204 or "model runner died" in told.why
    assert step in told.next


def test_of_a_long_complaint_the_beginning_is_shown(played: Played) -> None:
    played.answers["/api/embed"] = lambda _body: (500, b"x" * 100_000)
    assert len(refused(lambda: embedder(played)).why) < 300


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_a_redirect_is_not_followed(played, kind: str, status: int) -> None:
    played.headers["Location"] = f"{played.url}/elsewhere"
    for path in played.answers:
        played.answers[path] = lambda _body: (status, b"")
    told = refused(lambda: embedder(played, kind, key="s3cret"))
    assert f"answered {status}" in told.why
    assert "embedder_url" in told.next
    assert len(played.asked) == 1


@pytest.mark.parametrize(("kind", "path"), KINDS)
@pytest.mark.parametrize(
    "said", [b"", b"<html>hello</html>", b'{"embeddings": [', b"\xff\xfe", b"[" * 100_000], ids=len
)
def test_what_is_no_json_is_told(played, kind, path, said: bytes) -> None:
    played.answers[path] = lambda _body: (200, said)
    assert f"{path} answered no JSON" in refused(lambda: embedder(played, kind)).why


@pytest.mark.parametrize(
    "row",
    [None, 7.0, "text", {}, [], [[1.0, 2.0]], ["text"], [10**400], [[1.0], [2.0, 3.0]]],
    ids=str,
)
@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_what_is_no_vector_is_told(played: Played, kind: str, row: Any) -> None:
    played.answers["/api/embed"] = lambda _body: (200, {"embeddings": [row]})
    data = [{"index": 0, "embedding": row}]
    played.answers["/v1/embeddings"] = lambda _body: (200, {"data": data})
    assert "gave no vectors" in refused(lambda: embedder(played, kind)).why


@pytest.mark.parametrize(
    "data", [[], [7], [None], [{}], [{"index": 0}], [{"embedding": [1.0]}], {"index": 0}], ids=str
)
def test_a_list_that_lacks_what_it_should_have_is_told(played: Played, data: Any) -> None:
    played.answers["/v1/embeddings"] = lambda _body: (200, {"data": data})
    assert "gave no vectors" in refused(lambda: embedder(played, "openai")).why


@pytest.mark.parametrize("answer", [None, 7, [], "text", {}, {"embeddings": None, "data": None}])
@pytest.mark.parametrize(("kind", "path"), KINDS)
def test_an_answer_of_another_shape_is_told(played, kind, path, answer: Any) -> None:
    played.answers[path] = lambda _body: (200, answer)
    assert "gave no vectors" in refused(lambda: embedder(played, kind)).why


@pytest.mark.parametrize("listed", [None, [], {}, {"models": None}, {"models": {"name": "x"}}])
def test_a_server_that_is_no_ollama_is_told(played: Played, listed: Any) -> None:
    played.answers["/api/tags"] = lambda _body: (200, listed)
    assert "is no Ollama" in refused(lambda: embedder(played)).why


def test_a_list_of_models_with_something_else_in_it_is_read_on(played: Played) -> None:
    models = [None, 7, {}, {"name": "nomic-embed-text:latest", "digest": "sha256:one"}]
    expected = embedder(played).space
    played.answers["/api/tags"] = lambda _body: (200, {"models": models})
    assert embedder(played).space == expected


@pytest.mark.parametrize(
    "vector", [[0.0, 0.0, 0.0], [math.nan, 1, 1], [math.inf, 1, 1], [None, 1, 1]]
)
@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_a_vector_that_is_no_direction_is_refused(played, monkeypatch, kind, vector) -> None:
    made = embedder(played, kind)
    monkeypatch.setitem(VECTORS, "tea", vector)
    refused(lambda: made.embed(["red", "tea"]))
    assert made.embed(["red"]).shape == (1, 3)


@pytest.mark.parametrize("kind", ["ollama", "openai"])
def test_vectors_of_another_dimension_than_before_are_refused(played, monkeypatch, kind) -> None:
    made = embedder(played, kind)
    monkeypatch.setitem(VECTORS, "tea", [1.0, 2.0])
    assert "another dimension: 2" in refused(lambda: made.embed(["tea"])).why


def test_a_vector_for_each_text_and_each_in_one_place_or_none(played: Played) -> None:
    made = embedder(played, "openai")
    rows = [{"index": at, "embedding": [1.0, 2.0, 3.0]} for at in (0, 0)]
    played.answers["/v1/embeddings"] = lambda _body: (200, {"data": rows})
    refused(lambda: made.embed(["red", "tea"]))
    ollama = embedder(played)
    played.answers["/api/embed"] = lambda _body: (200, {"embeddings": [[1.0, 2.0, 3.0]]})
    refused(lambda: ollama.embed(["red", "tea"]))


def test_a_closed_port_is_told(played: Played) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        told = refused(lambda: ServedEmbedder("ollama", "m", Server(url)))
    assert told.why.startswith(f"{url} does not answer: ")
    assert "Start the model server" in told.next


@pytest.mark.parametrize("url", ["http://", "http://[", "http://127.0.0.1:99999999", "http://a b"])
def test_an_address_that_is_none_is_told(url: str) -> None:
    assert "does not answer" in refused(lambda: Server(url).ask("/api/tags")).why


def test_a_server_that_does_not_speak_http_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            other, _ = listening.accept()
            with other:
                other.recv(1 << 16)
                other.sendall(b"220 mail.example ready\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert "does not answer" in refused(lambda: Server(url, "", WAIT_S).ask("/api/tags")).why
        thread.join()


def test_a_server_that_says_nothing_is_not_waited_for_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert "timed out" in refused(lambda: Server(url, "", 0.05).ask("/api/tags")).why


def test_an_answer_that_never_ends_is_read_to_its_bound_and_no_further(played, monkeypatch) -> None:
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 1 << 20)
    played.endless = b" " * (1 << 16)
    told = refused(lambda: embedder(played))
    assert f"answered more than {1 << 20} bytes" in told.why
    assert played.left.wait(WAIT_S)


def test_an_answer_that_comes_in_drops_is_given_up(played: Played) -> None:
    played.endless = b" "
    played.slowly.set()
    told = refused(lambda: embedder(played, timeout_s=0.2))
    assert "does not answer" in told.why
    assert played.left.wait(WAIT_S)


def test_an_answer_of_just_the_bound_is_read(played: Played, monkeypatch) -> None:
    monkeypatch.setattr(module, "ANSWER_BYTES_MAX", 1000)
    played.answers["/api/tags"] = lambda _body: (200, b"[]".ljust(1000))
    assert Server(played.url).ask("/api/tags") == []
    played.answers["/api/tags"] = lambda _body: (200, b"[]".ljust(1001))
    assert "more than 1000 bytes" in refused(lambda: Server(played.url).ask("/api/tags")).why


# -- the key stays where it is --------------------------------------------------------------------


@pytest.mark.parametrize("key", ["s3cret\nX-More: 1", "s3cret\r\n", "s3cret€", "s3cret\0"])
def test_a_key_that_cannot_be_sent_is_not_shown_either(played: Played, key: str) -> None:
    told = refused(lambda: embedder(played, "openai", key=key))
    assert "s3cret" not in told.why + told.next
    assert "€" not in told.why
    assert played.asked == []


def test_a_server_that_repeats_the_key_does_not_bring_it_into_the_log(played: Played) -> None:
    played.answers["/v1/embeddings"] = lambda _body: (401, b"wrong API key: s3cret!")
    told = refused(lambda: embedder(played, "openai", key="s3cret"))
    assert "answered 401: wrong API key: …!" in told.why
