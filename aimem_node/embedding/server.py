"""Models behind a server that somebody has configured: Ollama, or what speaks as OpenAI does.

The only calls that a node makes for texts, and only to the address in its settings. Each has a
timeout and a bound on what it takes in.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import time
import urllib.parse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aimem_node.embedding.embedder import Space, Unavailable
from aimem_node.embedding.onnx_model import unit_rows

if TYPE_CHECKING:
    from aimem_node.embedding.embedder import Matrix, Vector

OLLAMA_URL = "http://127.0.0.1:11434"
TIMEOUT_S = 30.0
ANSWER_BYTES_MAX = 64 << 20
TOKENS_MAX = 8192
PART_BYTES = 1 << 16
SHOWN_CHARS = 200
ADDRESS = "embedder_url or llm_url"
CHECK_ADDRESS = f"Check that {ADDRESS} is the address of a model server."
CHECK_KEY = "Put the key alone into the file that embedder_key_file or llm_key_file names."


@dataclass(frozen=True, slots=True)
class Server:
    """Where a server is and how to be let in."""

    url: str
    key: str = ""
    timeout_s: float = TIMEOUT_S

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """Its JSON answer to a POST, or to a GET without a body. Raises Unavailable."""
        if not (self.key.isascii() and self.key.isprintable()):
            # Said here, since the library would quote the key.
            raise Unavailable("the key of the model server is not one line of ASCII", CHECK_KEY)
        try:
            status, raw = self._exchange(path, body)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unavailable(
                f"{self.url} does not answer: {error}",
                f"Start the model server, or correct {ADDRESS}.",
            ) from None
        if status != 200:
            said = raw.decode(errors="replace")
            if self.key:  # some servers repeat what they refuse
                said = said.replace(self.key, "…")
            raise Unavailable(
                f"{self.url}{path} answered {status}: {said[:SHOWN_CHARS]}", _next_after(status)
            )
        if len(raw) > ANSWER_BYTES_MAX:
            raise Unavailable(
                f"{self.url}{path} answered more than {ANSWER_BYTES_MAX} bytes", CHECK_ADDRESS
            )
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            raise Unavailable(f"{self.url}{path} answered no JSON", CHECK_ADDRESS) from None

    def _exchange(self, path: str, body: Mapping[str, Any] | None) -> tuple[int, bytes]:
        """Status and body, of which no more is read than shows that it is too long."""
        parts = urllib.parse.urlsplit(self.url)
        secure = parts.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        ends_s = time.monotonic() + self.timeout_s
        connection = kind(parts.hostname or "", parts.port, timeout=self.timeout_s)
        try:
            connection.request(
                "GET" if body is None else "POST",
                parts.path.rstrip("/") + path,
                None if body is None else json.dumps(body).encode(),
                headers,
            )
            raw = bytearray()
            with connection.getresponse() as answer:  # which may hold the socket by now
                while len(raw) <= ANSWER_BYTES_MAX and (part := answer.read1(PART_BYTES)):
                    raw += part
                    # The timeout of the socket is for each part, and a server may send tiny ones.
                    if time.monotonic() > ends_s:
                        raise TimeoutError("it began to answer and did not come to an end")
            return answer.status, bytes(raw)
        finally:
            connection.close()


def _next_after(status: int) -> str:
    if status in {401, 403}:
        return CHECK_KEY
    if status == 404:
        return f"Check the name of the model, and {ADDRESS}."
    if 300 <= status < 400:
        return f"Set {ADDRESS} to where the server really is: it is followed nowhere."
    return "Look into the log of the model server."


class ServedEmbedder:
    """An embedder behind a server. `kind`: ollama or openai."""

    def __init__(self, kind: str, model: str, server: Server) -> None:
        self._kind, self._model, self._server = kind, model, server
        # What a server calls by one name may be another model tomorrow; Ollama at least says so.
        told = f"{kind}\n{model}\n{self._digest()}"
        dimension = int(self._vectors(["aimem"]).shape[1])
        fingerprint = hashlib.sha256(f"{told}\n{dimension}".encode()).hexdigest()[:32]
        self.space = Space(fingerprint, f"{kind}:{model}", dimension, TOKENS_MAX)

    def question(self, text: str) -> Vector:
        """See Embedder."""
        vector: Vector = self.embed([text])[0]
        return vector

    def embed(self, texts: Sequence[str]) -> Matrix:
        """See Embedder."""
        found = self._vectors(texts)
        if found.shape[1] != self.space.dimension:
            raise Unavailable(
                f"{self.space.name} gave vectors of another dimension: {found.shape[1]}",
                "Restart the node, if the server has another model of this name now.",
            )
        return found

    def token_vectors(self, texts: Sequence[str]) -> list[Matrix]:  # noqa: ARG002 - as all have it
        """A server has none."""
        raise Unavailable(
            f"{self.space.name} gives no vectors of tokens", "Set rerank to off or onnx:DIR."
        )

    def _vectors(self, texts: Sequence[str]) -> Matrix:
        import numpy as np

        body = {"model": self._model, "input": list(texts)}
        try:
            if self._kind == "ollama":
                rows = self._server.ask("/api/embed", body)["embeddings"]
            else:
                given = self._server.ask("/v1/embeddings", body)["data"]
                by_place = {one["index"]: one["embedding"] for one in given}
                rows = [by_place[at] for at in range(len(texts))]
            found = np.array(rows, dtype=np.float32)
            if found.ndim != 2 or len(found) != len(texts) or not found.size:
                raise ValueError(f"{found.shape} for {len(texts)} texts")
        except (LookupError, TypeError, ValueError, OverflowError) as error:
            raise Unavailable(
                f"{self._server.url} gave no vectors: {error!r}", CHECK_ADDRESS
            ) from None
        return unit_rows(found)

    def _digest(self) -> str:
        if self._kind != "ollama":
            return ""
        listed = self._server.ask("/api/tags")
        models = listed.get("models") if isinstance(listed, dict) else None
        if not isinstance(models, list):
            raise Unavailable(f"{self._server.url} is no Ollama", CHECK_ADDRESS)
        names = {self._model, f"{self._model}:latest"}
        for one in models:
            if isinstance(one, dict) and one.get("name") in names:
                return str(one.get("digest", ""))
        raise Unavailable(
            f"Ollama at {self._server.url} has no model {self._model!r}",
            f"ollama pull {self._model}",
        )
