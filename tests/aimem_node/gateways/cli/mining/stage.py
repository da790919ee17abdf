"""A real node without its sockets behind the fake one's, and the command as people type it."""

import json
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Failure
from aimem_node.gateways.cli import fast
from tests.aimem_node.gateways.cli.fake_node import Asked, FakeNode
from tests.harness import Harness


class Stage:
    """What a test mines into."""

    def __init__(self, fake: FakeNode, node: Harness, capsys: pytest.CaptureFixture[str]) -> None:
        self.fake = fake
        self.node = node
        self._capsys = capsys
        self.calls: list[str] = []
        self.refuse: Any = lambda _asked: None
        """What to answer instead of the node: status and body, or None."""
        fake.answer = self._answer

    def _answer(self, asked: Asked) -> tuple[int, Any]:
        instead = self.refuse(asked)
        if instead is not None:
            return instead
        try:
            if asked.path.startswith("/api/v1/export"):
                self.calls.append("export")
                namespace = asked.path.partition("namespace=")[2].partition("&")[0]
                return 200, self.node.stream("Export", namespace=namespace.replace("%2F", "/"))
            if asked.path == "/api/v1/import":
                self.calls.append("import")
                return 200, self.node.call("Import", **asked.body)
            record_id = asked.path.rpartition("/")[2]
            if asked.method == "GET":
                return 200, self.node.call("Get", id=record_id)
            self.calls.append("update")
            return 200, self.node.call("Update", id=record_id, **asked.body)
        except Failure as failure:
            return 400, {
                "error": failure.message, "code": str(failure.code), "path": failure.path,
                "next": failure.next, "definite": True,
            }  # fmt: skip

    def mine(self, *words: str) -> tuple[int, dict[str, Any]]:
        """Exit code and summary of `aimem mine`; calls begin anew."""
        self.calls = []
        self._capsys.readouterr()
        code = fast.main(["mine", *words, "--json"])
        told = self._capsys.readouterr()
        self.said_aside = told.err
        return code, json.loads(told.out) if told.out else {}

    def memories(self, namespace: str = "*") -> list[dict[str, Any]]:
        """What the node holds, in the order of titles."""
        listed = self.node.call("List", namespace=namespace, limit=1000)["memories"]
        return sorted(listed, key=lambda one: (one["title"], one["id"]))


def written(path: Path, value: Any) -> str:
    """A value as a JSON file; a list of texts as lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value)
    path.write_text(text, encoding="utf-8")
    return str(path)


def lines(*values: Any) -> str:
    """JSON lines."""
    return "".join(json.dumps(value) + "\n" for value in values)


def claude_chat(number: int, messages: int = 4, said: str = "word") -> dict[str, Any]:
    """A conversation as Claude exports it."""
    return {
        "uuid": f"chat-{number}",
        "name": f"Chat {number}",
        "created_at": "2025-03-01T08:00:00.000000Z",
        "chat_messages": [
            {
                "uuid": f"{number}-{n}",
                "sender": ("human", "assistant")[n % 2],
                "text": "",
                "content": [{"type": "text", "text": f"{said} {number}.{n}"}],
                "created_at": f"2025-03-01T08:{n % 60:02d}:00.500000+00:00",
            }
            for n in range(messages)
        ],
    }
