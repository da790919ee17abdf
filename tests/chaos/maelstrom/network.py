"""Adapter nodes on a network in virtual time that loses, delays and cuts, as Maelstrom's does.

The same seed is the same run. Clients are never cut off and wait for nothing: what a node answers
them is theirs at once, as in Maelstrom, where they count as standing beside their node.
"""

import heapq
import json
from collections.abc import Sequence
from random import Random
from typing import Any

from chaos.maelstrom.node import Node, Settings

MS = 1_000
SECOND = 1_000_000
TICK_US = 100 * MS
CLIENT = "c1"


class Network:
    """Some nodes, initialised as Maelstrom does it: one after the other."""

    def __init__(self, seed: int, count: int, settings: Settings) -> None:
        self.rng = Random(seed)
        self.settings = settings
        self.now_us = 10 * SECOND
        self.names = [f"n{number}" for number in range(1, count + 1)]
        self.nodes: dict[str, Node] = {}
        self.logged: list[str] = []
        self.answers: dict[int, dict[str, Any]] = {}
        "Bodies of answers, by the number of the question."
        self.messages = 0
        self.loss = 0.0
        self.latency_us = (0, 5 * MS)
        self.cut: set[tuple[str, str]] = set()
        "Directed pairs between which nothing passes."
        self._heap: list[tuple[int, int, str, bytes]] = []
        self._count = 0
        self._asked = 0
        for name in self.names:
            self.start(name)

    def start(self, name: str) -> None:
        """A new process of this name, that knows nothing."""
        incarnation = f"{self.rng.getrandbits(64):016x}"
        self.nodes[name] = Node(incarnation, self.settings, self.logged.append, 1_700 * SECOND)
        body = self.ask(name, "init", node_id=name, node_ids=self.names)
        assert body is not None
        assert body["type"] == "init_ok"

    def ask(self, name: str, kind: str, **fields: Any) -> dict[str, Any] | None:
        """Ask a node something; the body of its answer, if that came at once."""
        self._asked += 1
        body = {"type": kind, "msg_id": self._asked, **fields}
        line = json.dumps({"src": CLIENT, "dest": name, "body": body}).encode()
        self._out(name, self.nodes[name].feed(line, self.now_us))
        return self.answers.get(self._asked)

    @property
    def last_asked(self) -> int:
        return self._asked

    def run(self, length_us: int) -> None:
        """Let time pass."""
        until_us = self.now_us + length_us
        tick_us = self.now_us
        while True:
            wakes = (node.wake_at_us() for node in self.nodes.values())
            due_us = min([tick_us, *(wake for wake in wakes if wake is not None)])
            if self._heap and self._heap[0][0] <= min(due_us, until_us):
                self.now_us, _, name, line = heapq.heappop(self._heap)
                self._out(name, self.nodes[name].feed(line, self.now_us))
            elif due_us <= until_us:
                self.now_us = max(self.now_us, due_us)
                for name, node in self.nodes.items():
                    self._out(name, node.tick(self.now_us))
                tick_us = self.now_us + TICK_US
            else:
                break
        self.now_us = until_us

    def part(self, *sides: Sequence[str]) -> None:
        """Let nothing pass between these sides."""
        side_of = {name: number for number, side in enumerate(sides) for name in side}
        self.cut = {
            (a, b) for a in self.names for b in self.names if side_of.get(a) != side_of.get(b)
        }

    def heal(self) -> None:
        """From now on everything arrives, and soon."""
        self.cut.clear()
        self.loss = 0.0
        self.latency_us = (0, 5 * MS)

    def _out(self, name: str, lines: Sequence[bytes]) -> None:
        for line in lines:
            message = json.loads(line)
            assert message["src"] == name
            assert b"\n" not in line
            dest = message["dest"]
            if dest == CLIENT:
                reply_to = message["body"]["in_reply_to"]
                assert reply_to not in self.answers, "a request is answered once"
                self.answers[reply_to] = message["body"]
                continue
            assert dest in self.nodes, f"a message to {dest}, who is not there, makes {name} mute"
            self.messages += 1
            if (name, dest) in self.cut or self.rng.random() < self.loss:
                continue
            self._count += 1
            at_us = self.now_us + self.rng.randint(*self.latency_us)
            heapq.heappush(self._heap, (at_us, self._count, dest, line))
