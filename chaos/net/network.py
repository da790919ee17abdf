"""Network namespaces, one for each node, with our router in between.

Everything is bounded: a router that does not answer is ended rather than asked again, because its
late answer would be taken for the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import select
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from chaos.net import namespaces
from chaos.net.loopback import CannotInject, Loopback
from chaos.net.namespaces import requirements
from chaos.net.rules import Rule

BASE: Final = "10.77.0."
FIRST: Final = 10
HOSTS_MAX: Final = 240
ORDER_S: Final = 10.0
ROOT: Final = Path(__file__).parents[2]


def network_for(run_id: str, names: Sequence[str], *, seed: int = 0) -> Network | Loopback:
    """The real thing where it can be had, else the loopback address."""
    missing = requirements()
    return Loopback(missing) if missing else Network(run_id, names, seed=seed)


class Network:
    """See the module. Usable from several threads."""

    def __init__(self, run_id: str, names: Sequence[str] = (), *, seed: int = 0) -> None:
        """`run_id`: the process id of who owns it, digits: one network at a time for a process.
        Raises ValueError for another one, and for names that are no words."""
        for name in names:
            namespaces.named(run_id, name)
        self._run = run_id
        self._seed = seed
        self._wanted = tuple(names)
        self._numbers: dict[str, int] = {}
        "Ever given out: an address is not given to another node."
        self._number = itertools.count(FIRST)
        self._there: set[str] = set()
        self._router: subprocess.Popen[bytes] | None = None
        self._lock = threading.RLock()

    # ---- up and down ---------------------------------------------------------------------------

    def up(self) -> None:
        """Start the router and make the namespaces. Raises CannotInject, and leaves nothing."""
        if missing := requirements():
            raise CannotInject("; ".join(missing))
        with self._lock:
            if self._router is not None:
                raise CannotInject("this network is up already")
            self.sweep()
            # It ends with its input. A parent-death signal would end it too early: it comes when
            # the thread ends that started it.
            self._router = subprocess.Popen(
                [sys.executable, "-m", "chaos.net.router", str(self._seed)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, cwd=ROOT,
            )  # fmt: skip
            try:
                for name in self._wanted:
                    self.add(name)
            except BaseException:
                with contextlib.suppress(CannotInject):
                    self.down()
                raise

    def down(self) -> None:
        """Take everything away that was made, as far as it is there, and kill what runs there.
        Safe to repeat. Raises CannotInject at the end if something could not be removed."""
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
            left = []
            for name in sorted(self._there):
                try:
                    namespaces.end(self.namespace(name))
                except CannotInject as error:
                    left.append(str(error))
                else:
                    self._there.discard(name)
            if left:
                raise CannotInject("; ".join(left))

    @staticmethod
    def sweep() -> list[str]:
        """End the namespaces of harnesses that are no more; their names."""
        return namespaces.sweep()

    # ---- nodes ---------------------------------------------------------------------------------

    def namespace(self, name: str) -> str:
        """Where a node is."""
        return namespaces.named(self._run, name)

    def address(self, name: str) -> str:
        """Its IPv4 address, always the same."""
        number = self._numbers.get(name)
        if number is None:
            number = self._numbers.setdefault(name, next(self._number))
        if number >= FIRST + HOSTS_MAX:
            raise ValueError("no more addresses")
        return f"{BASE}{number}"

    def command(self, name: str, argv: Sequence[str]) -> list[str]:
        """The same command, run where a node is."""
        return ["ip", "netns", "exec", self.namespace(name), *argv]

    def add(self, name: str) -> None:
        """Make a node's namespace, unless it is there. Raises CannotInject; nothing is left half
        made then."""
        with self._lock:
            if name in self._there:
                return
            space, device = self.namespace(name), namespaces.device_of(self._run, name)
            if namespaces.exists(space):
                raise CannotInject(f"{space} is there, and not made by this network")
            self._there.add(name)
            try:
                namespaces.make(space)
                self._ask(do="open", name=name, device=device, address=self.address(name))
                namespaces.furnish(space, device, self.address(name))
            except BaseException:
                with contextlib.suppress(CannotInject):
                    self.remove(name)
                raise

    def remove(self, name: str) -> None:
        """Take a node's namespace away, if it is there, and kill what runs in it."""
        with self._lock:
            if name in self._there:
                with contextlib.suppress(CannotInject):  # a router that has ended has closed it
                    self._ask(do="close", name=name)
                namespaces.end(self.namespace(name))
                self._there.discard(name)

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
        """Per pair "source>target" that has met a packet: passed, dropped, delayed, duplicated,
        reset, bytes, since the beginning, also of nodes that have gone."""
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
                    router.kill()
                    raise CannotInject(f"the router does not answer {order['do']}")
                answer: dict[str, Any] = json.loads(router.stdout.readline())
            except (OSError, ValueError) as error:
                raise CannotInject(f"the router has ended: {error}") from error
        if not answer.get("ok"):
            raise CannotInject(str(answer.get("why")))
        return answer
