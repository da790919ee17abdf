"""Dialing one member: why it fails, and that it is tried again."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aimem_node.contract.errors import Failure
from aimem_node.rpc import peer_dialer
from aimem_node.rpc.peer_dialer import Dialer, carried, open_channel
from aimem_sync.members import Member
from tests.aimem_node.rpc.peer_stage import (
    HOST,
    Box,
    Stage,
    config_of,
    identity_at,
    member,
    play,
)


async def plain_server(stage: Stage, answer: bytes) -> str:
    """Something else than a node: says one thing to everybody and hangs up."""

    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(serve, HOST, 0)

    async def end() -> None:
        server.close()

    stage.ends.append(end)
    return f"{HOST}:{server.sockets[0].getsockname()[1]}"


async def next_why(dialer: Dialer, about: Callable[[str], bool]) -> str:
    """What the dialer says next about why there is no connection."""
    told: asyncio.Queue[str] = asyncio.Queue()

    class Told(Dialer):
        def __setattr__(self, name: str, value: Any) -> None:
            object.__setattr__(self, name, value)
            if name == "why":
                told.put_nowait(value)

    dialer.__class__ = Told
    while True:
        why = await told.get()
        if about(why):
            return why


def dialer_of(ann: Box, other: Member) -> Dialer:
    ann.follow(config_of(ann.member, other))
    return ann.net._dialers[other.node_id]


def test_something_that_is_no_node_is_said_to_be_none(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann = await stage.box("ann")
        bob = identity_at(tmp_path / "bob")
        address = await plain_server(stage, b"HTTP/1.1 400 Bad Request\r\n\r\n")
        dialer = dialer_of(ann, member(bob, address, "bob"))
        assert "no TLS is spoken" in await next_why(dialer, lambda why: why.startswith("refused"))
        assert await ann.refusal() == ("bob", "no_tls")

    play(tmp_path, scene)


def test_a_refusal_of_the_other_end_is_told_with_its_words(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.boxes_of("ann", "bob")
        bob.follow(replace(config_of(ann.member, bob.member), cluster_id="c2" * 16))
        dialer = dialer_of(ann, bob.member)
        why = await next_why(dialer, lambda why: why.startswith("refused"))
        assert "another cluster is meant" in why

    play(tmp_path, scene)


def test_a_member_that_is_not_there_is_tried_until_it_is(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.boxes_of("ann", "bob")
        port = bob.net.port
        config = config_of(ann.member, bob.member)
        bob.follow(config_of(replace(ann.member, address=""), bob.member))
        await bob.net.stop_listening()
        ann.follow(config)
        dialer = ann.net._dialers[bob.node_id]
        for _ in range(2):
            assert await next_why(dialer, lambda why: bool(why)) == "nothing listens there"
        await bob.net.listen(HOST, port)
        assert await ann.link() == bob.node_id
        assert dialer.why == ""

    play(tmp_path, scene)


def test_following_the_same_list_leaves_a_connection_alone(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        ann, bob = await stage.team("ann", "bob")
        dialer = ann.net._dialers[bob.node_id]
        config = config_of(ann.member, bob.member)
        ann.follow(replace(config, epoch=2), config)
        assert ann.net._dialers[bob.node_id] is dialer
        assert not dialer._again.is_set()
        # One root more is no reason either: what there is stays allowed.
        new = identity_at(tmp_path / "new")
        more = bob.member.with_keys({**bob.member.keys(), **member(new).keys()})
        ann.follow(config_of(ann.member, more, epoch=3), config)
        assert not dialer._again.is_set()
        ann.follow(config_of(ann.member, member(new), replace(bob.member, address="127.0.0.1:1")))
        assert dialer._again.is_set()

    play(tmp_path, scene)


def test_a_refused_dialer_tries_at_once_when_the_list_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peer_dialer, "REFUSED_PAUSE_MS", 3_600_000)

    async def scene(stage: Stage) -> None:
        ann, bob = await stage.boxes_of("ann", "bob")
        config = config_of(ann.member, bob.member)
        bob.follow(config_of(replace(bob.member, address="")))
        ann.follow(config)
        await ann.refusal("key_refused")
        bob.follow(config_of(replace(ann.member, address=""), bob.member))
        ann.follow(replace(config, epoch=2), config)
        assert await ann.link() == bob.node_id

    play(tmp_path, scene)


def test_without_a_certificate_of_the_member_nothing_is_dialed(tmp_path: Path) -> None:
    """gRPC takes an empty list of roots for the authorities of the whole world."""
    ann, bob = identity_at(tmp_path / "ann"), identity_at(tmp_path / "bob")
    with pytest.raises(Failure, match="may be trusted"):
        open_channel("127.0.0.1:1", ann, Member(bob.node_id, (bob.fingerprint,)))


class Error:
    """A gRPC error, as far as it is looked at."""

    def __init__(self, *metadata: tuple[str, bytes]) -> None:
        self.trailing_metadata = lambda: metadata


def test_only_a_refusal_with_a_reason_is_taken_for_one() -> None:
    assert carried(Error()) is None
    assert carried(Error(("aimem-failure-bin", b"no JSON"))) is None
    assert carried(Error(("aimem-failure-bin", b"[]"))) is None
    assert carried(Error(("aimem-failure-bin", b'{"code":"UNAVAILABLE","error":"x"}'))) is None
    body = b'{"code":"PERMISSION_DENIED","error":"no","details":{"reason":"revoked"}}'
    failure = carried(Error(("aimem-failure-bin", body)))
    assert failure is not None
    assert failure.details["reason"] == "revoked"
