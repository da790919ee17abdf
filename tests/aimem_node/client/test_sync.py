"""The waiting client, used from a thread as a script would use it."""

import asyncio
from pathlib import Path

import pytest

from aimem_node.client.grpc_wire import Route
from aimem_node.client.sync import SyncClient
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Event, EventsRequest, GetRequest
from aimem_node.rpc.grpc_server import UnixListener
from tests.aimem_node.rpc.stage import HANG_S, Stage, play

GET = GetRequest(id="m1")


def test_it_waits_for_the_answer(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        with SyncClient.unix(stage.socket, timeout_s=HANG_S) as client:
            answer = await asyncio.to_thread(client.call, "Get", GET)
        assert answer.memory.id == "m1"

    play(tmp_path, scene)


def test_a_stream_is_iterated_and_can_be_left_early(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        for number in range(3):
            stage.dispatch.events.put_nowait(Event(token=str(number)))

        def first_two() -> list[str]:
            with SyncClient.unix(stage.socket, timeout_s=HANG_S) as client:
                items = client.stream("Events", EventsRequest())
                tokens = [next(items).token, next(items).token]
                items.close()  # type: ignore[attr-defined]
                return tokens

        assert await asyncio.to_thread(first_two) == ["0", "1"]
        await stage.dispatch.ended.wait()

    play(tmp_path, scene)


def test_a_stream_that_fails_raises_the_nodes_failure(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        stage.dispatch.events.put_nowait(Failure(Code.NOT_FOUND, "that moment is gone"))

        def drain() -> None:
            with SyncClient.unix(stage.socket, timeout_s=HANG_S) as client:
                list(client.stream("Events", EventsRequest()))

        with pytest.raises(Failure, match="that moment is gone"):
            await asyncio.to_thread(drain)

    play(tmp_path, scene)


def test_it_speaks_tls_with_both_ends_pinned(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.pin("laptop")
        address = await stage.serve_tls()
        with SyncClient(Route(address, stage.files("laptop")), HANG_S) as client:
            assert (await asyncio.to_thread(client.call, "Get", GET)).memory.id == "m1"

    play(tmp_path, scene)


def test_where_no_node_runs_it_says_so(tmp_path: Path) -> None:
    with (
        SyncClient.unix(str(tmp_path / "none"), timeout_s=HANG_S) as client,
        pytest.raises(Failure) as caught,
    ):
        client.call("Get", GET)
    assert (caught.value.code, caught.value.definite) == (Code.UNAVAILABLE, True)
