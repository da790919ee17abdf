"""Several whole nodes in one process, joined by links that a test can break.

Real TLS, real streams, real files; only the machines are missing. Every node dials every other one
through a link of its own, so that any pair can be parted, in one direction or both.
"""

import asyncio
import os
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc.aio

from aimem_node.clocks import SystemChance, SystemClock
from aimem_node.config import load
from aimem_node.contract import codec
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.operations import OPERATIONS
from aimem_node.contract.values import WriteOptions
from aimem_node.gateways.demo.own_team import free_port
from aimem_node.main import Core, Node
from aimem_node.replica.certs import der_of
from aimem_node.replica.identity import Identity
from aimem_node.replica.plane import Plane
from aimem_node.replica.replica import META_NODE_ID
from aimem_node.replica.standing import META_CLUSTER_ID, encode_proof
from aimem_node.rpc.peer_asks import LEVEL_BUCKETS, DigestAsk, digest_ask_bytes
from aimem_node.rpc.peer_dialer import claims, open_channel
from aimem_node.rpc.peer_net import PeerNet
from aimem_node.rpc.peer_server import SERVICE
from aimem_node.store.session import WriteSession
from aimem_node.store.store import Store
from aimem_sync.members import Config, Member, Role, encode_config
from chaos.link import Link

