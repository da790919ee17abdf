"""What a reader makes of a source that a test writes."""

from collections.abc import Callable, Iterator
from typing import Any

from aimem_node.gateways.cli.mining.found import Found, Unfit
from aimem_node.gateways.cli.mining.sources import Tree, open_tree


def read(find: Callable[[Tree], Iterator[Any]], path: Any) -> tuple[list[Found], list[Unfit]]:
    """What was found, and what was left out."""
    items = list(find(open_tree(str(path))))
    return (
        [one for one in items if isinstance(one, Found)],
        [one for one in items if isinstance(one, Unfit)],
    )


def spoken(found: Found) -> list[str]:
    """Its messages as `role: text`."""
    return [f"{one.role}: {one.text}" for one in found.messages]
