"""Several whole nodes in one process, joined by links that a test can break.

Real TLS, real streams, real files; only the machines are missing. Every node dials every other one
through a link of its own, so that any pair can be parted, in one direction or both.
"""

import asyncio
import contextlib
import os
import secrets
import socket
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from aimem_node.clocks import SystemChance, SystemClock
from aimem_node.config import load
from aimem_node.contract import codec
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.operations import OPERATIONS
from aimem_node.main import Node
from aimem_node.replica.certs import der_of
from aimem_node.replica.identity import Identity
from aimem_node.replica.replica import META_NODE_ID
from aimem_node.replica.standing import META_CLUSTER_ID, encode_proof
from aimem_node.store.session import WriteSession
from aimem_node.store.store import Store
from aimem_sync.members import Config, Member, Role, encode_config
from chaos.link import Link

WAIT_S = 30.0
PORTS_FROM, PORTS_UPTO = 20_000, 32_000
"""Below the range from which systems give ports to outgoing connections."""


def free_port() -> int:
    """A port of this machine that nobody has now, and that no outgoing connection will be given."""
    while True:
        port = PORTS_FROM + secrets.randbelow(PORTS_UPTO - PORTS_FROM)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


class ShiftedClock(SystemClock):
    """The machine's clock, wrong by as much as a test wants. Durations stay right."""

    def __init__(self) -> None:
        self.shift_us = 0

    def now_us(self) -> int:
        return super().now_us() + self.shift_us

    def move(self, *, seconds: float = 0) -> None:
        self.shift_us += round(seconds * 1_000_000)


class Team:
    """Nodes a, b, c, ... of one cluster, all voters."""

    def __init__(self, root: Path, size: int, *, spare: int = 0) -> None:
        self.root = root
        self.names = [chr(ord("a") + at) for at in range(size + spare)]
        self.ports = {name: free_port() for name in self.names}
        self.clocks = {name: ShiftedClock() for name in self.names}
        self.nodes: dict[str, Node] = {}
        self.links: dict[tuple[str, str], Link] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.identities = {
            name: Identity.load_or_create(str(self.dir(name)), SystemChance())
            for name in self.names
        }
        self.ids = {name: one.node_id for name, one in self.identities.items()}
        self._names_by_id = {node_id: name for name, node_id in self.ids.items()}
        self._found(self.names[:size])
        self.run(self._link_all())
        for name in self.names[:size]:
            self.start(name)

    # ---- assembling ----------------------------------------------------------------------------

    def dir(self, name: str) -> Path:
        return self.root / name

    def _found(self, names: list[str]) -> None:
        """Write the same first epoch, with all of them in it, into every store."""
        members = [
            Member(
                one.node_id, (one.fingerprint,), Role.VOTER, name, f"127.0.0.1:{self.ports[name]}",
                (der_of(one.cert_pem),),
            )
            for name, one in self.identities.items()
            if name in names
        ]  # fmt: skip
        members.sort(key=lambda member: member.node_id)
        cluster_id = SystemChance().token_hex(16)
        config = encode_config(Config(1, tuple(members), cluster_id=cluster_id))

        def write(session: WriteSession) -> None:
            session.put_meta(META_CLUSTER_ID, cluster_id.encode())
            session.put_config(1, config, encode_proof(()))

        for name in names:
            store = Store.open(self.dir(name), lambda _why: None)
            store.writer.submit(partial(_own, self.ids[name].encode())).result()
            store.writer.submit(write).result()
            store.close()

    async def _link_all(self) -> None:
        for one in self.names:
            for other in self.names:
                if one != other:
                    link = self.links[one, other] = Link("127.0.0.1", self.ports[other])
                    await link.start()

    def start(self, name: str, **settings: Any) -> Node:
        env = {
            **os.environ,
            "AIMEM_DATA_DIR": str(self.dir(name)),
            "AIMEM_RUNTIME_DIR": str(self.root / f"r{name}"),
            "AIMEM_NO_START": "1",
        }
        given = {"peer": f"127.0.0.1:{self.ports[name]}", "name": name, **settings}
        node = Node(load(given, env), env)

        def dial(node_id: str, address: str) -> str:
            other = self._names_by_id.get(node_id)
            link = self.links.get((name, other or ""))
            return address if link is None else f"127.0.0.1:{link.port}"

        node.dial = dial
        self.run(node.start(self.clocks[name], SystemChance()))
        self.nodes[name] = node
        return node

    def stop(self, name: str) -> None:
        self.run(self.nodes.pop(name).stop())

    def close(self) -> None:
        for name in list(self.nodes):
            self.stop(name)
        for link in self.links.values():
            self.run(link.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    # ---- using ---------------------------------------------------------------------------------

    def run(self, coroutine: Any, timeout_s: float = 60) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout_s)

    def call(self, name: str, operation: str, session: Any = None, **fields: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.run(self.acall(name, operation, session, **fields))
        return answer

    async def acall(
        self, name: str, operation: str, session: Any = None, **fields: Any
    ) -> dict[str, Any]:
        me = Credentials(Channel.INPROCESS, uid=os.getuid(), surface="inprocess", session=session)
        request = codec.from_json(OPERATIONS[operation].request, fields)
        core = self.nodes[name].core
        assert core is not None
        answer: dict[str, Any] = codec.to_json(await core.dispatcher.call(operation, request, me))
        return answer

    def store(self, name: str, title: str, content: str = "worth keeping", **fields: Any) -> Any:
        return self.call(name, "Store", title=title, content=content, **fields)

    def titles(self, name: str) -> list[str]:
        found = self.call(name, "List", limit=1000)["memories"]
        return sorted(one["title"] for one in found)

    def have(self, name: str) -> dict[str, int]:
        core = self.nodes[name].core
        assert core is not None
        return {str(origin): seq for origin, seq in core.plane.core.intake.have()}

    def digest(self, name: str) -> str:
        return str(self.call(name, "NodeStatus")["digest"])

    def until(self, true: Callable[[], Any], what: str, timeout_s: float = WAIT_S) -> Any:
        """What `true` gives once it gives something, looked at on the nodes' own loop."""

        async def look() -> Any:
            deadline = self._loop.time() + timeout_s
            while True:
                found = true()
                if found:
                    return found
                assert self._loop.time() < deadline, f"it never came to this: {what}"
                await asyncio.sleep(0.02)

        return self.run(look(), timeout_s + 5)

    def until_level(self, *names: str) -> None:
        """Wait until these nodes (all that run, if none is named) hold the same logs."""
        those = sorted(names or self.nodes)
        self.until(lambda: len({str(self.have(n)) for n in those}) == 1, f"{those} are level")

    def until_in_sync(self, name: str, count: int) -> None:
        """Wait until a node counts so many members, itself included, as in sync."""
        core = self.nodes[name].core
        assert core is not None
        self.until(lambda: len(core.plane.in_sync) >= count, f"{name} is in sync with {count}")

    # ---- breaking ------------------------------------------------------------------------------

    def part(self, *names: str) -> None:
        """Drop every packet between these nodes and all others."""
        for (one, other), link in self.links.items():
            if (one in names) != (other in names):
                self._loop.call_soon_threadsafe(link.hold)

    def hold(self, one: str, other: str) -> None:
        """Drop what `one` sends to `other` over the connection it dialed, and the answers."""
        self._loop.call_soon_threadsafe(self.links[one, other].hold)

    def heal(self) -> None:
        for link in self.links.values():
            self._loop.call_soon_threadsafe(link.heal)


def _own(node_id: bytes, session: WriteSession) -> None:
    session.put_meta(META_NODE_ID, node_id)
