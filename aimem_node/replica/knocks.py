"""Machines that came without a line and wait for somebody to say yes.

Anybody who can reach the port can knock, so this is small: it forgets after a quarter of an hour,
remembers only a few, fewer still from one place, and is not kept over a restart. A machine that
still waits knocks again by itself.
"""

from dataclasses import dataclass
from typing import Final

from aimem_node.contract import values
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.identity import Certificate

KNOCK_LASTS_US: Final = 900_000_000
KNOCKS_MAX: Final = 16
KNOCKS_PER_SOURCE_MAX: Final = 4
PREFIX_CHARS_MIN: Final = 8
"""Of a fingerprint. Whoever approves reads it from the other machine's screen."""


@dataclass(frozen=True, slots=True)
class Knock:
    """One machine that waits."""

    certificate: Certificate
    name: str
    address: str
    source: str
    "The address it came from."
    at_us: int
    "For people."
    ends_us: int
    "By the clock that never jumps."


class Knocks:
    """Who waits to be approved."""

    def __init__(self) -> None:
        self._all: dict[str, Knock] = {}

    def add(
        self,
        certificate: Certificate,
        name: str,
        address: str,
        source: str,
        now_us: int,
        monotonic_us: int,
    ) -> None:
        """Remember that it knocked; nothing changes if it waits already. LIMITED if too many do."""
        self._prune(monotonic_us)
        if certificate.fingerprint in self._all:
            return
        beside = sum(1 for one in self._all.values() if one.source == source)
        if len(self._all) >= KNOCKS_MAX or beside >= KNOCKS_PER_SOURCE_MAX:
            raise Failure(
                Code.LIMITED, "too many machines wait to be approved already",
                next="Wait a quarter of an hour, or join with a line from `aimem-node invite`.",
            )  # fmt: skip
        self._all[certificate.fingerprint] = Knock(
            certificate, name, address, source, now_us, monotonic_us + KNOCK_LASTS_US
        )

    def find(self, prefix: str, monotonic_us: int) -> Knock:
        """The one whose fingerprint begins so. Raises NOT_FOUND, AMBIGUOUS, INVALID_ARGUMENT."""
        self._prune(monotonic_us)
        if len(prefix) < PREFIX_CHARS_MIN:
            raise Failure(
                Code.INVALID_ARGUMENT,
                f"{prefix!r} is too short: give at least {PREFIX_CHARS_MIN} digits",
                path="$.fingerprint",
            )
        found = [one for name, one in self._all.items() if name.startswith(prefix)]
        if not found:
            raise Failure(
                Code.NOT_FOUND,
                f"no machine whose fingerprint begins with {prefix[:16]} waits here",
                path="$.fingerprint",
                next="Knock again: aimem-node join --knock. A knock lasts a quarter of an hour.",
            )
        if len(found) > 1:
            raise Failure(
                Code.AMBIGUOUS, f"{len(found)} machines begin with {prefix}",
                path="$.fingerprint", next="Give more digits.",
            )  # fmt: skip
        return found[0]

    def drop(self, fingerprint: str) -> None:
        """It waits no longer."""
        self._all.pop(fingerprint, None)

    def shown(self, monotonic_us: int) -> tuple[values.Knock, ...]:
        """All of them, for ClusterStatus, the oldest first."""
        self._prune(monotonic_us)
        return tuple(
            values.Knock(fingerprint=name, name=one.name, address=one.address, at=one.at_us)
            for name, one in self._all.items()
        )

    def _prune(self, monotonic_us: int) -> None:
        for name, one in list(self._all.items()):
            if one.ends_us <= monotonic_us:
                del self._all[name]
