"""The knowledge graph: walks and timelines among 100,000 links, with one memory in the middle.

A tenth of all links lead from one memory, the hub, and the rest are drawn at random among twenty
thousand, so a walk of five steps from anywhere would come by most of them.
"""

import random
from collections.abc import Iterator

from aimem_node.contract.values import ImportRequest, KgQueryRequest, KgTimelineRequest, MemoryLink
from aimem_node.gateways.operator.bench.calls import FEW, MANY, WARM_UPS, goal_of, waits
from aimem_node.gateways.operator.bench.figures import Figure, timed
from aimem_node.gateways.operator.bench.stage import Stage

LINKS = 100_000
FAN_OUT = 10_000
ENDS = 20_000
"""Memories that links are drawn between, the hub among them."""
LINKS_PER_IMPORT = 1_000
STEPS = (1, 3, 5)
DEEP_P95_MS = 50.0
"""For the deepest walk; what the operation itself declares is meant for up to three steps."""
SEED = 20_260_101


async def walking(stage: Stage) -> list[Figure]:
    """Walks of one, three and five steps, and timelines: from the hub, and from anywhere."""
    held = stage.runs(MANY, FEW)
    await stage.fill(held)
    share = held / MANY
    ends = stage.ids[: round(ENDS * share)]
    links = round(LINKS * share)
    figures = []
    async with stage.client() as client:
        for part in parts(list(drawn(ends, links, round(FAN_OUT * share)))):
            await client.call("Import", ImportRequest(links=part))
        count = stage.runs(200, 50) + WARM_UPS
        anywhere = random.Random(SEED).sample(ends, min(count, len(ends)))  # noqa: S311
        for where, sources in (("anywhere", anywhere), ("the hub", [ends[0]] * count)):
            for steps in STEPS:
                asked = [KgQueryRequest(source_id=one, max_depth=steps) for one in sources]
                waited = await waits(client, "KgQuery", asked)
                goal = goal_of("KgQuery") if steps <= 3 else DEEP_P95_MS
                what = f"kg_query, {links:,} links, depth {steps}, from {where}"
                figures.append(timed(what, waited, goal))
            told = [KgTimelineRequest(source_id=one) for one in sources]
            waited = await waits(client, "KgTimeline", told)
            what = f"kg_timeline, {links:,} links, of {where}"
            figures.append(timed(what, waited, goal_of("KgTimeline")))
    return figures


def drawn(ends: list[str], links: int, fan_out: int) -> Iterator[MemoryLink]:
    """So many links, of which so many lead from the first of the memories; the same every time."""
    chance = random.Random(SEED)  # noqa: S311  no secret
    hub = ends[0]
    for number in range(links):
        source = hub if number < fan_out else chance.choice(ends[1:])
        target = ends[1 + number % (len(ends) - 1)] if source == hub else chance.choice(ends)
        if source != target:
            yield MemoryLink(source_id=source, target_id=target, id=f"bench-link-{number}")


def parts(links: list[MemoryLink]) -> Iterator[tuple[MemoryLink, ...]]:
    """As many as one import takes."""
    for start in range(0, len(links), LINKS_PER_IMPORT):
        yield tuple(links[start : start + LINKS_PER_IMPORT])
