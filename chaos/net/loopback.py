"""What stands in for the network where there are no namespaces: nothing can be done to it."""

from __future__ import annotations

from collections.abc import Sequence

from chaos.net.rules import Rule


class CannotInject(Exception):  # noqa: N818 - it says what is so
    """A fault was asked for that cannot be injected on this machine."""


class Loopback:
    """All nodes on this machine's loopback address, told apart by ports."""

    def __init__(self, why: Sequence[str] = ()) -> None:
        """`why`: what is missing for a real network."""
        self.why = tuple(why)

    def up(self) -> None:
        """There is nothing to do."""

    def down(self) -> None:
        """There is nothing to undo."""

    def add(self, _name: str) -> None:
        """Every node is there already."""

    def remove(self, _name: str) -> None:
        """It stays where it was."""

    def address(self, _name: str) -> str:
        """The same for all."""
        return "127.0.0.1"

    def command(self, _name: str, argv: Sequence[str]) -> list[str]:
        """As it is."""
        return list(argv)

    async def set(self, source: str, target: str, rule: Rule) -> None:
        """Raises CannotInject for any rule that would do something."""
        if rule != Rule():
            raise CannotInject(
                f"packets from {source} to {target} cannot be touched without network namespaces:"
                f" {'; '.join(self.why) or 'none were asked for'}"
            )

    async def clear(self) -> None:
        """There are no rules."""

    async def stats(self) -> dict[str, dict[str, int]]:
        """Nothing was counted."""
        return {}
