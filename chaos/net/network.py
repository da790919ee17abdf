"""Network namespaces, one for each node, with our router in between.

A namespace's name says whose it is: aimem, the process id of the harness, the node. So what a
harness that was shot has left behind is known for what it is, and removed by the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import select
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chaos.net.loopback import CannotInject, Loopback
from chaos.net.rules import Rule

PREFIX: Final = "aimem"
DEVICE: Final = "/dev/net/tun"
MTU: Final = 9000
"""Few packets: each costs the router some microseconds."""
BASE: Final = "10.77.0."
FIRST: Final = 10
HOSTS_MAX: Final = 240
ORDER_S: Final = 10.0
NAMES: Final = Path("/run/netns")
_OURS: Final = re.compile(rf"{PREFIX}(\d+)-\w+")


def requirements() -> list[str]:
    """What is missing here for a network of namespaces; empty if nothing is."""
    missing = []
    if os.geteuid() != 0:
        missing.append("it needs root")
    if shutil.which("ip") is None:
        missing.append("there is no `ip` (iproute2)")
    if not os.path.exists(DEVICE):
        missing.append(f"there is no {DEVICE}")
    return missing


def network_for(run_id: str, names: Sequence[str], *, seed: int = 0) -> Network | Loopback:
    """The real thing where it can be had, else the loopback address."""
    missing = requirements()
    return Loopback(missing) if missing else Network(run_id, names, seed=seed)


class Network:
    """See the module. Usable from several threads."""

    def __init__(self, run_id: str, names: Sequence[str] = (), *, seed: int = 0) -> None:
        """`run_id`: the process id of who owns it, digits."""
        self._run = run_id
        self._seed = seed
        self._wanted = tuple(names)
        self._numbers: dict[str, int] = {}
        "Ever given out: an address is not given to another node."
        self._there: set[str] = set()
        self._router: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    # ---- up and down ---------------------------------------------------------------------------

    def up(self) -> None:
        """Start the router and make the namespaces. Raises CannotInject."""
        if missing := requirements():
            raise CannotInject("; ".join(missing))
        self.sweep()
        self._router = subprocess.Popen(
            [sys.executable, "-m", "chaos.net.router", str(self._seed)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
        )  # fmt: skip
        try:
            for name in self._wanted:
                self.add(name)
        except BaseException:
            self.down()
            raise

    def down(self) -> None:
        """Take everything away that was made, as far as it is there. Safe to repeat."""
        with self._lock:
            router, self._router = self._router, None
            if router is not None:
                for pipe in (router.stdin, router.stdout):
                    with contextlib.suppress(OSError):
                        pipe and pipe.close()
                try:
                    router.wait(ORDER_S)
                except subprocess.TimeoutExpired:
                    router.kill()
                    router.wait()
            for name in list(self._there):
                _ip("netns", "del", self.namespace(name), check=False)
            self._there.clear()

    @staticmethod
    def sweep() -> list[str]:
        """Remove the namespaces of harnesses that are no more; their names."""
        removed = []
        for path in NAMES.glob(f"{PREFIX}*") if NAMES.is_dir() else ():
            found = _OURS.fullmatch(path.name)
            if found and not Path(f"/proc/{found[1]}").exists():
                _ip("netns", "del", path.name, check=False)
                removed.append(path.name)
        return removed

    # ---- nodes ---------------------------------------------------------------------------------

    def namespace(self, name: str) -> str:
        """Where a node is."""
        return f"{PREFIX}{self._run}-{name}"

    def address(self, name: str) -> str:
        """Its IPv4 address, always the same."""
        number = self._numbers.setdefault(name, FIRST + len(self._numbers))
        if number >= FIRST + HOSTS_MAX:
            raise ValueError("no more addresses")
        return f"{BASE}{number}"

    def command(self, name: str, argv: Sequence[str]) -> list[str]:
        """The same command, run where a node is."""
        return ["ip", "netns", "exec", self.namespace(name), *argv]

    def add(self, name: str) -> None:
        """Make a node's namespace, unless it is there. Raises CannotInject."""
        if name in self._there:
            return
        space, device = self.namespace(name), f"c{self._run}{name}"[:15]
        self._there.add(name)
        _ip("netns", "add", space)
        self._ask(do="open", name=name, device=device, address=self.address(name))
        _ip("link", "set", device, "netns", space)
        inside = ("-n", space)
        _ip(*inside, "link", "set", "lo", "up")
        _ip(*inside, "link", "set", device, "name", "eth0")
        _ip(*inside, "address", "add", f"{self.address(name)}/24", "dev", "eth0")
        _ip(*inside, "link", "set", "eth0", "mtu", str(MTU), "up")

    def remove(self, name: str) -> None:
        """Take a node's namespace away, if it is there."""
        if name in self._there:
            self._there.discard(name)
            self._ask(do="close", name=name)
            _ip("netns", "del", self.namespace(name), check=False)

    # ---- rules ---------------------------------------------------------------------------------

    async def set(self, source: str, target: str, rule: Rule) -> None:
        """From now on this happens to packets from one node to another."""
        await asyncio.to_thread(
            self._ask, do="rule", source=source, target=target, rule=rule.as_json()
        )

    async def clear(self) -> None:
        """No rules any more. What is being delayed still comes."""
        await asyncio.to_thread(self._ask, do="clear")

    async def stats(self) -> dict[str, dict[str, int]]:
        """Per pair "source>target": passed, dropped, delayed, duplicated, reset, bytes, since the
        beginning."""
        answer = await asyncio.to_thread(self._ask, do="stats")
        found: dict[str, dict[str, int]] = answer["stats"]
        return found

    def _ask(self, **order: Any) -> dict[str, Any]:
        with self._lock:
            router = self._router
            if router is None or router.stdin is None or router.stdout is None:
                raise CannotInject("the router does not run")
            try:
                router.stdin.write(json.dumps(order).encode() + b"\n")
                router.stdin.flush()
                if not select.select([router.stdout], [], [], ORDER_S)[0]:
                    raise CannotInject(f"the router does not answer {order['do']}")
                answer: dict[str, Any] = json.loads(router.stdout.readline())
            except (OSError, ValueError) as error:
                raise CannotInject(f"the router has ended: {error}") from error
        if not answer.get("ok"):
            raise CannotInject(str(answer.get("why")))
        return answer


def _ip(*words: str, check: bool = True) -> None:
    done = subprocess.run(
        ["ip", *words], capture_output=True, text=True, timeout=ORDER_S, check=False
    )
    if check and done.returncode:
        raise CannotInject(f"ip {' '.join(words)}: {done.stderr.strip()}")
