"""Network namespaces by way of `ip`: made, used, and ended with all that runs in them.

A namespace's name says whose it is: aimem, the process id of the harness, the node. So what a
harness that was shot has left behind is known for what it is. Deleting a name alone ends nothing:
the namespace lives for as long as a process is in it, so these are killed first.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Final

from chaos.net.loopback import CannotInject

PREFIX: Final = "aimem"
DEVICE: Final = "/dev/net/tun"
NAMES: Final = Path("/run/netns")
MTU: Final = 9000
"""Few packets: each costs the router some microseconds."""
DEVICE_NAME_CHARS_MAX: Final = 15
COMMAND_S: Final = 10.0
ROUNDS: Final = 3
"""Of killing: what is killed may have forked meanwhile."""
_CAPABILITIES: Final = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21}
_OURS: Final = re.compile(rf"{PREFIX}(\d+)-\w+")


def requirements() -> list[str]:
    """What is missing here for a network of namespaces; empty if nothing is."""
    missing = []
    if os.geteuid() != 0:
        missing.append("it needs root")
    else:
        # Root of a container is often root in name only.
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        held = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
        bits = int(held[1], 16) if held else 0
        missing += [
            f"root lacks {name}" for name, bit in _CAPABILITIES.items() if not bits >> bit & 1
        ]
    if shutil.which("ip") is None:
        missing.append("there is no `ip` (iproute2)")
    if not os.path.exists(DEVICE):
        missing.append(f"there is no {DEVICE}")
    return missing


def named(owner: str, node: str) -> str:
    """The namespace of a node. Raises ValueError if sweep() would not know it for ours."""
    space = f"{PREFIX}{owner}-{node}"
    if not _OURS.fullmatch(space):
        raise ValueError(f"not a process id and a word: {owner!r}, {node!r}")
    return space


def device_of(owner: str, node: str) -> str:
    """What a node's device is called until it is inside its namespace."""
    return f"c{owner}{node}"[:DEVICE_NAME_CHARS_MAX]


def exists(space: str) -> bool:
    """Whether there is one of this name."""
    return (NAMES / space).exists()


def make(space: str) -> None:
    """A namespace with nothing in it. Raises CannotInject."""
    ip("netns", "add", space)


def furnish(space: str, device: str, address: str) -> None:
    """Move a device in and give it its address; 24 bits are the network. Raises CannotInject."""
    ip("link", "set", device, "netns", space)
    inside = ("-n", space)
    ip(*inside, "link", "set", "lo", "up")
    ip(*inside, "link", "set", device, "name", "eth0")
    ip(*inside, "address", "add", f"{address}/24", "dev", "eth0")
    ip(*inside, "link", "set", "eth0", "mtu", str(MTU), "up")


def end(space: str) -> None:
    """Kill what runs in it and take it away. Safe to repeat. Raises CannotInject if it stays."""
    if not exists(space):
        return
    for _ in range(ROUNDS):
        if not _kill_all_in(space):
            break
    why = ip("netns", "del", space, check=False)
    if exists(space):
        raise CannotInject(f"{space} cannot be removed: {why}")


def sweep() -> list[str]:
    """End the namespaces of harnesses that are no more; the names of those that have gone."""
    removed = []
    for path in NAMES.glob(f"{PREFIX}*") if NAMES.is_dir() else ():
        found = _OURS.fullmatch(path.name)
        if found and not Path(f"/proc/{found[1]}").exists():
            with contextlib.suppress(CannotInject):  # one that stays must not keep the others
                end(path.name)
                removed.append(path.name)
    return removed


def _kill_all_in(space: str) -> int:
    """How many there were. By pidfd, and looked at again once it is held: a number may have gone
    to a process elsewhere since it was listed."""
    killed = []
    try:
        place = os.stat(NAMES / space)
    except FileNotFoundError:
        return 0  # another harness sweeps too
    for pid in ip("netns", "pids", space, check=False).split():
        if not pid.isdigit():
            break  # an empty file left by a reboot is no namespace, and nothing runs in it
        try:
            held = os.pidfd_open(int(pid))
        except OSError:
            continue
        try:
            if os.path.samestat(os.stat(f"/proc/{pid}/ns/net"), place):
                signal.pidfd_send_signal(held, signal.SIGKILL)
                killed.append(held)
                continue
        except OSError:
            pass  # it has ended by itself
        os.close(held)
    for held in killed:
        select.select([held], [], [], COMMAND_S)
        os.close(held)
    return len(killed)


def ip(*words: str, check: bool = True) -> str:
    """What `ip` prints, or complains of. Raises CannotInject if it fails, or takes too long."""
    command = f"ip {' '.join(words)}"
    try:
        done = subprocess.run(
            ["ip", *words], capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CannotInject(f"{command}: {error}") from error
    if check and done.returncode:
        raise CannotInject(f"{command}: {done.stderr.strip()}")
    return done.stdout if not done.returncode else done.stderr.strip()
