"""Three processes, and a router between them as Maelstrom is one."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 30
LINE_BYTES_MAX = 16 << 20


class Router:
    """Passes lines between processes, and asks them things."""

    def __init__(self) -> None:
        self.nodes: dict[str, Process] = {}
        self.cut: set[str] = set()
        "Nodes that neither hear the others nor are heard by them."
        self.waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}

    async def start(self, names: list[str], *argv: str) -> None:
        for name in names:
            self.nodes[name] = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "chaos.maelstrom", *argv,
                cwd=ROOT, stdin=PIPE, stdout=PIPE, limit=LINE_BYTES_MAX,
            )  # fmt: skip
        self.readers = [asyncio.create_task(self._pass(name)) for name in names]
        for name in names:
            await self.ask(name, "init", node_id=name, node_ids=names)

    async def stop(self) -> list[int]:
        for node in self.nodes.values():
            assert node.stdin is not None
            node.stdin.close()
        codes = [await asyncio.wait_for(node.wait(), PATIENCE_S) for node in self.nodes.values()]
        await asyncio.gather(*self.readers)
        return codes

    async def ask(self, name: str, kind: str, **fields: Any) -> dict[str, Any]:
        number = len(self.waiting) + 1
        answer = self.waiting[number] = asyncio.get_running_loop().create_future()
        body = {"type": kind, "msg_id": number, **fields}
        self._put(name, json.dumps({"src": "c1", "dest": name, "body": body}).encode() + b"\n")
        return await asyncio.wait_for(answer, PATIENCE_S)

    async def _pass(self, name: str) -> None:
        out = self.nodes[name].stdout
        assert out is not None
        async for line in out:
            message = json.loads(line)
            if message["dest"] == "c1":
                self.waiting[message["body"]["in_reply_to"]].set_result(message["body"])
            elif not {name, message["dest"]} & self.cut:
                self._put(message["dest"], line)

    def _put(self, name: str, line: bytes) -> None:
        source = self.nodes[name].stdin
        assert source is not None
        if not source.is_closing():
            source.write(line)


async def _play(router: Router, names: list[str]) -> list[int]:
    for number in range(150):
        router.cut = {"n3"} if 50 <= number < 100 else set()
        answer = await router.ask(names[number % 3], "add", element=number)
        assert answer["type"] == "add_ok"
    for name in names:
        while len((await router.ask(name, "read"))["value"]) < 150:
            pass  # asked again as soon as it has answered
    return await router.stop()


def test_three_processes_come_to_one_set_after_one_was_cut_off() -> None:
    async def run() -> list[int]:
        router, names = Router(), ["n1", "n2", "n3"]
        try:
            await router.start(names, "--workload", "g-set")
            return await asyncio.wait_for(_play(router, names), PATIENCE_S)
        finally:
            for node in router.nodes.values():
                if node.returncode is None:
                    node.kill()
                    await node.wait()

    assert asyncio.run(run()) == [0, 0, 0]
