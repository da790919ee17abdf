"""Which addresses the node may call, given that others choose them.

A receiver's address is chosen by whoever subscribes, and the call is made from inside the
operator's network: so only what the whole internet can reach anyway is reachable, unless the
operator says otherwise. IPv6 makes this harder than it looks, because an IPv4 address can travel
inside an IPv6 one in five ways. What is allowed is therefore a short list (2000::/3 without its
exceptions, IPv4 without its own), not everything minus what somebody thought of. The standard
library's `is_global` is not asked: what it says has changed between Python releases.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from aimem_node.contract.errors import Code, Failure

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

_V4_SPECIAL: Final = tuple(
    (IPv4Network(network), why)
    for network, why in (
        ("0.0.0.0/8", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("100.64.0.0/10", "shared by a carrier (CGNAT)"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.0.0/16", "link-local"),
        ("172.16.0.0/12", "private"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("192.31.196.0/24", "reserved"),
        ("192.52.193.0/24", "reserved"),
        ("192.88.99.0/24", "a relay for 6to4"),
        ("192.168.0.0/16", "private"),
        ("192.175.48.0/24", "reserved"),
        ("198.18.0.0/15", "for benchmarks"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved or broadcast"),
    )
)
_V6_GLOBAL: Final = IPv6Network("2000::/3")
_V6_SPECIAL: Final = tuple(
    (IPv6Network(network), why)
    for network, why in (
        ("::1/128", "loopback"),
        ("::/128", "unspecified"),
        ("fe80::/10", "link-local"),
        ("fec0::/10", "site-local"),
        ("fc00::/7", "private (ULA)"),
        ("ff00::/8", "multicast"),
        ("64:ff9b:1::/48", "a private NAT64"),
        ("2001::/32", "a Teredo tunnel"),
        ("2001::/23", "reserved"),
        ("2001:db8::/32", "for documentation"),
        ("2002::/16", "a 6to4 tunnel"),
        ("2620:4f:8000::/48", "reserved"),
        ("3fff::/20", "for documentation"),
    )
)
"""Where IPv6 is neither, it is reserved. The more telling of two overlapping ones comes first."""

_NEVER: Final = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # metadata of most clouds: keys for whoever asks
        "169.254.170.2",  # of containers at AWS
        "169.254.170.23",
        "fd00:ec2::254",  # of AWS, over IPv6
        "fd00:ec2::23",
        "fd20:ce::254",  # of Google, over IPv6
        "100.100.100.200",  # of Alibaba
        "192.0.0.192",  # of Oracle
        "168.63.129.16",  # of Azure, and a public address at that
        "255.255.255.255",
    )
)
"""What not even the operator can allow: no receiver is there, and what is there gives keys away."""

_NAT64: Final = IPv6Network("64:ff9b::/96")
_MAPPED: Final = IPv6Network("::ffff:0:0/96")
_HOST = re.compile(
    r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What the operator lets be called besides the public internet. Nothing, as it comes."""

    networks: tuple[Network, ...] = ()
    "Addresses in these are allowed, whatever name led there."
    hosts: frozenset[str] = frozenset()
    "Whatever addresses these names have is allowed. Lower case, exactly the name."
    loopback: bool = False
    "This machine itself, over http too. For trying things out."

    @classmethod
    def parse(cls, entries: Iterable[str], *, loopback: bool = False) -> "Allowed":
        """Read settings such as 10.1.0.0/16 and hooks.corp.example.

        Raises Failure INVALID_ARGUMENT naming the entry: a list that is not understood must stop
        the start, and never count as an empty or a longer one.
        """
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in entries:
            try:
                networks.append(ip_network(entry))
            except ValueError:
                wrong = "/" in entry or ":" in entry or entry[-1:].isdigit() or len(entry) > 253
                if wrong or _HOST.fullmatch(entry) is None:
                    raise Failure(
                        Code.INVALID_ARGUMENT,
                        f"{entry[:80]!r} is neither a network nor the name of a host",
                        next="Write 10.1.0.0/16, 2001:db8:7::/48 or hooks.corp.example.",
                    ) from None
                hosts.add(entry)
        return cls(tuple(networks), frozenset(hosts), loopback)

    def permits(self, address: Address, host: str) -> bool:
        """Whether the operator named this address or this host."""
        if self.loopback and address.is_loopback:
            return True
        return host in self.hosts or any(address in network for network in self.networks)


def unwrapped(address: Address) -> Address:
    """The address that a packet would really go to: IPv4 where one is inside, else itself.

    Only for the two forms that deliver to it (IPv4-mapped, and the public NAT64); tunnels
    and relics are refused as what they are.
    """
    if isinstance(address, IPv6Address) and (address in _MAPPED or address in _NAT64):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def embedded(address: Address) -> tuple[IPv4Address, ...]:
    """Every IPv4 address that an IPv6 one may carry, by any of the ways in use."""
    if isinstance(address, IPv4Address):
        return ()
    number = int(address)
    found = []
    if number >> 32 in (0, 0xFFFF, 0xFFFF_0000, 0x64_FF9B << 64) and number > 1:
        found.append(number)  # IPv4-compatible, mapped, translated, NAT64
    if number >> 80 == 0x64_FF9B_0001:  # the /48 of private NAT64s, whatever length each one took
        found += [number, number >> 16, number >> 40, _around_the_u_octet(number)]
    if number >> 112 == 0x2002:
        found.append(number >> 80)
    if number >> 96 == 0x2001_0000:  # Teredo: its server, and its client turned inside out
        found += [number >> 64, ~number]
    if (number >> 32) & 0xFFFF_FFFF in (0x0000_5EFE, 0x0200_5EFE):  # ISATAP
        found.append(number)
    return tuple(IPv4Address(one & 0xFFFF_FFFF) for one in found)


def refusal(text: str, host: str, allowed: Allowed) -> str:
    """Why the node may not connect to an address; empty if it may. `host` is the name asked for."""
    try:
        address = ip_address(text)
    except ValueError:
        return "it is not an address"
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return "it is bound to an interface"
    real = unwrapped(address)
    inside = embedded(address)
    if not _NEVER.isdisjoint((address, real, *inside)):
        return "it gives out a machine's own keys"
    if real.is_multicast or real.is_unspecified:
        return "it is no single machine"
    if allowed.permits(real, host):
        return ""
    for one in (real, *inside):
        if why := _special(one):
            return f"it is {why}" if one == address else f"it leads to {one}, which is {why}"
    return ""


def connectable(text: str) -> str:
    """The one spelling of an address to connect to: IPv4-mapped ones as IPv4."""
    address = ip_address(text)
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(address)


def _special(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return next((why for network, why in _V4_SPECIAL if address in network), "")
    why = next((why for network, why in _V6_SPECIAL if address in network), "")
    return why or ("" if address in _V6_GLOBAL else "reserved")


def _around_the_u_octet(number: int) -> int:
    # RFC 6052 with a /48: 16 bits, eight that are always zero, 16 bits more.
    return ((number >> 64) & 0xFFFF) << 16 | ((number >> 40) & 0xFFFF)
