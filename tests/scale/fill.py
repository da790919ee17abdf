"""Fill the stores that `make bench-scale` measures: `python -m tests.scale.fill --keep DIR`.

The memories go through a node, a thousand a call, as an importer would send them. Up to 10,000 of
them the node makes the vectors too; beyond, that would take hours, so the vectors are composed
(see composing) and written into the store while no node has it. Then a node builds their index.
What is whole is left alone, and what is not is gone on with where it was.
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from aimem_node.config import Settings
from aimem_node.gateways.demo import conversation
from aimem_node.gateways.demo.conversation import Conversation
from aimem_node.gateways.operator.bench import standing
from aimem_node.gateways.operator.bench.command import ended
from aimem_node.gateways.operator.bench.runner import say
from aimem_node.gateways.operator.bench.scale import filling
from aimem_node.gateways.operator.bench.scale.filling import Filled
from aimem_node.gateways.operator.bench.scale.runner import REFUSALS, arguments
from aimem_node.gateways.operator.bench.scale.sizes import COMPOSED_ABOVE
from aimem_node.gateways.operator.bench.words import Words
from aimem_node.store.store import Store
from tests.scale.composing import Composer, Sentences

ROWS = 2_000
"""Vectors of one transaction: about a tenth of a second."""
TOLD_EVERY_S = 10.0
MODEL_SECONDS_MAX = 120.0
BATCH_SECONDS_MAX = 600.0
READERS = 1


def main(argv: Sequence[str] | None = None) -> int:
    """0 when every store is whole, 2 when one cannot be filled, 130 when interrupted."""
    parser = argparse.ArgumentParser("tests.scale.fill", description=main.__doc__)
    arguments(parser)
    asked = parser.parse_args(argv)
    return ended("fill", lambda: fill_all(asked), REFUSALS, "the next run goes on from here")


def fill_all(asked: argparse.Namespace) -> int:
    """Fill the stores that are not whole yet."""
    talks, path, _ = conversation.here(os.environ)
    for size in sorted(set(asked.sizes)):
        if filling.noted(asked.keep, size) is None:
            fill(asked.keep, size, talks, path.name, asked.embedder)
        else:
            say(f"{size:,}: filled already")
    return 0


def fill(keep: Path, size: int, talks: Sequence[Conversation], text: str, embedder: str) -> None:
    """Fill the store of one size and say so beside it."""
    say(f"{size:,}: filling {filling.home(keep, size)}")
    stored_s, per_s = asyncio.run(filling.fill(keep, size, talks, embedder, say))
    vectors, began = "none" if embedder == "off" else "of the model", time.monotonic()
    if embedder != "off" and size > COMPOSED_ABOVE:
        vectors = "composed"
        compose(keep, size, Words(talks), embedder)
        asyncio.run(index(keep, size, embedder))
    filling.note(keep, Filled(size, stored_s, per_s, vectors, time.monotonic() - began, text))


def compose(keep: Path, size: int, words: Words, embedder: str) -> None:
    """Give every memory of a store that no node has open a composed vector."""
    directory = filling.home(keep, size) / filling.STORE
    embedding = model(directory, embedder)
    try:
        space = _space(embedding)

        def embed(texts: Sequence[str]) -> Any:
            return embedding.passages(texts, space.fingerprint, BATCH_SECONDS_MAX).result()

        composer = Composer(Sentences(words.sentences), embed)
        composer.learn(say, keep / f"sentences-{space.fingerprint[:16]}")
        store = Store.open(directory, lambda why: say(f"the store failed: {why}"), readers=READERS)
        try:
            store.writer.submit(lambda session: session.set_space(space)).result()
            _put(store, composer, space.fingerprint, size)
        finally:
            store.close()
    finally:
        embedding.close()


def model(directory: Path, embedder: str) -> Any:
    """The node's own model, with its files where the node will look for them."""
    from aimem_node.embedding import embedding_of

    return embedding_of(Settings(data_dir=directory, embedder=embedder))


def _space(embedding: Any) -> Any:
    asked = embedding.query("is anybody there", MODEL_SECONDS_MAX)
    spaces = embedding.spaces()
    if asked.unavailable or not spaces:
        status = embedding.status()
        raise standing.NoMeaning(f"no model: {asked.unavailable or status.why}. {status.next}")
    return spaces[0]


def _put(store: Store, composer: Composer, fingerprint: str, size: int) -> None:
    began = told = time.monotonic()
    done = 0
    while True:
        rows = store.readers.submit(lambda view: view.vectors_due(ROWS)).result()
        if not rows:
            return
        vectors = [(row.rid, row.mark, composer.vector(row.content, row.rid)) for row in rows]
        put = store.writer.submit(
            lambda session, vectors=vectors: session.put_vectors(fingerprint, vectors)
        ).result()
        assert len(put) == len(rows), "a memory changed while no node ran"
        done += len(rows)
        now = time.monotonic()
        if now - told > TOLD_EVERY_S:
            told = now
            per_s = done / (now - began)
            say(f"{size:,}: {done:,} vectors composed, {per_s:,.0f} a second,"
                f" {(size - done) / per_s / 60:.1f} minutes to go")  # fmt: skip


async def index(keep: Path, size: int, embedder: str) -> None:
    """Let a node build the index of the vectors and save it."""
    say(f"{size:,}: building the index")
    with filling.KeptNode(filling.home(keep, size) / filling.STORE) as node:
        await standing.begin(node, embedder)
        async with standing.client_of(node) as client:
            await standing.until_vectors(client, say)
        standing.end(node)


if __name__ == "__main__":
    sys.exit(main())
