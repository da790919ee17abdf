"""Five ways to call the same operation. A test is handed one and cannot tell which.

Each takes JSON fields and gives the JSON answer, or raises the same Failure.
"""

import asyncio
import json
import os
import subprocess
import sys
import threading
from contextlib import AsyncExitStack
from typing import Any, Protocol

from aimem_node import places
from aimem_node.client.sync import SyncClient
from aimem_node.client.wire_http import request as http_request
from aimem_node.contract import codec
from aimem_node.contract.errors import Code, Failure, from_json
from aimem_node.contract.operations import OPERATIONS

EXITS = {2: Code.INVALID_ARGUMENT, 3: Code.NOT_FOUND, 4: Code.CONFLICT, 6: Code.PERMISSION_DENIED}


class Way(Protocol):
    name: str

    def call(self, operation: str, **fields: Any) -> dict[str, Any]: ...

    def close(self) -> None: ...


class InProcess:
    name = "inprocess"

    def __init__(self, running: Any) -> None:
        self._running = running

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        return self._running.call(operation, **fields)

    def close(self) -> None:
        pass


class Grpc:
    name = "grpc"

    def __init__(self, running: Any) -> None:
        self._client = SyncClient.unix(running.socket("grpc"))

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        request = codec.from_json(OPERATIONS[operation].request, fields)
        return codec.to_json(self._client.call(operation, request))

    def close(self) -> None:
        self._client.close()


class Http:
    name = "http"

    def __init__(self, running: Any) -> None:
        self._socket = running.socket("http")

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        from urllib.parse import quote, urlencode

        rule = OPERATIONS[operation].http[0]
        path = rule.path
        rest = dict(fields)
        for name in rule.path_params:
            path = path.replace("{" + name + "}", quote(str(rest.pop(name)), safe=""))
        body = None
        if rule.body:
            body = json.dumps(rest).encode()
        elif rest:
            path += "?" + urlencode(list(pairs(rest)))
        status, _headers, answer = http_request(
            self._socket, rule.method, path, body, {"Content-Type": "application/json"}, 30
        )
        shown = json.loads(answer)
        if status >= 400:
            failure = from_json(shown)
            failure.http_status = status  # type: ignore[attr-defined]
            raise failure
        assert status == (OPERATIONS[operation].http_status or 200)
        return shown

    def close(self) -> None:
        pass


def pairs(fields: dict[str, Any]) -> Any:
    for name, value in fields.items():
        if isinstance(value, dict):
            yield from ((f"{name}.{inner}", text) for inner, text in pairs(value))
        elif isinstance(value, list):
            yield from ((name, str(one)) for one in value)
        elif isinstance(value, bool):
            yield name, "true" if value else "false"
        else:
            yield name, str(value)


class Mcp:
    """The official client over `aimem mcp`, as any AI client starts it."""

    name = "mcp"

    def __init__(self, running: Any) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._asked: asyncio.Queue[Any] = asyncio.Queue()
        self._ready = threading.Event()
        self._broken: BaseException | None = None
        self._life = asyncio.run_coroutine_threadsafe(self._live(running), self._loop)
        assert self._ready.wait(30), "the MCP client did not get ready"
        if self._broken:
            raise self._broken

    async def _live(self, running: Any) -> None:
        from mcp import Client, StdioServerParameters

        try:
            server = StdioServerParameters(
                command=running.aimem, args=["mcp", "--profile", "full"], env=running.env
            )
            async with AsyncExitStack() as stack:
                client = await stack.enter_async_context(Client(server))
                self._ready.set()
                while True:
                    asked = await self._asked.get()
                    if asked is None:
                        return
                    name, arguments, answer = asked
                    try:
                        answer.set_result(await client.call_tool(name, arguments))
                    except Exception as error:
                        answer.set_exception(error)
        except BaseException as error:
            self._broken = error
            self._ready.set()
            raise

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        import concurrent.futures

        declared = OPERATIONS[operation]
        arguments = dict(fields)
        if declared.rows:
            arguments["format"] = "json"
        answer: concurrent.futures.Future[Any] = concurrent.futures.Future()
        asked = (declared.mcp_name, arguments, answer)
        self._loop.call_soon_threadsafe(self._asked.put_nowait, asked)
        result = answer.result(30)
        text = result.content[0].text
        if result.is_error:
            raise said(text)
        return json.loads(text)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._asked.put_nowait, None)
        self._life.result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()


def said(text: str) -> Failure:
    """The failure behind MCP's text: CODE at $.path: message. Next: ..."""
    head, _, message = text.partition(": ")
    code, _, path = head.partition(" at ")
    message, _, step = message.partition(" Next: ")
    return Failure(Code(code), message.rstrip("."), path=path, next=step)


class Cli:
    """The command itself, one process a call."""

    name = "cli"

    def __init__(self, running: Any) -> None:
        self._running = running

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        declared = OPERATIONS[operation]
        arguments = [self._running.aimem, declared.cli_name, "--json"]
        positionals: list[str] = []
        gap = False
        for field in declared.fields:
            if field.name not in fields:
                gap = gap or field.positional
                continue
            value = fields[field.name]
            if field.name == "options":
                arguments.append(f"--request-key={value['request_key']}")
            elif field.positional and not gap:
                positionals += value if isinstance(value, list) else [str(value)]
            else:
                flag = "--" + field.name.replace("_", "-")
                many = value if isinstance(value, list) else [value]
                arguments += [f"{flag}={text(one)}" for one in many]
        done = subprocess.run(
            [*arguments, "--", *positionals], env=self._running.env, capture_output=True,
            text=True, timeout=30, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if done.returncode:
            lines = [line for line in done.stderr.strip().splitlines() if line]
            try:
                raise from_json(json.loads(lines[-1]))
            except ValueError:
                raise AssertionError(f"{done.args}: {done.stderr}") from None
        return json.loads(done.stdout)

    def close(self) -> None:
        pass


def text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value) if isinstance(value, dict) else str(value)


WAYS: dict[str, Any] = {way.name: way for way in (InProcess, Grpc, Http, Mcp, Cli)}


class Running:
    """A whole node in a thread of this process, with every way in open."""

    def __init__(
        self, data_dir: Any, runtime_dir: Any, settings: dict[str, Any] | None = None
    ) -> None:
        from aimem_node.clocks import SystemChance, SystemClock
        from aimem_node.config import load
        from aimem_node.contract.calls import Channel, Credentials
        from aimem_node.main import Node

        self.data_dir = data_dir
        self.env = {
            **os.environ,
            "AIMEM_DATA_DIR": str(data_dir),
            "AIMEM_RUNTIME_DIR": str(runtime_dir),
            "AIMEM_NO_START": "1",
        }
        self.aimem = os.path.join(os.path.dirname(sys.executable), "aimem")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        given = settings or {"http": "127.0.0.1:0", "http_open": True}
        self.node = Node(load(given, self.env), self.env)
        self.run(self.node.start(SystemClock(), SystemChance()))
        self.me = Credentials(channel=Channel.INPROCESS, uid=os.getuid(), surface="inprocess")

    def run(self, coroutine: Any, timeout_s: float = 60) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)

    def call(self, operation: str, **fields: Any) -> dict[str, Any]:
        request = codec.from_json(OPERATIONS[operation].request, fields)
        dispatcher = self.node.core.dispatcher  # type: ignore[union-attr]
        return codec.to_json(self.run(dispatcher.call(operation, request, self.me)))

    def socket(self, which: str) -> str:
        return places.socket_path(str(self.data_dir), which, self.env)

    def stop(self) -> None:
        self.run(self.node.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()
