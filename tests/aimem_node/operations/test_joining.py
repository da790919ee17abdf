"""Inviting, joining and approving, as an operator asks for them."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import (
    ApproveRequest,
    ClusterStatusResponse,
    InviteRequest,
    JoinRequest,
    MemberStatus,
)
from aimem_node.operations.joining import approve, invite, join
from aimem_node.operations.registry import WAITERS
from aimem_node.replica.line import parse_line
from tests.aimem_node.replica.joining_stage import Pair, play


async def met() -> None:
    """It is in touch with others already."""


def sponsor(pair: Pair, **status: Any) -> Any:
    """A call at the node that invites."""
    config = pair.old.config
    cluster = SimpleNamespace(
        invites=pair.office, met=met, plane=SimpleNamespace(config=config),
        me=config.member(pair.old.identity.node_id),
        status=lambda _now_us: ClusterStatusResponse(**status),
    )  # fmt: skip
    return SimpleNamespace(cluster=cluster, now_us=pair.clock.us)


def guest(pair: Pair) -> Any:
    """A call at the node that joins."""
    return SimpleNamespace(cluster=SimpleNamespace(joining=pair.joining, met=met))


def test_they_answer_the_operations_of_their_names() -> None:
    assert (WAITERS["Invite"], WAITERS["Join"], WAITERS["Approve"]) == (invite, join, approve)


def test_an_invitation_is_answered_with_its_line(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        asked = InviteRequest(name="lab-2", ttl_s=60, address="lab-1.example:7946")
        made = await invite(sponsor(pair), asked)
        line = parse_line(made.line)
        assert (line.name, line.invite_id) == ("lab-2", made.invite_id)
        assert made.expires_at == line.expires_us == pair.clock.us + 60_000_000
        assert made.address == "lab-1.example:7947"

    play(tmp_path, scene)


def test_nobody_is_invited_while_no_majority_could_admit_them(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        away = MemberStatus(node_id=pair.old.identity.node_id, state="unreachable")
        with pytest.raises(Failure) as refused:
            await invite(sponsor(pair, members=(away,)), InviteRequest())
        assert refused.value.code is Code.UNAVAILABLE

    play(tmp_path, scene)


def test_a_join_is_begun_and_asked_after(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        assert (await join(guest(pair), JoinRequest())).step == "none"
        line = (await invite(sponsor(pair), InviteRequest())).line
        pair.on_pause = pair.promote
        await join(guest(pair), JoinRequest(line=line, name="box", address="192.0.2.8:1"))
        await pair.finish()
        assert (await join(guest(pair), JoinRequest())).step == "voter"
        member = pair.new.config.member(pair.new.identity.node_id)
        assert member is not None
        assert (member.name, member.address) == ("box", "192.0.2.8:1")

    play(tmp_path, scene)


def test_a_machine_that_knocked_is_approved(tmp_path: Path) -> None:
    async def scene(pair: Pair) -> None:
        with pytest.raises(Failure) as caught:
            await approve(sponsor(pair), ApproveRequest(fingerprint="ab" * 32))
        assert caught.value.code is Code.NOT_FOUND

        def nod() -> None:
            pair.promote()
            if pair.office.knocks() and not pair.beside:
                asked = ApproveRequest(fingerprint=pair.new.identity.fingerprint, name="box")
                pair.beside.append(asyncio.create_task(approve(sponsor(pair), asked)))

        pair.on_pause = nod
        asked = JoinRequest(knock="lab-1:7947", fingerprint=pair.old.identity.fingerprint)
        await join(guest(pair), asked)
        await pair.finish()
        (answer,) = [task.result() for task in pair.beside]
        assert (answer.name, answer.node_id) == ("box", pair.new.identity.node_id)
        assert answer.epoch == 2

    play(tmp_path, scene)
