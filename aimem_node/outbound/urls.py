"""May the node call this URL, and at which address? Asked before every outbound call.

A URL is checked as text first, by stricter rules than any parser has, so that no two parsers can
read it differently; then its host is resolved once, every answer is judged, and the call goes to
one of exactly those addresses. Nothing looks the name up again: a name that changes between the
look and the call (rebinding) changes nothing. Whatever is unclear is refused.
"""

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from string import ascii_uppercase
from typing import Final
from urllib.parse import urlsplit

from aimem_node.contract.errors import Code, Failure
from aimem_node.outbound.reachable import Allowed, connectable, refusal

URL_BYTES_MAX: Final = 2048
"""As in the contract; longer ones are not supported everywhere."""
HOST_BYTES_MAX: Final = 253
"""What DNS can carry."""
RESOLVE_MS_MAX: Final = 5_000
"""A resolver that needs longer will not help the call either."""
ADDRESSES_MAX: Final = 64
"""A name with more is a trick; all of them would have to be judged."""
NOTHING: Final = Allowed()

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""The addresses of a host, for a port. May raise OSError."""

_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
_PORT = re.compile(r"[1-9][0-9]{0,4}")
_PLAIN = re.compile(r"[!-~]*")
_LOWER: Final = {ord(char): char.lower() for char in ascii_uppercase}
"""ASCII only: the Kelvin sign has a lower case too, and it is k."""
_DEFAULT_PORTS: Final = {"https": 443, "http": 80}
_NEXT = "Write it like https://hooks.example.com/aimem."


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that was checked, in the parts a call needs. Its host is not resolved yet."""

    scheme: str
    host: str
    "Lower case, in ASCII, without brackets: a name, or an address in its one spelling."
    port: int
    resource: str
    "Path and query, beginning with a slash."
    is_literal: bool
    "The host is an address."

    @property
    def authority(self) -> str:
        """What the Host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def url(self) -> str:
        """The URL in its one spelling."""
        return f"{self.scheme}://{self.authority}{self.resource}"


def check_url(text: str, allowed: Allowed = NOTHING, path: str = "$.url") -> Target:
    """Read a receiver's URL. Raises Failure INVALID_ARGUMENT that says what is wrong with it.

    A name passes here whatever it leads to: `resolve` must follow, each time before a call.
    """
    try:
        target = _read(text, allowed)
    except _Unfit as unfit:
        raise Failure(Code.INVALID_ARGUMENT, f"the URL {unfit}", path, _NEXT) from None
    if target.is_literal and (why := _refusal(target, target.host, allowed)):
        raise _not_allowed(target.host, why, path)
    return target


async def resolve(
    target: Target, resolver: Resolver | None = None, allowed: Allowed = NOTHING
) -> tuple[str, ...]:
    """The addresses of the target, all of them judged; call these and no others.

    Raises Failure PERMISSION_DENIED if any of them may not be called, UNAVAILABLE if the name
    cannot be resolved.
    """
    if target.is_literal:
        found: Sequence[str] = (target.host,)
    else:
        found = await _looked_up(target, resolver or system_resolver)
    if not 0 < len(found) <= ADDRESSES_MAX:
        raise _unresolved(target, f"it has {len(found)} addresses")
    for address in found:
        if why := _refusal(target, address, allowed):
            raise _not_allowed(target.host, f"{address[:60]}: {why}", "")
    return tuple(dict.fromkeys(map(connectable, found)))


async def system_resolver(host: str, port: int) -> Sequence[str]:
    """What the operating system says, asked in a thread of its own."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


async def _looked_up(target: Target, resolver: Resolver) -> Sequence[str]:
    try:
        async with asyncio.timeout(RESOLVE_MS_MAX / 1e3):
            found = await resolver(target.host, target.port)
    except TimeoutError:
        raise _unresolved(target, f"no answer within {RESOLVE_MS_MAX} ms") from None
    except (OSError, ValueError) as error:  # ValueError: a name that the codec does not like
        raise _unresolved(target, getattr(error, "strerror", None) or str(error)) from error
    return found


def _refusal(target: Target, address: str, allowed: Allowed) -> str:
    why = refusal(address, target.host, allowed)
    if not why and target.scheme == "http" and not _is_loopback(connectable(address)):
        why = "only this machine itself is called without TLS"
    return why


