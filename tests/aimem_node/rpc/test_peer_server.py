"""The listener for members, spoken to by hand."""

import asyncio
import socket
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import grpc.aio
import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.identity import Identity
from aimem_node.rpc import peer_asks as asks
from aimem_node.rpc import peer_frames
from aimem_node.rpc.peer_access import CLUSTER_KEY, NODE_KEY
from aimem_node.rpc.peer_dialer import claims, open_channel
from aimem_node.rpc.peer_server import SERVICE
from aimem_node.rpc.peer_words import FRAME_BYTES_MAX
from aimem_sync.cursor import Cursor
from aimem_sync.dot import Origin
from tests.aimem_node.rpc.peer_stage import (
    CLUSTER,
    HOST,
    Box,
    Stage,
    beat,
    config_of,
    identity_at,
    member,
    play,
)
from tests.aimem_node.rpc.test_tls import signed_by


async def listening(stage: Stage, *others: Identity) -> Box:
    """A box that dials nobody, since none of the others has an address."""
    ann = await stage.box("ann")
    ann.follow(config_of(ann.member, *(member(other) for other in others)))
    return ann


def dial(stage: Stage, ann: Box, identity: Any) -> grpc.aio.Channel:
    channel = open_channel(ann.address, identity, ann.member)
    stage.ends.append(channel.close)
    return channel


def said(identity: Any) -> tuple[tuple[str, str], ...]:
    return ((CLUSTER_KEY, CLUSTER), (NODE_KEY, identity.node_id))


def hello_of(identity: Identity, **changes: Any) -> bytes:
    words: dict[str, Any] = {
        "cluster_id": CLUSTER, "origin": Origin(identity.node_id, "01" * 8), "epoch": 1,
        "have": Cursor(), "wall_us": 0,
    }  # fmt: skip
    return asks.hello_bytes(asks.Hello(**{**words, **changes}))


