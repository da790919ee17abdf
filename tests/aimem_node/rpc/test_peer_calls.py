"""Snapshots and questions, each on a channel of its own."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Sequence
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.rpc import peer_snapshot
from aimem_node.rpc.peer_asks import ChainAsk, DigestAnswer, DigestAsk
from aimem_node.rpc.peer_dialer import claims, open_channel
from aimem_node.rpc.peer_server import SERVICE
from aimem_node.rpc.peer_words import wire_class
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Origin
from aimem_sync.events import Disconnected
from aimem_sync.log import Head
from aimem_sync.messages import Snapshot
from tests.aimem_node.rpc.peer_stage import Box, File, Stage, beat, config_of, file_of, play

A = Origin("aa" * 16, "01" * 8)
LARGE = random.Random(3).randbytes(1 << 20) * 20


def ready(box: Box, content: bytes = LARGE) -> File:
    """A box that has a snapshot to give."""
    file = file_of(box.home / "out", content)
    file.heads, file.floor = {A: Head(5, b"\1" * 32)}, Cursor({A: 2})

    async def made() -> File:
        return file

    box.side.file = made
    return file


async def ask_in_vain(asker: Box, giver: Box) -> None:
    """Have one ask for a snapshot that the other is never done making; until it was heard."""
    heard = asyncio.Event()

    async def never() -> Any:
        heard.set()
        await asyncio.Event().wait()

    giver.side.file = never
    asker.net.download(giver.node_id, 6)
    await heard.wait()


def test_a_large_snapshot_arrives_whole_while_other_frames_go_on(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        ready(ann)
        bob.net.download(ann.node_id, 6)
        ann.net.send(bob.node_id, beat(1))
        assert await bob.next_heard() == beat(1)
        fingerprint, snapshot, file = await bob.side.snapshots.get()
        assert fingerprint == ann.identity.fingerprint
        heads, floor = {A: Head(5, b"\1" * 32)}, Cursor({A: 2})
        assert snapshot == Snapshot(6, heads, floor, 7, {}, {})
        assert file.read_bytes() == LARGE
        assert file.parent == bob.home
        assert bob.side.progress[-1] == (ann.node_id, 6, len(LARGE), len(LARGE))
        assert bob.side.events.empty()

    play(tmp_path, scene)


def test_a_snapshot_that_is_spoiled_on_its_way_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = peer_snapshot.parts

    async def spoiled(making: Awaitable[Any]) -> AsyncIterator[bytes]:
        at = 0
        async for body in whole(making):
            at += 1
            part = wire_class("SnapshotPart").FromString(body)
            if at == 40:
                part.piece = part.piece[:-1] + bytes((part.piece[-1] ^ 1,))
            yield bytes(part.SerializeToString())

    monkeypatch.setattr(peer_snapshot, "parts", spoiled)

    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        ready(ann)
        bob.net.download(ann.node_id, 6)
        assert await bob.side.events.get() == Disconnected(ann.node_id)
        assert bob.side.snapshots.empty()
        assert list(bob.home.glob("snapshot-*")) == []

    play(tmp_path, scene)


def test_a_file_that_shrinks_while_it_is_sent_is_refused(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        file = ready(ann)
        file.path.write_bytes(LARGE[: 1 << 20])
        bob.net.download(ann.node_id, 6)
        assert await bob.side.events.get() == Disconnected(ann.node_id)

    play(tmp_path, scene)


def test_a_member_that_is_evicted_gets_no_more_of_a_snapshot(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        await ask_in_vain(bob, ann)
        before = config_of(ann.member, bob.member)
        ann.follow(before.without(bob.node_id), before)
        async with asyncio.timeout(1):
            while await bob.side.events.get() != Disconnected(ann.node_id):
                pass
        assert bob.side.snapshots.empty()

    play(tmp_path, scene)


def test_who_is_evicted_is_cut_off_though_it_does_not_read(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        ready(ann)
        before = config_of(ann.member, bob.member)
        channel = open_channel(ann.address, bob.identity, ann.member)
        stage.ends.append(channel.close)
        call = channel.unary_stream(f"/{SERVICE}/Snapshot")(
            peer_snapshot.ask_bytes(1), metadata=claims(before, bob.node_id)
        )
        got = len(await call.read())
        ann.follow(before.without(bob.node_id), before)
        # Nothing is read here until Bob's two streams and this call are over there.
        async with asyncio.timeout(1):
            for _ in range(3):
                assert await ann.refusal() == ("bob", "revoked")

        async def drain() -> None:
            nonlocal got
            while True:
                got += len(await call.read())

        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await drain()
        assert caught.value.code() is grpc.StatusCode.PERMISSION_DENIED
        assert got < len(LARGE)

    play(tmp_path, scene)


def test_a_snapshot_of_a_member_that_was_evicted_meanwhile_is_thrown_away(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        await ask_in_vain(bob, ann)
        before = config_of(ann.member, bob.member)
        bob.follow(before.without(ann.node_id), before)
        await bob.net.calls.close()
        assert bob.side.snapshots.empty()
        assert list(bob.home.glob("snapshot-*")) == []

    play(tmp_path, scene)


def test_a_second_download_takes_the_place_of_the_first(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        await ask_in_vain(bob, ann)
        ready(ann, b"small")
        bob.net.download(ann.node_id, 7)
        _, snapshot, file = await bob.side.snapshots.get()
        assert (snapshot.pull_id, file.read_bytes()) == (7, b"small")
        assert bob.side.events.empty()

    play(tmp_path, scene)


def test_what_an_earlier_process_left_unfinished_is_removed(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        (tmp_path / "ann").mkdir()
        left = tmp_path / "ann" / "snapshot-0123abcd-4.part"
        left.write_bytes(b"half")
        await stage.box("ann")
        assert not left.exists()

    play(tmp_path, scene)


class FakeBooks:
    async def digest(self, ask: DigestAsk) -> DigestAnswer:
        return DigestAnswer(Cursor({A: ask.level + 1}), (("3", b"\1" * 32),))

    async def chain_at(self, ask: ChainAsk) -> Sequence[bytes]:
        return [bytes([seq]) * 32 if seq < 10 else b"" for seq in ask.seqs]


class Shorter(FakeBooks):
    async def chain_at(self, ask: ChainAsk) -> Sequence[bytes]:
        return [b""]


def test_questions_about_the_store_are_answered_to_members(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        ann.net.books = FakeBooks()
        found = await bob.net.digest(ann.node_id, DigestAsk(1, (3,)))
        assert found == DigestAnswer(Cursor({A: 2}), (("3", b"\1" * 32),))
        chains = await bob.net.chain_at(ann.node_id, A, (1, 12))
        assert chains == (b"\1" * 32, b"")
        ann.net.books = Shorter()
        with pytest.raises(Failure, match="cannot be read: 1 hashes for 2 places"):
            await bob.net.chain_at(ann.node_id, A, (1, 12))

    play(tmp_path, scene)


def test_a_question_that_cannot_be_answered_is_unavailable_and_says_why(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        for node_id, why in ((ann.node_id, "does not answer about its store"), ("f" * 32, "addr")):
            with pytest.raises(Failure, match=why) as caught:
                await bob.net.calls.digest(node_id, DigestAsk(0))
            assert caught.value.code is Code.UNAVAILABLE
        before = config_of(ann.member, bob.member)
        ann.follow(before.without(bob.node_id), before)
        with pytest.raises(Failure) as refused:
            await bob.net.calls.chain_at(ann.node_id, ChainAsk(A, (1,)))
        assert refused.value.code is Code.UNAVAILABLE

    play(tmp_path, scene)
