"""A failure arrives on the client as the one that was raised in the node."""

import asyncio
import json
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aimem_node.client import grpc_wire
from aimem_node.client.sync import SyncClient
from aimem_node.contract import errors
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import GetRequest
from aimem_node.rpc import grpc_failures
from aimem_node.rpc.grpc_failures import FAILURE_BYTES_MAX, failure_bytes
from aimem_node.rpc.grpc_server import UnixListener
from tests.aimem_node.rpc.stage import HANG_S, Stage, failure_of, play

GET = GetRequest(id="m1")

failures = st.builds(
    Failure,
    st.sampled_from(list(Code)),
    st.text(min_size=1, max_size=3000),
    path=st.text(max_size=3000),
    next=st.text(max_size=3000),
    details=st.dictionaries(st.text(max_size=5), st.text(max_size=2000), max_size=3),
    definite=st.none() | st.booleans(),
)


@pytest.mark.parametrize("code", list(Code))
def test_every_failure_is_the_same_at_both_ends(tmp_path: Path, code: Code) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        raised = Failure(
            code, "so nicht: ≠ % \n ünïcode", "$.a[3].title", "Do this.", {"hits": ["é"]}
        )
        stage.dispatch.failure = raised
        async with stage.here() as client:
            arrived = await failure_of(client.call("Get", GET))
        assert errors.to_json(arrived) == errors.to_json(raised)
        with SyncClient.unix(stage.socket, timeout_s=HANG_S) as waiting:
            arrived = await failure_of(asyncio.to_thread(waiting.call, "Get", GET))
        assert errors.to_json(arrived) == errors.to_json(raised)

    play(tmp_path, scene)


def test_whether_it_is_definite_arrives_even_against_the_table(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        stage.dispatch.failure = Failure(Code.DEADLINE, "a read took too long", definite=True)
        async with stage.here() as client:
            assert (await failure_of(client.call("Get", GET))).definite

    play(tmp_path, scene)


@pytest.mark.parametrize("character", ["x", "漢", "\N{GRINNING FACE}", "\x01"])
def test_a_failure_too_large_for_metadata_arrives_shortened(tmp_path: Path, character: str) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        stage.dispatch.failure = Failure(
            Code.AMBIGUOUS,
            character * 20_000,
            "$." + character * 500,
            character * 500,
            details={"ids": ["x" * 40] * 1000},
        )
        async with stage.here() as client:
            arrived = await failure_of(client.call("Get", GET))
        assert arrived.code is Code.AMBIGUOUS
        assert arrived.path.startswith("$." + character * 100)
        assert arrived.message.startswith(character * 100)

    play(tmp_path, scene)


@given(failures)
@example(Failure(Code.INTERNAL, "\x01" * 9000, "\x01" * 9000, "\x01" * 9000))
@example(Failure(Code.INTERNAL, "\ud800" * 9000))
def test_whatever_a_failure_says_it_fits_and_keeps_its_code(failure: Failure) -> None:
    sent = failure_bytes(failure)
    assert len(sent) <= FAILURE_BYTES_MAX
    arrived = errors.from_json(json.loads(sent))
    assert (arrived.code, arrived.definite) == (failure.code, failure.definite)


def test_both_ends_call_the_metadata_by_the_same_name() -> None:
    assert grpc_failures.FAILURE_KEY == grpc_wire.FAILURE_KEY


def test_of_very_many_peers_the_first_are_still_named() -> None:
    peers = [
        {"node_id": f"{n:032x}", "name": f"lab-{n}", "state": "unreachable", "reason": "silent"}
        for n in range(50)
    ]
    failure = Failure(Code.NOT_WRITTEN, "too few", details={"needed": 26, "peers": peers})
    sent = failure_bytes(failure)
    assert len(sent) <= FAILURE_BYTES_MAX
    arrived = errors.from_json(json.loads(sent)).details
    assert arrived["needed"] == 26
    assert arrived["peers"] == peers[: len(arrived["peers"])]
    assert len(arrived["peers"]) > 8
