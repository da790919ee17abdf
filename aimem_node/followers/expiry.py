"""Move what has had its time into the archive, every half hour.

Expiry itself is a filter of every read, so nothing waits for this: it only tidies.
"""

import asyncio
from collections.abc import Awaitable, Callable

from aimem_node import logs

EVERY_S = 1_800.0
FIRST_AFTER_S = 60.0


async def run(collect: Callable[[], Awaitable[int]]) -> None:
    """Call `collect` until it finds nothing more, then rest. Cancelled when the node stops."""
    log = logs.get("followers")
    await asyncio.sleep(FIRST_AFTER_S)
    while True:
        try:
            total = 0
            while (found := await collect()) > 0:
                total += found
            if total:
                log.info("expired_archived", memories=total)
        except Exception as error:  # tried again at the next round
            log.warning("expired_not_archived", error=str(error))
        await asyncio.sleep(EVERY_S)
