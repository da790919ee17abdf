"""What a node confirmed, whom it answered, and how much it sent: written down as it happens.

Only the node itself can say which confirmations it gave before it was shot. A line is written
before its frame goes out: no confirmation is known to others that does not stand here.
"""

# ruff: noqa: SLF001 - a seam stands where nobody else should

from __future__ import annotations

import atexit
import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any, Final

from aimem_node.rpc.peer_net import PeerNet
from aimem_node.rpc.peer_pipe import Pipe
from aimem_node.rpc.peer_server import PeerServer
from aimem_sync.messages import AppendAck, Beat, Message, Status

KEEP_EVERY_S: Final = 0.5


class Notebook:
    """The notebook of one node, by its name. Goes on where an earlier process ended."""

    def __init__(self, directory: Path, name: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._acks = (directory / f"acks.{name}.jsonl").open("a", encoding="utf-8")
        self._traffic_file = directory / f"traffic.{name}.json"
        self._traffic = {"messages": 0, "bytes": 0}
        with contextlib.suppress(OSError, ValueError):
            self._traffic = json.loads(self._traffic_file.read_text(encoding="utf-8"))
        self._served: set[tuple[str, int, str]] = set()

    def install(self) -> None:
        """Stand where frames leave and calls arrive."""
        send, put, guarded = PeerNet.send, Pipe.send, PeerServer._guarded
        notes = self

        def noted(net: PeerNet, node_id: str, message: Message) -> None:
            notes._confirmed(node_id, message)
            send(net, node_id, message)

        def counted(pipe: Pipe, frame: bytes, *, is_beat: bool = False) -> None:
            notes._traffic["messages"] += 1
            notes._traffic["bytes"] += len(frame)
            put(pipe, frame, is_beat=is_beat)

        async def answered(server: PeerServer, name: str, context: Any, work: Any) -> Any:
            async def seen(call: Any) -> Any:
                notes._answered(call.caller.node_id, server._known().epoch, name)
                return await work(call)

            return await guarded(server, name, context, seen)

        patched: Any = (PeerNet, Pipe, PeerServer)
        patched[0].send, patched[1].send, patched[2]._guarded = noted, counted, answered
        threading.Thread(target=self._keep, name="chaos-evidence", daemon=True).start()
        atexit.register(self._count)

    def _confirmed(self, to: str, message: Message) -> None:
        if isinstance(message, AppendAck) and message.status is Status.OK:
            said = [(message.origin, message.durable_seq)]
        elif isinstance(message, Beat):
            said = [(origin, head.seq) for origin, head in message.heads.items()]
        else:
            return
        for origin, seq in said:
            self._write(to=to, origin=str(origin), seq=seq, incarnation=message.incarnation)

    def _answered(self, whom: str, epoch: int, what: str) -> None:
        if (whom, epoch, what) not in self._served:
            self._served.add((whom, epoch, what))
            self._write(served=whom, epoch=epoch, what=what)

    def _write(self, **line: Any) -> None:
        told = {"t_ns": time.monotonic_ns(), **line}
        self._acks.write(json.dumps(told, separators=(",", ":")) + "\n")
        self._acks.flush()

    def _keep(self) -> None:
        while True:
            time.sleep(KEEP_EVERY_S)
            self._count()

    def _count(self) -> None:
        """In place of the last counts, as a whole: half a file would begin again from nothing."""
        aside = self._traffic_file.with_suffix(".new")
        aside.write_text(json.dumps(self._traffic), encoding="utf-8")
        aside.replace(self._traffic_file)
