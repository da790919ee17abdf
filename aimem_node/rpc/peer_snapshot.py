"""A whole state as a file, from one node to another.

The file is hashed by its sender before the first byte goes out and by its receiver as the last one
comes in, so nothing that happened to it in between is ever installed. While it is still being made
the sender says so again and again: a large one takes longer than anybody waits for silence.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import grpc.aio

from aimem_node.rpc import peer_words as words
from aimem_node.rpc.peer_words import number, read_wire, wire_class
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Origin
from aimem_sync.faults import OpFault
from aimem_sync.log import Head

PIECE_BYTES: Final = 256 * 1024
PATIENCE_S: Final = 1.0
"""Between two words that the file is still being made."""
STALL_S: Final = 20.0
"""Without a word for this long the sender is given up."""


class SnapshotFile(Protocol):
    """A snapshot as the store exports it."""

    @property
    def path(self) -> Path:
        """Where it is. It may be replaced there while it is sent."""
        ...

    @property
    def heads(self) -> Mapping[Origin, Head]:
        """Where each log ends in it."""
        ...

    @property
    def floor(self) -> Cursor:
        """Up to where it has no bodies."""
        ...

    @property
    def lamport(self) -> int:
        """The highest number in it."""
        ...

    @property
    def sha256(self) -> str | bytes:
        """Of the whole file, as 32 bytes or in hex."""
        ...

    @property
    def bytes(self) -> int:
        """Its size."""
        ...


@dataclass(frozen=True, slots=True)
class SnapshotFacts:
    """What a snapshot is, said before its bytes."""

    heads: Mapping[Origin, Head]
    floor: Cursor
    lamport: int
    sha256: bytes
    bytes: int


def ask_bytes(pull_id: int) -> bytes:
    """What ask_from reads."""
    return bytes(wire_class("SnapshotAsk")(pull_id=pull_id).SerializeToString())


def ask_from(body: bytes) -> int:
    """The pull that wants it. Raises OpFault."""
    return number(read_wire("SnapshotAsk", body).pull_id)


async def parts(making: Awaitable[SnapshotFile]) -> AsyncGenerator[bytes, None]:
    """The messages that carry a snapshot. Raises OSError if it cannot be read."""
    made = asyncio.ensure_future(making)
    while True:
        # Others may wait for the same file: shield it from the end of this call.
        done, _ = await asyncio.wait({made}, timeout=PATIENCE_S)
        if done:
            break
        yield b""
    snapshot = made.result()
    with open(snapshot.path, "rb") as file:  # noqa: ASYNC230 - opening is quick; reads are not here
        yield _facts_bytes(snapshot)
        while piece := await asyncio.to_thread(file.read, PIECE_BYTES):
            yield bytes(wire_class("SnapshotPart")(piece=piece).SerializeToString())


def _facts_bytes(snapshot: SnapshotFile) -> bytes:
    part = wire_class("SnapshotPart")()
    facts, sha256 = part.facts, snapshot.sha256
    words.put_heads(facts.heads, snapshot.heads)
    words.put_cursor(facts.floor, snapshot.floor)
    facts.lamport, facts.bytes = snapshot.lamport, snapshot.bytes
    facts.sha256 = bytes.fromhex(sha256) if isinstance(sha256, str) else sha256
    return bytes(part.SerializeToString())


def _facts(found: Any) -> SnapshotFacts:
    return SnapshotFacts(
        words.heads(found.heads),
        words.cursor(found.floor),
        number(found.lamport),
        words.digest(found.sha256),
        number(found.bytes),
    )


async def fetch(
    read: Callable[[], Awaitable[Any]], to: Path, told: Callable[[int, int], None]
) -> SnapshotFacts:
    """Write a snapshot to `to`, on disk when this returns; what it is.

    `told` is called with (bytes so far, bytes in all) at every message. Raises OpFault if it is not
    what its sender said, TimeoutError if the sender falls silent, OSError. Then `to` is no use.
    """
    facts: SnapshotFacts | None = None
    hashed, done = hashlib.sha256(), 0
    with open(to, "wb") as file:  # noqa: ASYNC230 - opening is quick; writes are not here
        while (part := await _next(read)) is not None:
            kind = part.WhichOneof("part")
            if kind == "facts" and facts is None:
                facts = _facts(part.facts)
            elif kind == "piece" and facts is not None:
                done += len(part.piece)
                if done > facts.bytes:
                    raise OpFault("a snapshot is longer than its sender said")
                hashed.update(part.piece)
                await asyncio.to_thread(file.write, part.piece)
            elif kind is not None:
                raise OpFault("the parts of a snapshot come in a wrong order")
            told(done, facts.bytes if facts else 0)
        if facts is None or done != facts.bytes:
            raise OpFault("a snapshot ended too early")
        if hashed.digest() != facts.sha256:
            raise OpFault("a snapshot does not match its hash")
        await asyncio.to_thread(_to_disk, file)
    return facts


async def _next(read: Callable[[], Awaitable[Any]]) -> Any:
    async with asyncio.timeout(STALL_S):
        body = await read()
    return None if body is grpc.aio.EOF else read_wire("SnapshotPart", body)


def _to_disk(file: Any) -> None:
    file.flush()
    os.fsync(file.fileno())