async def status_of(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


def test_a_member_is_greeted_and_told_who_answers(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bob = identity_at(tmp_path / "bob")
        ann = await listening(stage, bob)
        call = dial(stage, ann, bob).unary_unary(f"/{SERVICE}/Hello")
        answer = asks.hello_from(await call(hello_of(bob), metadata=said(bob)))
        assert (answer.origin, answer.cluster_id, answer.epoch) == (ann.side.origin, CLUSTER, 1)

    play(tmp_path, scene)


def test_what_a_hello_claims_is_compared_with_the_key(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bob = identity_at(tmp_path / "bob")
        ann = await listening(stage, bob)
        call = dial(stage, ann, bob).unary_unary(f"/{SERVICE}/Hello")
        lies = {
            "wrong_node": {"origin": ann.side.origin},
            "wrong_cluster": {"cluster_id": "c2" * 16},
            "unknown_protocol": {"protocol_min": 7, "protocol_max": 9},
        }
        for reason, lie in lies.items():
            status, _ = await status_of(call(hello_of(bob, **lie), metadata=said(bob)))
            assert status is grpc.StatusCode.PERMISSION_DENIED
            assert (await ann.refusal())[1] == reason
        await status_of(call(b"\xff", metadata=said(bob)))
        assert (await ann.refusal())[1] == "malformed"

    play(tmp_path, scene)


def test_every_call_is_looked_at_and_not_only_the_first(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bob = identity_at(tmp_path / "bob")
        ann = await listening(stage, bob)
        channel = dial(stage, ann, bob)
        hello = channel.unary_unary(f"/{SERVICE}/Hello")
        await hello(hello_of(bob), metadata=said(bob))
        before = config_of(ann.member, member(bob))
        ann.follow(before.without(bob.node_id), before)
        for method in ("Hello", "Digest", "ChainAt"):
            call = channel.unary_unary(f"/{SERVICE}/{method}")
            status, why = await status_of(call(b"", metadata=said(bob)))
            assert status is grpc.StatusCode.PERMISSION_DENIED
            assert "was revoked" in why
            assert (await ann.refusal())[1] == "revoked"
        for method in ("Live", "Bulk"):
            stream = channel.stream_stream(f"/{SERVICE}/{method}")(metadata=said(bob))
            status, _ = await status_of(stream.read())
            assert status is grpc.StatusCode.PERMISSION_DENIED
        down = channel.unary_stream(f"/{SERVICE}/Snapshot")(b"", metadata=said(bob))
        assert (await status_of(down.read()))[0] is grpc.StatusCode.PERMISSION_DENIED

    play(tmp_path, scene)


def test_a_call_that_does_not_say_which_cluster_it_means_is_refused(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bob = identity_at(tmp_path / "bob")
        ann = await listening(stage, bob)
        stream = dial(stage, ann, bob).stream_stream(f"/{SERVICE}/Live")()
        assert (await status_of(stream.read()))[0] is grpc.StatusCode.PERMISSION_DENIED
        assert await ann.refusal() == (bob.node_id[:16], "wrong_node")

    play(tmp_path, scene)


def test_a_certificate_that_a_pinned_key_has_signed_opens_nothing(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bob = identity_at(tmp_path / "bob")
        ann = await listening(stage, bob)
        for whole_chain in (False, True):
            home = tmp_path / f"child-{whole_chain}"
            signed_by(bob, home, whole_chain=whole_chain)
            credentials = grpc.ssl_channel_credentials(
                ann.identity.cert_pem,
                (home / "identity" / "node.key").read_bytes(),
                (home / "identity" / "node.crt").read_bytes(),
            )
            options = (("grpc.ssl_target_name_override", "aimem"),)
            async with grpc.aio.secure_channel(ann.address, credentials, options) as channel:
                call = channel.unary_unary(f"/{SERVICE}/Hello")
                status, _ = await status_of(call(hello_of(bob), metadata=said(bob)))
            assert status in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED}
        assert ann.side.told.empty()

    play(tmp_path, scene)


def test_a_member_that_was_added_is_let_in_without_a_restart(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bob, cat = identity_at(tmp_path / "bob"), identity_at(tmp_path / "cat")
        ann = await listening(stage, bob)
        call = dial(stage, ann, cat).unary_unary(f"/{SERVICE}/Hello")
        status, _ = await status_of(call(hello_of(cat), metadata=said(cat)))
        assert status is grpc.StatusCode.UNAVAILABLE
        ann.follow(config_of(ann.member, member(bob), member(cat)))
        call = dial(stage, ann, cat).unary_unary(f"/{SERVICE}/Hello")
        await call(hello_of(cat), metadata=said(cat))

    play(tmp_path, scene)


def test_another_key_is_shown_to_those_who_come_next(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bob = identity_at(tmp_path / "bob")
        ann = await listening(stage, bob)
        other = identity_at(tmp_path / "other")
        new = Identity(ann.node_id, other.certificate, other.key_pem, other._key)
        await ann.net.renew(new)
        channel = open_channel(ann.address, bob, member(other))
        stage.ends.append(channel.close)
        call = channel.unary_unary(f"/{SERVICE}/Hello")
        await call(hello_of(bob), metadata=said(bob))

    play(tmp_path, scene)


def test_a_live_stream_is_ended_with_the_reason_at_once(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bob = identity_at(tmp_path / "bob")
        ann = await listening(stage, bob)
        before = config_of(ann.member, member(bob))
        stream = dial(stage, ann, bob).stream_stream(f"/{SERVICE}/Live")(metadata=said(bob))
        await stream.write(peer_frames.frame_bytes(beat(1)))
        assert await ann.next_heard() == beat(1)
        ann.follow(before.without(bob.node_id), before)
        async with asyncio.timeout(1):
            status, why = await status_of(stream.read())
        assert (status, "was revoked" in why) == (grpc.StatusCode.PERMISSION_DENIED, True)

    play(tmp_path, scene)


def test_a_frame_that_is_too_large_ends_the_stream(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bob = identity_at(tmp_path / "bob")
        ann = await listening(stage, bob)
        credentials = grpc.ssl_channel_credentials(ann.identity.cert_pem, bob.key_pem, bob.cert_pem)
        options = (("grpc.ssl_target_name_override", "aimem"), ("grpc.max_send_message_length", -1))
        async with grpc.aio.secure_channel(ann.address, credentials, options) as channel:
            stream = channel.stream_stream(f"/{SERVICE}/Live")(metadata=said(bob))
            await stream.write(bytes(FRAME_BYTES_MAX + 1))
            assert (await status_of(stream.read()))[0] is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert ann.side.told.empty()

    play(tmp_path, scene)


def test_nobody_is_let_in_before_the_members_are_known(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann = await stage.box("ann")
        bob = identity_at(tmp_path / "bob")
        call = dial(stage, ann, bob).unary_unary(f"/{SERVICE}/Hello")
        status, _ = await status_of(call(hello_of(bob), metadata=said(bob)))
        assert status is grpc.StatusCode.UNAVAILABLE

    play(tmp_path, scene)


def test_a_listener_can_move_and_stop(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bob = identity_at(tmp_path / "bob")
        ann = await listening(stage, bob)
        first = ann.net.port
        stream = dial(stage, ann, bob).stream_stream(f"/{SERVICE}/Live")(metadata=said(bob))
        await stream.write(peer_frames.frame_bytes(beat(1)))
        await ann.next_heard()
        with socket.socket() as taken:
            taken.bind((HOST, 0))
            taken.listen()
            with pytest.raises(Failure) as caught:
                await ann.net.listen(HOST, taken.getsockname()[1])
            assert caught.value.code is Code.STORAGE
        assert (await status_of(stream.read()))[0] is grpc.StatusCode.UNAVAILABLE
        assert ann.net.port == 0
        assert await ann.net.listen(HOST, first) == first
        assert await ann.net.listen(HOST, first) == first
        await ann.net.stop_listening()
        assert ann.net.port == 0

    play(tmp_path, scene)


def test_every_call_says_who_makes_it(tmp_path: Path) -> None:
    ann = identity_at(tmp_path / "ann")
    assert dict(claims(config_of(member(ann)), ann.node_id)) == {
        "aimem-cluster": CLUSTER, "aimem-node": ann.node_id,
    }  # fmt: skip
