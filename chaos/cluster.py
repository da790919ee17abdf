"""A cluster to break: real nodes as processes, each on a machine of its own as far as it can tell.

With root every node has a network namespace, and what joins them is a router of ours that can lose,
hold back or forge any packet; without it they share the loopback address and only what strikes a
process or a disk can be injected. Each node is started from a file of cluster-configs/, as an
operator would, and is the real one: chaos.node adds ears for orders and changes nothing else.
Whatever ends the run, no process, namespace, mount or directory of it is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aimem_node.contract.errors import Failure
from aimem_node.contract.values import (
    NodeStatusRequest,
    NodeStatusResponse,
    StoreRequest,
    WriteOptions,
)
from aimem_node.gateways.demo.own_node import NodeError, OwnNode
from aimem_node.gateways.demo.own_team import OwnTeam, free_port
from chaos.net import Network, Rule, network_for
from chaos.net.loopback import Loopback
from chaos.seams.control import tell
from chaos.seams.disk import lose_unsynced
from chaos.workload import Endpoint

CONFIGS: Final = Path(__file__).resolve().parent.parent / "cluster-configs"
PEER_PORT: Final = 7740
LEVEL_PATIENCE_S: Final = 60.0
"""A cluster that is not whole by then will not be: the run is broken."""
POLL_S: Final = 0.05
PROBE_NAMESPACE: Final = "chaos/probe"
PROBE_MS: Final = 300
"""How long a probe may wait for its confirmations. A fifth of what clients are given."""
CONFIG_OF: Final = {3: "lan-3", 5: "wan-5"}


@dataclass(frozen=True, slots=True)
class Build:
    """What a node is started as."""

    broken: str = ""
    "A name of chaos.seams.broken: a build with one thing wrong."
    disk: bool = False
    "Whether what stands under its store can fail, dawdle and lose what was not synced."
    source: Path | None = None
    "The root of another version's source; None: this one."


class Machine(OwnNode):
    """One node, started as somebody else tells: through chaos.node, in a namespace."""

    def __init__(self, prefix: str, parent: Path, evidence: Path) -> None:
        super().__init__(prefix, parent)
        self.build = Build()
        self.control = str(Path(self._runtime) / "chaos.sock")
        self.wrap: Callable[[Sequence[str]], Sequence[str]] = lambda argv: argv
        "How a command is run where this machine is."
        self.env["CHAOS_CONTROL"] = self.control
        self.env["CHAOS_EVIDENCE"] = str(evidence)

    def spawn(self, **settings: str) -> None:
        """Start it. A seam that this run does not use is not there."""
        assert not self.running, "it runs already"
        Path(self.control).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        env = dict(self.env)
        program = "chaos.node"
        if self.build.source is not None:
            program = "aimem_node.main"
            env["PYTHONPATH"] = str(self.build.source)
        if self.build.broken:
            env["CHAOS_BROKEN"] = self.build.broken
        if self.build.disk:
            env["CHAOS_DISK"] = "1"
        argv = [sys.executable, "-m", program, "run", "--data-dir", str(self.data_dir)]
        argv += [f"--{name.replace('_', '-')}={value}" for name, value in settings.items()]
        with self._output.open("ab") as output:
            self._node = subprocess.Popen(
                list(self.wrap(argv)), env=env, stdin=subprocess.DEVNULL, stdout=output,
                stderr=output, start_new_session=True, cwd=self.build.source,
            )  # fmt: skip

    def tell(self, command: Mapping[str, Any]) -> dict[str, Any]:
        """Give an order to the seams. Raises NodeError if it is refused."""
        answer = tell(self.control, dict(command))
        if not answer.get("ok"):
            raise NodeError(f"{command.get('do')}: {answer.get('why')}")
        return answer

    def pause(self) -> None:
        """SIGSTOP: its kernel goes on acknowledging, and it does nothing."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """SIGCONT."""
        with contextlib.suppress(OSError):
            os.kill(self.pid, signal.SIGCONT)

    async def ended(self, patience_s: float, why_not: str) -> int:
        """Wait until it has ended by itself; how it did. NodeError if it does not."""
        ends = time.monotonic() + patience_s
        while (code := self.exit_code) is None:
            if time.monotonic() > ends:
                raise NodeError(f"{why_not} within {patience_s:.0f} s")
            await asyncio.sleep(0.01)
        return code

    @property
    def exit_code(self) -> int | None:
        """How it ended; None while it runs."""
        assert self._node is not None
        return self._node.poll()


class Cluster(OwnTeam):
    """Nodes a, b, c, ... that can be broken. An asynchronous context manager."""

    def __init__(
        self, root: Path, size: int, *, seed: int, evidence: Path, build: Build | None = None,
        builds: Mapping[str, Build] | None = None, disk_mib: int = 0,
    ) -> None:  # fmt: skip
        """`build`: of all nodes; `builds`: of single ones. `disk_mib`: real small disks."""
        super().__init__("n-", root)
        self.root = root
        self.size = size
        self.chance = random.Random(f"cluster {seed}")
        self.evidence = evidence
        self.net: Network | Loopback = network_for(f"{os.getpid()}", (), seed=seed)
        self.default = build or Build()
        "What machines that join are started as."
        self._builds = dict(builds or {})
        self._disk_mib = disk_mib
        self._mounts: list[Path] = []
        self._config = CONFIGS / CONFIG_OF.get(size, "lan-3") / "aimem.toml"
        self.machines: dict[str, Machine] = {}
        self._probe = 0

    @property
    def has_network(self) -> bool:
        """Whether packets can be touched."""
        return isinstance(self.net, Network)

    @property
    def names(self) -> list[str]:
        """All nodes that belong to it now."""
        return list(self.machines)

    @property
    def up(self) -> list[str]:
        """Those whose process runs."""
        return [name for name, one in self.machines.items() if one.running]

    async def __aenter__(self) -> Cluster:
        await asyncio.to_thread(self.net.up)
        return self

    async def __aexit__(self, *why: Any) -> None:
        for machine in self.machines.values():
            if machine.running:
                machine.go_on()
        try:
            await super().__aexit__(*why)
        finally:
            # Here and now: told to end while it waited, a run would leave these behind.
            self._unmount()
            self.net.down()

    # ---- processes -----------------------------------------------------------------------------

    async def start(self, name: str, **more: str) -> None:
        """Start a node, for the first time or again."""
        await self.spawn(name, **more)
        await self.nodes[name].answering()

    async def spawn(self, name: str, **more: str) -> None:
        """Start a node and do not wait for it."""
        if name not in self.machines:
            machine = Machine(f"{name}-", self.root, self.evidence)
            self.machines[name] = self.nodes[name] = machine
            machine.build = self._builds.get(name, self.default)
            self.ports[name] = PEER_PORT if self.has_network else free_port()
            if self._disk_mib:
                self._mount(machine)
            await asyncio.to_thread(self.net.add, name)
            machine.wrap = lambda argv: self.net.command(name, argv)
        address = f"{self.net.address(name)}:{self.ports[name]}"
        settings = {"config": str(self._config), "name": name, "advertise": address}
        settings["peer"] = f"0.0.0.0:{PEER_PORT}" if self.has_network else address
        self.nodes[name].spawn(**settings, log_json="true", **more)

    def _mount(self, machine: Machine) -> None:
        machine.data_dir.mkdir(mode=0o700)
        size = f"size={self._disk_mib}m,mode=0700"
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", size, "aimem-chaos", str(machine.data_dir)], check=True
        )
        self._mounts.append(machine.data_dir)

    async def answering(self, names: Sequence[str]) -> None:
        """Wait until these answer, however long they take to come back."""
        for name in names:
            await self.nodes[name].answering(LEVEL_PATIENCE_S)

    def _unmount(self) -> None:
        for place in self._mounts:
            subprocess.run(["umount", "-l", str(place)], check=False, capture_output=True)

    def kill(self, *names: str) -> None:
        """SIGKILL for all of them, as nearly at once as can be."""
        for name in names:
            os.kill(self.machines[name].pid, signal.SIGKILL)
        for name in names:
            self.machines[name].kill()

    def cut_power(self, *names: str) -> int:
        """As kill, and what was not synced is gone; the number of writes that were taken back."""
        self.kill(*names)
        return sum(lose_unsynced(self.machines[name].data_dir, self.chance) for name in names)

    def destroy(self, name: str) -> None:
        """Kill a node and take all that it kept away, its key too."""
        machine = self.machines[name]
        if machine.running:
            machine.kill()
        for path in list(machine.data_dir.iterdir()):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()

    def endpoint(self, name: str) -> Endpoint:
        """Where clients on this machine find their node."""
        node = self.nodes[name]
        return Endpoint(name, node.socket("grpc"), node.socket("http"), node.socket("mcp"))

    async def forget(self, name: str) -> None:
        """A machine that is gone for good: out of the list, its directory is kept to the end."""
        machine = self.machines.pop(name)
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            machine.stop()
        await asyncio.to_thread(self.net.remove, name)

    # ---- how it stands -------------------------------------------------------------------------

    async def node_status(self, name: str) -> NodeStatusResponse:
        """What a node says of itself."""
        found: NodeStatusResponse = await self.call(name, "NodeStatus", NodeStatusRequest())
        return found

    async def standing(self, name: str) -> tuple[str, str]:
        """What a node has of every log, and the digest of its state."""
        found = await self.node_status(name)
        have = {one.origin: (one.have, one.head) for one in found.origins if one.have}
        return json.dumps(have, sort_keys=True), str(found.digest)

    async def are_level(self) -> bool:
        """Whether all of them hold the same now."""
        try:
            stands = await asyncio.gather(*(self.standing(name) for name in self.names))
        except Failure:
            return False
        return len(set(stands)) == 1

    async def probe(self, name: str) -> bool:
        """Whether a write at this node is confirmed by W."""
        self._probe += 1
        options = WriteOptions(deadline_ms=PROBE_MS)
        asked = StoreRequest(
            title=f"probe {self._probe}", content="is it there?", namespace=PROBE_NAMESPACE,
            options=options,
        )  # fmt: skip
        try:
            async with self.client(name, 2.0) as client:
                answer = await client.call("Store", asked)
        except Failure:
            return False
        return answer.write is not None and answer.write.outcome.value == "committed"

    async def until(self, true: Callable[[], Any], what: str) -> float:
        """Wait for something; the seconds it took. NodeError if it never comes."""
        began = time.monotonic()
        while not await true():
            if time.monotonic() - began > LEVEL_PATIENCE_S:
                raise NodeError(f"it never came to this: {what}")
            await asyncio.sleep(POLL_S)
        return time.monotonic() - began

    # ---- the network ---------------------------------------------------------------------------

    async def rule(self, pairs: Sequence[tuple[str, str]], rule: Rule) -> None:
        """One rule for these directed pairs."""
        for source, target in pairs:
            await self.net.set(source, target, rule)

    async def passed(self) -> dict[str, int]:
        """Sums over all pairs of what the router did since the beginning."""
        sums: dict[str, int] = {}
        for counts in (await self.net.stats()).values():
            for what, count in counts.items():
                sums[what] = sums.get(what, 0) + count
        return sums
