"""Fill a store once and keep it: `DIR/<size>/store`, with a note beside it when it is whole.

Whatever interrupts it, the next run goes on where it was: the text is the same every time, so how
many memories are there says which comes next.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.contract.values import BulkStoreRequest, StatsRequest
from aimem_node.gateways.demo.conversation import Conversation
from aimem_node.gateways.demo.own_node import OwnNode
from aimem_node.gateways.operator.bench import standing
from aimem_node.gateways.operator.bench.scale.sizes import COMPOSED_ABOVE, memories
from aimem_node.gateways.operator.bench.standing import Say
from aimem_node.gateways.operator.bench.words import Words

BULK_ITEMS = 1_000
TOLD_EVERY_S = 10.0
NOTE = "filled.json"
STORE = "store"


@dataclass(frozen=True, slots=True)
class Filled:
    """What is known of a store that is whole."""

    size: int
    stored_s: float
    """In this run; 0 when the memories were all there."""
    stored_per_s: float
    vectors: str
    """"none", "of the model" or "composed"."""
    vectors_s: float
    text: str
    """The file that the sentences are from."""


def home(keep: Path, size: int) -> Path:
    """Where the store of a size is kept, with what belongs to it."""
    return keep / str(size)


def noted(keep: Path, size: int) -> Filled | None:
    """The note of a store that is whole; None when it is not, or not there."""
    try:
        return Filled(**json.loads((home(keep, size) / NOTE).read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def note(keep: Path, filled: Filled) -> None:
    """Say that the store is whole."""
    place = home(keep, filled.size) / NOTE
    part = place.with_suffix(".part")
    part.write_text(json.dumps(asdict(filled), indent=1) + "\n", "utf-8")
    part.replace(place)


class KeptNode(OwnNode):
    """A node over a store that stays when the node is gone."""

    def __init__(self, store: Path) -> None:
        super().__init__("aimem-scale-", store.parent)
        store.mkdir(parents=True, exist_ok=True)
        self.data_dir = store


async def fill(
    keep: Path, size: int, talks: Sequence[Conversation], embedder: str, say: Say
) -> tuple[float, float]:
    """Bring the store of a size to all its memories; the seconds and the stores a second.

    Up to COMPOSED_ABOVE memories, the node makes their vectors too unless its embedder is off.
    """
    small = size <= COMPOSED_ABOVE and embedder != "off"
    with KeptNode(home(keep, size) / STORE) as node:
        await standing.begin(node, "off")
        async with standing.client_of(node) as client:
            took_s, per_s = await _texts(client, size, talks, say)
        standing.end(node)
        if small:
            say(f"{size:,}: vectors by the model")
            await standing.begin(node, embedder)
            async with standing.client_of(node) as client:
                await standing.until_vectors(client, say)
            standing.end(node)
    return took_s, per_s


async def _texts(
    client: GrpcClient, size: int, talks: Sequence[Conversation], say: Say
) -> tuple[float, float]:
    there = (await client.call("Stats", StatsRequest())).total
    if there:
        say(f"{size:,}: {there:,} memories are there already")
    began = told = time.monotonic()
    done = there
    coming = islice(memories(Words(talks), size), there, None)
    while chunk := tuple(islice(coming, BULK_ITEMS)):
        await client.call("BulkStore", BulkStoreRequest(memories=chunk))
        done += len(chunk)
        now = time.monotonic()
        if now - told > TOLD_EVERY_S:
            told = now
            per_s = (done - there) / (now - began)
            say(f"{size:,}: {done:,} stored, {per_s:,.0f} a second,"
                f" {(size - done) / per_s / 60:.1f} minutes to go")  # fmt: skip
    took_s = time.monotonic() - began
    return took_s, (done - there) / took_s if done > there else 0.0
