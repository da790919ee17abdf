"""One request to an ASGI application, without a server between."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from aimem_node.contract.calls import Channel
from aimem_node.gateways.peercred import Peer

OWNER = Peer(Channel.UNIX, 1000, 42)


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    finished: bool = False

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Exchange:
    """One request whose caller can leave, and whose answer can be watched while it grows."""

    def __init__(self, method, target, body=b"", headers=None, peer=OWNER):
        path, _, query = target.partition("?")
        self.scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(k.lower().encode(), v.encode()) for k, v in (headers or {}).items()],
            "state": {"peer": peer},
        }
        self.answer = Answer()
        self.grew = asyncio.Condition()
        self._left = asyncio.Event()
        self._parts = [body] if isinstance(body, bytes) else list(body)

    def leave(self) -> None:
        self._left.set()

    async def receive(self):
        if self._parts:
            part = self._parts.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(self._parts)}
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message):
        if message["type"] == "http.response.start":
            self.answer.status = message["status"]
            self.answer.headers = {k.decode(): v.decode() for k, v in message["headers"]}
        else:
            self.answer.body += message["body"]
            self.answer.finished = not message.get("more_body", False)
        async with self.grew:
            self.grew.notify_all()

    async def until(self, text: bytes) -> None:
        """Wait until the body holds a text."""
        async with self.grew:
            await self.grew.wait_for(lambda: text in self.answer.body)

    async def run(self, gateway) -> Answer:
        await gateway(self.scope, self.receive, self.send)
        return self.answer


async def ask(gateway, method, target, body=None, headers=None, peer=OWNER) -> Answer:
    """The whole answer to one request."""
    told = dict(headers or {})
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body).encode()
    if body is not None:
        told.setdefault("content-type", "application/json")
    return await Exchange(method, target, body or b"", told, peer).run(gateway)
