"""The asynchronous client, and what it concludes when a node says nothing."""

import asyncio
from pathlib import Path

import pytest

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.client.grpc_wire import TlsFiles
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Event, EventsRequest, GetRequest
from aimem_node.rpc.grpc_server import UnixListener
from tests.aimem_node.rpc.stage import Stage, failure_of, play

GET = GetRequest(id="m1")


async def failed_as_unavailable(client: GrpcClient) -> bool:
    """False once the node answers; any other failure is a failure of the test."""
    try:
        await client.call("Get", GET)
    except Failure as failure:
        if failure.code is Code.UNAVAILABLE:
            return True
        raise
    return False


def test_where_no_node_runs_nothing_was_done_and_the_remedy_is_named(tmp_path: Path) -> None:
    async def run() -> None:
        async with GrpcClient.unix(str(tmp_path / "none")) as client:
            failed = await failure_of(client.call("Get", GET))
            assert (failed.code, failed.definite) == (Code.UNAVAILABLE, True)
            assert "aimem-node start" in failed.next
            failed = await failure_of(anext(client.stream("Events", EventsRequest())))
            assert (failed.code, failed.definite) == (Code.UNAVAILABLE, True)

    asyncio.run(run())


def test_a_node_that_is_busy_for_a_moment_when_it_is_dialled_is_there_all_the_same(
    tmp_path: Path,
) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        slow = str(tmp_path / "slow")

        async def pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
            while part := await source.read(65536):
                target.write(part)
            target.close()

        async def later(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(0.6)  # what a node does whose processor is taken
            there = await asyncio.open_unix_connection(stage.socket)
            await asyncio.gather(pass_on(reader, there[1]), pass_on(there[0], writer))

        server = await asyncio.start_unix_server(later, slow)
        try:
            async with GrpcClient.unix(slow) as client:
                assert not await failed_as_unavailable(client)
        finally:
            server.close()

    play(tmp_path, scene)


def test_a_node_that_does_not_answer_in_time_leaves_the_outcome_open(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        stage.dispatch.hold = asyncio.Event()
        async with GrpcClient.unix(stage.socket, timeout_s=0.05) as client:
            failed = await failure_of(client.call("Get", GET))
        assert (failed.code, failed.definite) == (Code.DEADLINE, False)

    play(tmp_path, scene)


def test_cancelling_a_call_is_a_cancellation_and_not_a_failure(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        stage.dispatch.hold = asyncio.Event()
        async with stage.here() as client:
            call = asyncio.create_task(client.call("Get", GET))
            await stage.dispatch.begun.wait()
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call

    play(tmp_path, scene)


def test_closing_the_client_fails_the_calls_in_progress_instead_of_cancelling_their_tasks(
    tmp_path: Path,
) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        stage.dispatch.hold = asyncio.Event()
        client = stage.here()
        call = asyncio.create_task(failure_of(client.call("Get", GET)))
        await stage.dispatch.begun.wait()
        stage.dispatch.begun.clear()
        items = client.stream("Events", EventsRequest())
        waiting = asyncio.create_task(failure_of(anext(items)))
        await stage.dispatch.begun.wait()
        await client.close()
        for failed in (await call, await waiting):
            assert (failed.code, failed.definite) == (Code.UNKNOWN_OUTCOME, False)

    play(tmp_path, scene)


def test_leaving_a_stream_early_ends_it_at_the_node(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        stage.dispatch.events.put_nowait(Event(token="1"))
        async with stage.here() as client:
            items = client.stream("Events", EventsRequest())
            await anext(items)
            await items.aclose()  # type: ignore[attr-defined]
            await stage.dispatch.ended.wait()

    play(tmp_path, scene)


def test_a_closed_client_opens_again_when_it_is_asked(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        client = stage.here()
        for _ in range(2):
            assert (await client.call("Get", GET)).memory.id == "m1"
            await client.close()

    play(tmp_path, scene)


def test_a_client_finds_the_node_that_came_back(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        server = await stage.serve(UnixListener(stage.socket))
        async with stage.here() as client:
            await client.call("Get", GET)
            await server.stop(0)
            await failure_of(client.call("Get", GET))
            await stage.serve(UnixListener(stage.socket))
            for _ in range(500):  # the channel rests for a moment before it tries again
                if not await failed_as_unavailable(client):
                    return
                await asyncio.sleep(0.02)
        raise AssertionError("it never came back")

    play(tmp_path, scene)


def test_an_operation_that_does_not_exist_is_a_mistake_of_the_program(tmp_path: Path) -> None:
    async def run() -> None:
        async with GrpcClient.unix(str(tmp_path / "none")) as client:
            with pytest.raises(KeyError):
                await client.call("Nothing", GET)

    asyncio.run(run())


def test_tls_without_a_readable_certificate_names_the_file(tmp_path: Path) -> None:
    async def run() -> None:
        missing = str(tmp_path / "node.crt")
        client = GrpcClient.tls("127.0.0.1:1", TlsFiles(missing))
        failed = await failure_of(client.call("Get", GET))
        assert failed.code is Code.INVALID_ARGUMENT
        assert missing in failed.message

    asyncio.run(run())
