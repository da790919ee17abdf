"""A language model behind a server, as an option: it is asked one thing and answers in one text.

What it says is data to whoever asks: words to look for or an order of candidates, checked there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from aimem_node.embedding.embedder import Unavailable
from aimem_node.embedding.server import Server

ANSWER_TOKENS_MAX = 400


@dataclass(frozen=True, slots=True)
class Told:
    """What a language model said."""

    text: str
    unavailable: str = ""
    "Why it said nothing; empty if it did."


class LanguageModel:
    """A chat model. `kind`: ollama or openai."""

    def __init__(self, kind: str, model: str, server: Server) -> None:
        self._kind, self._model, self._server = kind, model, server
        self.name = f"{kind}:{model}"

    def answer(self, prompt: str) -> str:
        """What it says to this, at temperature 0. Waits for the server; raises Unavailable."""
        messages = [{"role": "user", "content": prompt}]
        body: dict[str, Any] = {"model": self._model, "messages": messages, "stream": False}
        try:
            if self._kind == "ollama":
                options = {"temperature": 0, "num_predict": ANSWER_TOKENS_MAX}
                told = self._server.ask("/api/chat", body | {"options": options})
                return str(told["message"]["content"])
            limits = {"temperature": 0, "max_tokens": ANSWER_TOKENS_MAX}
            told = self._server.ask("/v1/chat/completions", body | limits)
            return str(told["choices"][0]["message"]["content"])
        except (KeyError, IndexError, TypeError) as error:
            raise Unavailable(f"{self.name} gave no answer: {error!r}") from None
