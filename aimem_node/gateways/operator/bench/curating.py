"""Ask whether something is stored already: copies, texts that are nearly the same, new ones."""

import random
from collections.abc import Iterable

from aimem_node.contract.values import CheckDuplicateRequest, ContradictionsRequest, StoreRequest
from aimem_node.gateways.operator.bench.calls import FEW, MANY, WARM_UPS, goal_of, waits
from aimem_node.gateways.operator.bench.figures import Figure, timed
from aimem_node.gateways.operator.bench.stage import Stage

SEED = 20_260_102


async def checking(stage: Stage) -> list[Figure]:
    """check_duplicate for copies, changed copies and new texts; contradictions of all topics."""
    held = stage.runs(MANY, FEW)
    await stage.fill(held)
    count = stage.runs(300, 50) + WARM_UPS
    new = list(stage.words.memories(count))
    figures = []
    async with stage.client() as client:
        kept = list(stage.words.memories(count))
        for one in kept:
            await client.call("Store", one)
        kinds = (("copies", kept), ("changed copies", list(changed(kept))), ("new texts", new))
        for kind, texts in kinds:
            asked = [CheckDuplicateRequest(title=one.title, content=one.content) for one in texts]
            waited = await waits(client, "CheckDuplicate", asked)
            what = f"check_duplicate, {held:,} memories, {kind}"
            figures.append(timed(what, waited, goal_of("CheckDuplicate")))
        waited = await waits(client, "Contradictions", [ContradictionsRequest()] * count)
        what = f"contradictions, {held:,} memories"
        figures.append(timed(what, waited, goal_of("Contradictions")))
    return figures


def changed(texts: Iterable[StoreRequest]) -> Iterable[StoreRequest]:
    """The same texts, of each of which one word is another one."""
    chance = random.Random(SEED)  # noqa: S311  no secret
    for one in texts:
        words = one.content.split()
        words[chance.randrange(len(words))] = "otherwise"
        yield StoreRequest(title=one.title, content=" ".join(words), namespace=one.namespace)
