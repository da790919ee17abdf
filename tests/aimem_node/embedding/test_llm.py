"""A language model behind a server: one prompt, one text."""

from collections.abc import Mapping
from typing import Any

import pytest

from aimem_node.embedding.embedder import Unavailable
from aimem_node.embedding.llm import LanguageModel


class Played:
    """A server that answers what it is told to, and keeps what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[tuple[str, Any]] = []

    def ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        self.asked.append((path, body))
        return self.answer


@pytest.mark.parametrize(
    ("kind", "path", "answer"),
    [
        ("ollama", "/api/chat", {"message": {"content": "yes"}}),
        ("openai", "/v1/chat/completions", {"choices": [{"message": {"content": "yes"}}]}),
    ],
)
def test_it_is_asked_as_its_server_wants_and_its_answer_is_bounded(
    kind: str, path: str, answer: Any
) -> None:
    server = Played(answer)
    model = LanguageModel(kind, "m", server)  # type: ignore[arg-type]
    assert (model.answer("really?"), model.name) == ("yes", f"{kind}:m")
    [(asked, body)] = server.asked
    assert (asked, body["model"], body["stream"]) == (path, "m", False)
    assert body["messages"] == [{"role": "user", "content": "really?"}]
    assert "num_predict" in body["options"] if kind == "ollama" else "max_tokens" in body


@pytest.mark.parametrize("answer", [{}, [], {"message": None}, {"choices": []}, "text"])
def test_an_answer_of_another_shape_is_no_answer(answer: Any) -> None:
    for kind in ("ollama", "openai"):
        with pytest.raises(Unavailable, match="gave no answer"):
            LanguageModel(kind, "m", Played(answer)).answer("?")  # type: ignore[arg-type]