def _not_allowed(host: str, why: str, path: str) -> Failure:
    return Failure(
        Code.PERMISSION_DENIED,
        f"the node may not call {host[:100]} ({why})",
        path,
        "Use a public address, or ask the operator to allow this host or its network.",
    )


def _unresolved(target: Target, why: str) -> Failure:
    return Failure(Code.UNAVAILABLE, f"the name {target.host[:100]} cannot be resolved: {why}")


class _Unfit(Exception):  # noqa: N818 - the rest of a sentence
    """What is wrong with a URL."""


def _read(text: str, allowed: Allowed) -> Target:
    _check_characters(text)
    scheme, separator, rest = text.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS:
        raise _Unfit("does not begin with https://")
    authority = re.split(r"[/?]", rest, maxsplit=1)[0]
    resource = rest[len(authority) :]
    if _PLAIN.fullmatch(resource) is None:
        raise _Unfit("has characters after the host that must be percent-encoded")
    host, port_text = _split(authority)
    if port_text is not None and (not _PORT.fullmatch(port_text) or int(port_text) > 65_535):
        raise _Unfit("has a port that is not a number from 1 to 65535")
    host, is_literal = _host(host)
    parsed = urlsplit(text)  # a second opinion: where two readers differ, an attacker chooses
    if parsed.scheme != scheme or parsed.netloc != authority or parsed.username is not None:
        raise _Unfit("can be read in two ways")
    if scheme == "http" and not (allowed.loopback and _is_this_machine(host, is_literal)):
        raise _Unfit("is not https")
    return Target(
        scheme=scheme,
        host=host,
        port=int(port_text) if port_text else _DEFAULT_PORTS[scheme],
        resource=resource if resource.startswith("/") else f"/{resource}",
        is_literal=is_literal,
    )


def _check_characters(text: str) -> None:
    if not text or len(text.encode(errors="surrogatepass")) > URL_BYTES_MAX:
        raise _Unfit(f"is empty or longer than {URL_BYTES_MAX} bytes")
    for char in text:
        if char.isspace() or not char.isprintable():
            raise _Unfit("has a space or an invisible character in it")
    if "\\" in text:
        raise _Unfit("has a backslash in it")
    if "#" in text:
        raise _Unfit("has a fragment (#), which is never sent")


def _split(authority: str) -> tuple[str, str | None]:
    """Host, with brackets if it has them, and port, None if there is none."""
    if "@" in authority:
        raise _Unfit("has a user name in it; put secrets into the subscription's secret")
    if "%" in authority:
        raise _Unfit("has a percent sign in its host")
    if authority.startswith("["):
        literal, bracket, rest = authority[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise _Unfit("has brackets that do not match")
        return f"[{literal}]", rest[1:] if rest else None
    if authority.count(":") > 1:
        raise _Unfit("has several colons in its host; IPv6 addresses stand in brackets")
    host, colon, port = authority.partition(":")
    return host, port if colon else None


def _host(host: str) -> tuple[str, bool]:
    """The host in its one spelling, and whether it is an address."""
    if host.startswith("["):
        try:
            return str(IPv6Address(host[1:-1])), True
        except ValueError:
            raise _Unfit("has something in brackets that is no IPv6 address") from None
    name = _ascii(host.translate(_LOWER).removesuffix("."))
    if not name or len(name) > HOST_BYTES_MAX:
        raise _Unfit("has no host, or one that is too long")
    labels = name.split(".")
    if _NUMBER.fullmatch(labels[-1]):  # some part of the system would take it for an address
        try:
            return str(IPv4Address(name)), True
        except ValueError:
            raise _Unfit("has a host that is no address in its usual spelling") from None
    if any(_LABEL.fullmatch(label) is None for label in labels):
        raise _Unfit("has a host that is not the name of one")
    return name, False


def _ascii(host: str) -> str:
    """IDNA 2008, without the mappings that make full-width digits a number."""
    import idna  # a large table, needed for few names

    try:
        if not host.isascii():
            return idna.encode(host, strict=True, std3_rules=True).decode("ascii")
        if "xn--" in host:
            idna.decode(host, strict=True, std3_rules=True)
    except (idna.IDNAError, UnicodeError):
        raise _Unfit("has a host that is no valid international name") from None
    return host


def _is_this_machine(host: str, is_literal: bool) -> bool:
    return _is_loopback(host) if is_literal else host == "localhost"


def _is_loopback(address: str) -> bool:
    return address == "::1" or address.startswith("127.")
