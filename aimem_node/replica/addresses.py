"""Under which address others reach this machine, found without asking anybody.

To connect a UDP socket sends nothing; it only makes the kernel choose the interface that a packet
would leave by. Its address is the one that other machines on that side see.
"""

import re
import socket
from collections.abc import Callable, Sequence
from typing import Final

from aimem_node.contract.errors import Code, Failure

PROBES: Final = (
    (socket.AF_INET, "192.0.2.1"),  # where the default route leads
    (socket.AF_INET, "10.254.254.254"),  # a private network without a way out
    (socket.AF_INET, "172.31.254.254"),
    (socket.AF_INET, "192.168.254.254"),
    (socket.AF_INET6, "2001:db8::1"),
)
"""Never spoken to. The first and the last are reserved for documentation."""
LOOPBACK: Final = "127.0.0.1"
PORT_MAX: Final = 65_535
ADDRESS_BYTES_MAX: Final = 255

_HOST = re.compile(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?\]", re.ASCII)

Route = Callable[[socket.AddressFamily, str], str]


def own_address(port: int, host: str = "", route: Route | None = None) -> str:
    """host:port for others to dial. `host` overrides what is found; loopback if nothing is."""
    return join_address(host or own_host(route), port)


def own_host(route: Route | None = None) -> str:
    """The address of the interface that leads to other machines; 127.0.0.1 if none does."""
    ask = route or _route
    for family, far in PROBES:
        try:
            found = ask(family, far)
        except OSError:
            continue
        if is_usable(found):
            return found
    return LOOPBACK


def is_usable(host: str) -> bool:
    """Whether another machine could dial it: no loopback, no link-local, not "any"."""
    lower = host.lower()
    return bool(host) and not lower.startswith(("127.", "0.0.0.0", "169.254.", "::", "fe80:"))  # noqa: S104


def split_address(text: str, path: str = "$.address") -> tuple[str, int]:
    """Host (without brackets) and port of host:port. Raises Failure INVALID_ARGUMENT."""
    host, _, port = text.rpartition(":")
    sound = _HOST.fullmatch(host) and port.isascii() and port.isdigit() and len(port) <= 5
    if not sound or len(text.encode()) > ADDRESS_BYTES_MAX or not 1 <= int(port) <= PORT_MAX:
        raise Failure(
            Code.INVALID_ARGUMENT,
            f"{text[:80]!r} is not host:port",
            path=path,
            next="Write it like lab-2.example:7946, 192.0.2.7:7946 or [2001:db8::7]:7946.",
        )
    return host.removeprefix("[").removesuffix("]"), int(port)


def join_address(host: str, port: int) -> str:
    """host:port, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


def first_ones(addresses: Sequence[str], most: int) -> tuple[str, ...]:
    """The first different addresses, in order."""
    return tuple(dict.fromkeys(addresses))[:most]


def _route(family: socket.AddressFamily, far: str) -> str:
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((far, 9))
        return str(probe.getsockname()[0])
