"""The operator's commands as an operator types them: `aimem-node` in a process of its own.

The demo could ask the nodes directly, and does where it measures. Where it shows, it runs the
command, so that what stands on the screen is what a user will see.
"""

import asyncio
import json
from collections.abc import Callable, Collection
from typing import Any

from aimem_node.gateways.demo.own_node import Command, OwnNode

AIMEM_NODE = Command("aimem-node", "aimem_node.gateways.operator.cli:main")
SECONDS_MAX = 30.0


class CommandError(Exception):
    """A command ended as it should not have; says what it wrote."""


async def lines_of(
    node: OwnNode, *arguments: str, told: Callable[[str], None], fine: Collection[int] = (0,)
) -> None:
    """Run a command and hand on each line of its output as it comes.

    CommandError when it exits with a code that is not `fine`.
    """
    process = await asyncio.create_subprocess_exec(
        *AIMEM_NODE.argv(*arguments, "--data-dir", str(node.data_dir)),
        env=node.env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        limit=1 << 20,
        start_new_session=True,
    )
    assert process.stdout is not None
    written: list[str] = []
    try:
        async with asyncio.timeout(SECONDS_MAX):
            async for line in process.stdout:
                written.append(line.decode(errors="replace").rstrip())
                told(written[-1])
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if code not in fine:
        raise CommandError(f"aimem-node {arguments[0]} ended with {code}: " + "\n".join(written))


async def answer_of(node: OwnNode, *arguments: str, fine: Collection[int] = (0,)) -> dict[str, Any]:
    """What a command says with --json. CommandError when it fails."""
    written: list[str] = []
    await lines_of(node, *arguments, "--json", told=written.append, fine=fine)
    found: dict[str, Any] = json.loads("\n".join(written))
    return found
