"""What rules cost a write: the same stores before any is set, and with some on every level.

The difference of the medians is shown: percentiles of two runs tell more of the disk than of the
rules. Secrets are looked for in both runs.
"""

from collections.abc import Sequence
from statistics import median

from aimem_node.contract.values import Level, PolicyRule, PolicySetRequest, Quota
from aimem_node.gateways.operator.bench.calls import FEW, WARM_UPS, waits
from aimem_node.gateways.operator.bench.figures import Figure, timed
from aimem_node.gateways.operator.bench.stage import Stage

ADDED_MS = 0.5
LEVELS = ("bench", "bench/ruled", "bench/ruled/deep")
PLACE = "bench/ruled/deep/down"


async def storing_under_rules(stage: Stage) -> list[Figure]:
    """Single stores without any policy, and under rules and quotas on three levels."""
    await stage.fill(FEW)
    count = stage.runs(1000, 200) + WARM_UPS
    async with stage.client() as client:
        free = await waits(client, "Store", stage.words.memories(count, PLACE))
        for namespace in LEVELS:
            await client.call("PolicySet", policy(namespace))
        ruled = await waits(client, "Store", stage.words.memories(count, PLACE))
    return [*figures(free, ruled)]


def policy(namespace: str) -> PolicySetRequest:
    """Rules that all allow, as in a house where everybody may do their work."""
    rules = [("write", Level.ANY), ("store", Level.ADMIN), ("delete", Level.OWNER)]
    return PolicySetRequest(
        namespace=namespace,
        rules=tuple(PolicyRule(action=action, level=level) for action, level in rules),
        quota=Quota(memories=1_000_000, memories_per_agent=1_000_000),
    )


def figures(free: Sequence[float], ruled: Sequence[float]) -> tuple[Figure, ...]:
    """What both runs come to."""
    added_ms = median(ruled) - median(free)
    return (
        timed("store, no policy", free, None),
        timed("store, policies on three levels", ruled, None),
        Figure("policies on three levels add to a store", added_ms, "ms p50", ADDED_MS),
    )
