"""A node brought to where it can be measured: its store put back as it was, its vectors all there.

Two things would spoil a measurement quietly. Recalls count as accesses, which after a minute are
told to the log and may move a memory's priority: so a store is filled once and each series runs on
a fresh copy. And a node answers by words alone while its model is still loading: so nothing is
timed before one question was answered by meaning.
"""

import asyncio
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.contract.values import Embedding, RecallRequest, StatsRequest
from aimem_node.gateways.demo.own_node import OwnNode

POLL_S = 0.25
TOLD_EVERY_S = 5.0
MODEL_SECONDS_MAX = 120.0
"""Building the model's graph and loading it takes a few seconds, the first time on a machine."""
STALLED_SECONDS_MAX = 180.0
"""Without one more vector for so long, none will come."""
INDEX_SECONDS_MAX = 3_600.0
"""For building the index of a million vectors, which takes ten minutes on two cores."""
START_SECONDS_MAX = 600.0
"""A store of a million memories may have an index to rebuild."""
STOP_SECONDS_MAX = 120.0
CALL_SECONDS_MAX = 120.0
NEVER = ("off", "failed")
SHARED_SUFFIXES = frozenset({".onnx", ".data"})
"""What the node writes once and only ever reads: shared among copies instead of copied."""

Say = Callable[[str], None]


class NoMeaning(Exception):  # noqa: N818 - it is not our fault, and says what to do
    """The node has no vectors and will not get any: why, and what to do about it."""


def client_of(node: OwnNode) -> GrpcClient:
    """A client with a channel of its own and patience for a large answer."""
    return GrpcClient.unix(node.socket("grpc"), timeout_s=CALL_SECONDS_MAX)


async def begin(node: OwnNode, embedder: str) -> float:
    """Start the node with this embedder, "off" for none; the seconds until it answered."""
    if embedder == "off":
        node.spawn()  # an OwnNode has none unless it is told to
    else:
        node.spawn(embedder=embedder)
    return await node.answering(START_SECONDS_MAX)


def end(node: OwnNode) -> None:
    """Let it put everything on the disk, however long that takes."""
    node.stop(STOP_SECONDS_MAX)


def keep(node: OwnNode, kept: Path) -> None:
    """Move the store of a node that has ended to where copies are made from."""
    assert not node.running
    kept.parent.mkdir(parents=True, exist_ok=True)
    node.data_dir.rename(kept)


def put_back(node: OwnNode, kept: Path) -> None:
    """Give a node that has ended a fresh copy of the store."""
    assert not node.running
    shutil.rmtree(node.data_dir, ignore_errors=True)
    shutil.copytree(kept, node.data_dir, copy_function=_copied)


def _copied(source: str, target: str) -> str:
    if Path(source).suffix in SHARED_SUFFIXES:
        try:
            os.link(source, target)
        except OSError:
            pass
        else:
            return target
    return shutil.copy2(source, target)


async def until_vectors(client: GrpcClient, say: Say) -> Embedding:
    """Wait until every memory has its vector and the index holds them all. Raises NoMeaning."""
    moved = told = time.monotonic()
    best = -1
    while True:
        found = await _embedding(client)
        if found.state in NEVER:
            raise NoMeaning(f"the node makes no vectors: {found.why or found.state}. {found.next}")
        if found.vectors and found.backlog == 0 and found.index == "ready":
            return found
        now = time.monotonic()
        if found.vectors > best:
            best, moved = found.vectors, now
        patience_s = STALLED_SECONDS_MAX if found.backlog else INDEX_SECONDS_MAX
        if now - moved > patience_s:
            what = "vector came" if found.backlog else f"index was ready but {found.index}"
            raise NoMeaning(f"no {what} for {patience_s:.0f} s: {found.why}")
        if now - told > TOLD_EVERY_S:
            told = now
            say(f"{found.vectors:,} vectors, {found.backlog:,} to come, index {found.index}")
        await asyncio.sleep(POLL_S)


async def until_index(client: GrpcClient, poll_s: float) -> None:
    """Wait until the index of a store that has its vectors is ready. Raises NoMeaning."""
    began = time.monotonic()
    while True:
        found = await _embedding(client)
        if found.index == "ready":
            return
        if found.state in NEVER or time.monotonic() - began > START_SECONDS_MAX:
            raise NoMeaning(f"the index is {found.index}: {found.why or found.state}")
        await asyncio.sleep(poll_s)


async def until_meaning(client: GrpcClient, rerank: str = "off") -> None:
    """Wait until a question is answered by meaning: the model is in memory. Raises NoMeaning."""
    began = time.monotonic()
    asked = RecallRequest(context="is anybody there", mode="hybrid", rerank=rerank, limit=1)
    while True:
        answer = await client.call("Recall", asked)
        if answer.mode != "keyword" and not answer.unavailable:
            return
        if time.monotonic() - began > MODEL_SECONDS_MAX:
            raise NoMeaning(f"recall stays {answer.mode}: {'; '.join(answer.unavailable)}")
        await asyncio.sleep(POLL_S)


async def _embedding(client: GrpcClient) -> Embedding:
    stats = await client.call("Stats", StatsRequest())
    return stats.embedding or Embedding(state="off", why="it says nothing of a model")
