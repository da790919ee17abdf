"""All clients of a run, on all of its nodes.

Each node has its own clients, each client its own seed, and the rest is theirs: what one client
does never waits for another. The history is complete however it ends: every question has its
answer, if only that nobody heard one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

from aimem_node.client.seen import Seen
from aimem_node.contract.errors import Failure
from chaos.history import Recorder
from chaos.workload.asking import WAYS, Session, Told, is_write
from chaos.workload.client import Client
from chaos.workload.deeds import Deed, stored
from chaos.workload.knowing import Board, Own
from chaos.workload.speaking import Endpoint, GrpcSpeaker

SHARED: Final = 4
"""Records that every client edits: few, so that edits meet."""
PATIENCE_S: Final = 5.0
"""Of a client with one call: three times what a node takes to give a write up as pending."""
DEEDS_PER_S: Final = 8.0
"""Enough for every second of a fault to be noticed, and little enough for two cores to run several
clusters at a time: what is to be shown is what happens to the writes, not how many there can be."""
START_S: Final = 30.0
RETRY_S: Final = 0.2
LOOK_S: Final = 0.02


class Workload:
    """Start it on a whole cluster, stop it, settle it when the cluster is whole again."""

    def __init__(
        self, recorder: Recorder, endpoints: Iterable[Endpoint] | Mapping[str, Endpoint],
        seed: int, clients_per_node: int = 3, pause_s: float | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:  # fmt: skip
        """`pause_s`: the mean pause of a client between two deeds; None: so long that all of them
        together do DEEDS_PER_S. A node with fewer than three clients has not every transport."""
        given = endpoints.values() if isinstance(endpoints, Mapping) else endpoints
        self._endpoints = {one.name: one for one in given}
        self.acknowledged: list[int] = []
        "When each write was acknowledged, in ns of the recorder's clock."
        self.deeds = 0
        "Everything that was answered ok, reads too."
        self._recorder = recorder
        self._seed = seed
        self._clients_per_node = clients_per_node
        clients = clients_per_node * len(self._endpoints)
        self._pause_s = clients / DEEDS_PER_S if pause_s is None else pause_s
        self._patience_s = patience_s
        self._board = Board(f"chaos/{seed}")
        self._procs = itertools.count()
        self._born: Counter[str] = Counter()
        self._running: dict[Client, asyncio.Task[None]] = {}
        self._clients: list[Client] = []
        self._moved = asyncio.Event()
        self._token = ""

    async def start(self) -> None:
        """Store what all clients share, and let them begin. RuntimeError if the cluster does not
        take it within START_S."""
        first = next(iter(self._endpoints.values()))
        own = Own("first", f"{self._board.root}/shared")
        client = self._client(Session(
            self._recorder, lambda: next(self._procs), "grpc", first, self._patience_s
        ), own)  # fmt: skip
        self._clients.append(client)
        try:
            async with asyncio.timeout(START_S):
                client.session.hear(await self._rule(first))
                for number in range(SHARED):
                    word = f"shared{number}z"
                    deed = stored(own, self._board, f"{word} record", "Edited by all.", word)
                    await client.do_surely(deed)
        except TimeoutError:
            raise RuntimeError(f"{first.name} takes no writes: nothing can begin") from None
        self._board.shared = list(own.known)
        self._token = client.session.token
        await client.session.close()
        for endpoint in list(self._endpoints.values()):
            self._populate(endpoint)

    def add(self, endpoint: Endpoint) -> None:
        """A node that has joined, or is found elsewhere now."""
        self._endpoints[endpoint.name] = endpoint
        self._populate(endpoint)

    def drop(self, name: str) -> None:
        """A node that is not to be asked any more. Its own clients finish what they have in hand;
        what they leave open is settled elsewhere."""
        self._endpoints.pop(name, None)
        for client in self._running:
            if client.home.name == name:
                client.stopping.set()

    async def gone(self, name: str) -> None:
        """Drop a node, and return once nobody waits for an answer of it, its own clients or those
        that visit it: what a machine answers that belongs to another cluster by then is no answer
        of this one."""
        self.drop(name)
        until_s = asyncio.get_running_loop().time() + 2 * self._patience_s
        while self._is_asked(name) and asyncio.get_running_loop().time() < until_s:  # noqa: ASYNC110
            await asyncio.sleep(LOOK_S)

    def _is_asked(self, name: str) -> bool:
        return any(
            client.session.endpoint.name == name and not task.done()
            for client, task in self._running.items()
            if client.home.name == name or client.session.in_flight
        )

    async def until(self, deeds: int) -> None:
        """Return once so many were answered ok. Raises what ended a client before its time."""
        while self.deeds < deeds and not self._broken():
            self._moved.clear()
            await self._moved.wait()
        self._raise_broken()

    async def stop(self) -> None:
        """Let every client finish what it has in hand, for as long as two calls may take. Raises
        what ended a client before its time."""
        for client in self._running:
            client.stopping.set()
        tasks = list(self._running.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=2 * self._patience_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        for client in self._clients:
            await client.session.close()
        self._raise_broken()

    async def settle(self, timeout_s: float = 30.0) -> int:
        """Stop, ask for all that is open until it is settled, and read every put once more. Returns
        how many deeds are still open when the time is up."""
        await self.stop()
        until_s = asyncio.get_running_loop().time() + timeout_s
        async with asyncio.TaskGroup() as together:
            for client in self._clients:
                together.create_task(client.settle(until_s))
        return self.open

    @property
    def in_flight(self) -> int:
        """Questions that have no answer yet."""
        return sum(client.session.in_flight for client in self._clients)

    @property
    def open(self) -> int:
        """Deeds that may have been done."""
        return sum(len(client.open) for client in self._clients)

    # ---- clients -------------------------------------------------------------------------------

    def _populate(self, endpoint: Endpoint) -> None:
        self._born[endpoint.name] += 1
        life = self._born[endpoint.name]
        for number in range(self._clients_per_node):
            label = f"{endpoint.name}{number}" + (f"life{life}" if life > 1 else "")
            session = Session(
                self._recorder, lambda: next(self._procs), WAYS[number % len(WAYS)], endpoint,
                self._patience_s,
            )  # fmt: skip
            session.hear(self._token)
            client = self._client(session, Own(label, f"{self._board.root}/{label}"))
            self._clients.append(client)
            task = asyncio.create_task(client.run(), name=f"client {label}")
            task.add_done_callback(self._ended)
            self._running[client] = task

    def _client(self, session: Session, own: Own) -> Client:
        return Client(
            session, own, self._board, self._seed, self._pause_s,
            lambda: tuple(self._endpoints.values()), self._done,
        )  # fmt: skip

    def _done(self, deed: Deed, told: Told) -> None:
        self.deeds += 1
        if is_write(deed):
            self.acknowledged.append(told.t_ns)
        self._moved.set()

    def _ended(self, _task: asyncio.Task[None]) -> None:
        self._moved.set()

    def _broken(self) -> list[BaseException]:
        ended = [task for task in self._running.values() if task.done() and not task.cancelled()]
        return [error for task in ended if (error := task.exception()) is not None]

    def _raise_broken(self) -> None:
        for error in self._broken():
            raise error

    async def _rule(self, endpoint: Endpoint) -> str:
        """Have what is stored in one namespace wait for somebody else's word. Gives the token of
        who has seen that."""
        seen = Seen()
        speaker = GrpcSpeaker(endpoint, seen, self._patience_s)
        fields = {
            "namespace": self._board.votes,
            "rules": [{"action": "store", "level": "approve", "approver": "human"}],
            "options": {"request_key": f"{self._board.root}/rule"},
        }
        try:
            while True:
                with contextlib.suppress(Failure):
                    answer = await speaker.call("PolicySet", fields)
                    if answer["write"]["outcome"] == "committed":
                        return seen.token
                await asyncio.sleep(RETRY_S)
        finally:
            await speaker.close()