WAIT_S = 30.0
PATIENT_MS = 15_000
"""How long a write waits that says nothing of it: a machine that is busy with other tests may stand
still for longer than a user would wait."""


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

    def __init__(
        self, root: Path, size: int, *, spare: int = 0,
        embedding_of: Callable[[str], Any] = lambda _name: None,
    ) -> None:  # fmt: skip
        """`embedding_of`: a node's model of texts, by its name; None: what the settings say."""
        self.root = root
        self.embedding_of = embedding_of
        self.names = [chr(ord("a") + at) for at in range(size + spare)]
        self.ports = {name: free_port() for name in self.names}
        self.clocks = {name: ShiftedClock() for name in self.names}
        self.nodes: dict[str, Node] = {}
        self.links: dict[tuple[str, str], Link] = {}
        self.detour: Callable[[str, str], Link | None] = lambda one, other: self.links.get(
            (one, other)
        )
        "Over which link a node dials another one; None: where the list of members says."
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
            link = self.detour(name, other or "")
            return address if link is None else f"127.0.0.1:{link.port}"

        node.dial = dial
        node.embedding = self.embedding_of(name)
        self.run(node.start(self.clocks[name], SystemChance()))
        self.nodes[name] = node
        return node

    def stop(self, name: str) -> None:
        self.run(self.nodes.pop(name).stop())

    def crash(self, name: str) -> None:
        """End a node with nothing flushed and nothing noted but what was on disk already."""
        node = self.nodes.pop(name)
        core = node.core
        assert core is not None
        lost: Any = core
        lost.tally.flush = _nothing
        lost.replica.fence.close = lambda: None
        self.run(node.stop())

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

    def loop_call(self, function: Callable[..., Any], *given: Any) -> Any:
        """Call something where all of the nodes live."""

        async def call() -> Any:
            return function(*given)

        return self.run(call())

    def call(
        self, name: str, operation: str, session: Any = None, /, **fields: Any
    ) -> dict[str, Any]:
        answer: dict[str, Any] = self.run(self.acall(name, operation, session, **fields))
        return answer

    async def acall(
        self, name: str, operation: str, session: Any = None, /, **fields: Any
    ) -> dict[str, Any]:
        me = Credentials(Channel.INPROCESS, uid=os.getuid(), surface="inprocess", session=session)
        return await self._acall(me, name, operation, fields)

    def call_as(
        self, who: Credentials | None, name: str, operation: str, /, **fields: Any
    ) -> dict[str, Any]:
        """The same by another caller than the node's own user."""
        me = who or Credentials(Channel.INPROCESS, uid=os.getuid(), surface="inprocess")
        answer: dict[str, Any] = self.run(self._acall(me, name, operation, fields))
        return answer

    async def _acall(
        self, who: Credentials, name: str, operation: str, fields: dict[str, Any]
    ) -> dict[str, Any]:
        request = codec.from_json(OPERATIONS[operation].request, fields)
        if hasattr(request, "options"):
            options = request.options or WriteOptions()
            if options.deadline_ms is None:
                options = replace(options, deadline_ms=PATIENT_MS)
            request = replace(request, options=options)
        core = self.nodes[name].core
        assert core is not None
        answer: dict[str, Any] = codec.to_json(await core.dispatcher.call(operation, request, who))
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

    # ---- the members ---------------------------------------------------------------------------

    def core(self, name: str) -> Core:
        core = self.nodes[name].core
        assert core is not None, f"{name} does not run"
        return core

    def plane(self, name: str) -> Plane:
        return self.core(name).plane

    def net(self, name: str) -> PeerNet:
        """The connections of a node that has opened some."""
        net: Any = self.plane(name).net
        assert isinstance(net, PeerNet)
        return net

    def config(self, name: str) -> Config:
        """The members, as this node knows them."""
        return self.plane(name).config

    def status(self, name: str, of: str = "") -> dict[str, Any]:
        """How the cluster stands as `name` sees it, or how one member does."""
        found = self.call(name, "ClusterStatus")
        if not of:
            return found
        return dict(next(m for m in found["members"] if m["node_id"] == self.ids[of]))

    def status_state(self, name: str, of: str) -> str:
        """One word for a member, from the loop of the nodes, as `until` wants it."""
        found = self.core(name).cluster.status(0)
        return str(next(m.state for m in found.members if m.node_id == self.ids[of]))

    def refusal_of(self, name: str, by: str, identity: Identity | None = None) -> str:
        """Why `by` does not answer when `name` calls it over a connection of its own; "" if it
        does. `identity`: the key to show, if not the node's own."""
        me = identity or self.plane(name).identity
        here, there = self.config(by), self.ids[by]
        member = here.member(there)
        assert member is not None

        async def ask() -> str:
            channel = open_channel(f"127.0.0.1:{self.ports[by]}", me, member)
            try:
                call = channel.unary_unary(f"/{SERVICE}/Digest")
                body = digest_ask_bytes(DigestAsk(LEVEL_BUCKETS))
                await call(body, timeout=10, metadata=claims(here, me.node_id))
            except grpc.aio.AioRpcError as error:
                return str(error.details() or error.code().name)
            finally:
                await channel.close()
            return ""

        return str(self.run(ask()))

    def call_change(self, asked: str, of: str, name: str = "", address: str = "") -> Config:
        """Have the voters call a member otherwise, or believe that it is found elsewhere."""

        def make(config: Config) -> Config:
            was = config.member(self.ids[of])
            assert was is not None
            return config.with_address(was.node_id, name or was.name, address or was.address)

        changed: Config = self.run(self.core(asked).cluster.change(make))
        return changed

    def move(self, name: str) -> str:
        """Give a node that is stopped another port from now on; its new address."""
        assert name not in self.nodes
        self.ports[name] = free_port()
        return f"127.0.0.1:{self.ports[name]}"

    def join(self, name: str, sponsor: str, /, **fields: Any) -> None:
        """One line from the sponsor, taken to a node that runs alone; until it votes."""
        self.begin_join(name, sponsor, **fields)
        self.until_votes(name)

    def begin_join(self, name: str, sponsor: str, /, **fields: Any) -> dict[str, Any]:
        """The same, without waiting for more than the first steps."""
        line = self.call(sponsor, "Invite", name=name)["line"]
        return self.call(name, "Join", line=line, **fields)

    def until_votes(self, name: str) -> None:
        """Wait until a node and all who run beside it know it for a voter."""

        def votes() -> bool:
            said = self.core(name).cluster.joining.progress()
            assert said.step != "failed", said.failure
            return said.step == "voter" and all(
                self.ids[name] in self.config(one).voters for one in self._beside(name)
            )

        self.until(votes, f"{name} votes")

    def until_agreed(self, *names: str) -> Config:
        """Wait until these nodes (all that run, if none is named) know one list of members."""
        those = sorted(names or self.nodes)
        self.until(lambda: len({self.config(n) for n in those}) == 1, f"{those} agree")
        return self.config(those[0])

    def _beside(self, name: str) -> list[str]:
        cluster_id = self.config(name).cluster_id
        return [one for one in self.nodes if self.config(one).cluster_id == cluster_id]

    # ---- the files of a node that is stopped ---------------------------------------------------

    def copy_disk(self, name: str, to: str, *, identity: bool = True) -> Path:
        """A copy of what a node has on disk. `identity`: with what lies beside its key."""
        assert name not in self.nodes, "a file is copied while nobody writes to it"
        aside = self.root / to
        shutil.copytree(self.dir(name), aside, ignore=shutil.ignore_patterns("*.part"))
        if not identity:
            shutil.rmtree(aside / "identity")
        return aside

    def put_back(self, name: str, copy: Path) -> None:
        """Put a copy in the place of what a node has; what the copy lacks stays."""
        assert name not in self.nodes
        for kept in self.dir(name).glob("aimem.db*"):
            kept.unlink()
        shutil.copytree(copy, self.dir(name), dirs_exist_ok=True)

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


async def _nothing() -> None:
    """Instead of a flush."""
