"""A real server, in a loop of ours, on real sockets."""

import asyncio
import json
import os
import signal

import pytest

from aimem_node.contract.calls import Channel
from aimem_node.contract.values import Event
from aimem_node.gateways.http import app
from aimem_node.gateways.serving import HttpServing

GET_STATS = b"GET /api/v1/stats HTTP/1.1\r\nHost: localhost\r\n\r\n"
GET_EVENTS = b"GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def read_answer(reader):
    """Status and body of one answer with a length."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status = int(head.split(" ")[1])
    length = int(head.lower().split("content-length: ")[1].split("\r\n")[0])
    return status, await reader.readexactly(length)


def test_the_unix_socket_says_who_is_calling(run, dispatch, tmp_path) -> None:
    async def body() -> None:
        path = str(tmp_path / "http.sock")
        async with HttpServing(app(dispatch), path) as bound:
            assert bound.unix == path
            reader, writer = await asyncio.open_unix_connection(path)
            writer.write(GET_STATS)
            assert (await read_answer(reader))[0] == 200
            writer.close()
        seen = dispatch.credentials
        assert (seen.channel, seen.uid, seen.pid) == (Channel.UNIX, os.geteuid(), os.getpid())

    run(body())
    assert not (tmp_path / "http.sock").exists()


def test_one_server_listens_on_both_sockets_and_tells_them_apart(run, dispatch, tmp_path) -> None:
    async def body() -> None:
        path = str(tmp_path / "http.sock")
        async with HttpServing(app(dispatch), path, ("127.0.0.1", 0)) as bound:
            assert bound.tcp is not None
            for opening in (
                asyncio.open_connection(*bound.tcp),
                asyncio.open_unix_connection(path),
            ):
                reader, writer = await opening
                writer.write(GET_STATS)
                assert (await read_answer(reader))[0] == 200
                writer.close()
        assert [call[2].channel for call in dispatch.calls] == [Channel.LOOPBACK, Channel.UNIX]
        assert dispatch.calls[0][2].uid is None

    run(body())


def test_a_connection_is_kept_for_the_next_request(run, dispatch, tmp_path) -> None:
    async def body() -> None:
        async with HttpServing(app(dispatch), str(tmp_path / "s")) as bound:
            reader, writer = await asyncio.open_unix_connection(bound.unix)
            for _ in range(3):
                writer.write(GET_STATS)
                assert (await read_answer(reader))[0] == 200
            writer.close()

    run(body())


def test_a_half_closed_connection_ends_the_work(run, dispatch, tmp_path) -> None:
    async def body() -> None:
        async def never(_request):
            await asyncio.Event().wait()

        dispatch.answers["Stats"] = never
        async with HttpServing(app(dispatch), str(tmp_path / "s")) as bound:
            _reader, writer = await asyncio.open_unix_connection(bound.unix)
            writer.write(GET_STATS)
            await dispatch.entered.wait()
            writer.write_eof()
            await dispatch.cancelling.wait()
            writer.close()
        assert dispatch.cancelled == ["Stats"]

    run(body())


def test_a_too_large_body_can_be_sent_to_its_end_and_is_answered(run, dispatch, tmp_path) -> None:
    async def body() -> None:
        async with HttpServing(app(dispatch), str(tmp_path / "s")) as bound:
            reader, writer = await asyncio.open_unix_connection(bound.unix)
            writer.write(
                b"POST /api/v1/memories HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n"
            )
            chunk = b"x" * 65536
            for _ in range(48):
                writer.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            status, answer = await read_answer(reader)
            assert (status, json.loads(answer)["code"]) == (413, "TOO_LARGE")
            writer.write(GET_STATS)
            assert (await read_answer(reader))[0] == 200
            writer.close()

    run(body())


@pytest.mark.parametrize(
    "noise", [b"\x16\x03\x01\x02\x00\x01", b"HELO there\r\n\r\n", b"\x00" * 70000]
)
def test_what_is_not_http_is_shown_out_and_the_server_goes_on(
    run, dispatch, tmp_path, noise
) -> None:
    async def body() -> None:
        async with HttpServing(app(dispatch), str(tmp_path / "s")) as bound:
            reader, writer = await asyncio.open_unix_connection(bound.unix)
            writer.write(noise)
            writer.write_eof()
            await reader.read()
            writer.close()
            reader, writer = await asyncio.open_unix_connection(bound.unix)
            writer.write(GET_STATS)
            assert (await read_answer(reader))[0] == 200
            writer.close()

    run(body())


def test_stopping_ends_streams_idle_connections_and_stubborn_calls(run, dispatch, tmp_path) -> None:
    async def body() -> None:
        async def endless(_request):
            yield Event(token="1")
            await asyncio.Event().wait()

        async def never(_request):
            await asyncio.Event().wait()

        dispatch.answers.update(Events=endless, Stats=never)
        serving = HttpServing(app(dispatch), str(tmp_path / "s"))
        bound = await serving.start()
        idle = await asyncio.open_unix_connection(bound.unix)
        stream_reader, stream_writer = await asyncio.open_unix_connection(bound.unix)
        stream_writer.write(GET_EVENTS)
        await stream_reader.readuntil(b'"token":"1"')
        dispatch.entered.clear()
        call_reader, call_writer = await asyncio.open_unix_connection(bound.unix)
        call_writer.write(GET_STATS)
        await dispatch.entered.wait()
        async with asyncio.timeout(10):
            await serving.stop()
        assert (await stream_reader.read()).endswith(b"0\r\n\r\n")
        assert b'"the node stopped before this was answered"' in await call_reader.read()
        assert await idle[0].read() == b""
        assert sorted(dispatch.cancelled) == ["Events", "Stats"]
        for writer in (idle[1], stream_writer, call_writer):
            writer.close()

    run(body())


def test_signals_stay_with_the_node(run, dispatch, tmp_path) -> None:
    async def body() -> None:
        before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
        async with HttpServing(app(dispatch), str(tmp_path / "s")):
            assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before

    run(body())


def test_a_socket_in_the_way_is_told_to_whoever_starts_the_server(run, dispatch, tmp_path) -> None:
    async def body() -> None:
        path = str(tmp_path / "s")
        async with HttpServing(app(dispatch), path):
            with pytest.raises(OSError, match="another server"):
                await HttpServing(app(dispatch), path).start()

    run(body())
