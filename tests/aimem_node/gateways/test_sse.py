"""A stream is written as it comes, and stops when nobody listens."""

import asyncio

import pytest

from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.values import Event
from aimem_node.gateways import sse
from tests.aimem_node.gateways.asgi import Exchange


async def write(exchange, items, dialect, gone=None, heartbeat_s=60.0):
    refused = []

    async def refuse(failure):
        refused.append(failure)

    streaming = sse.Streaming("Events", items, dialect, heartbeat_s)
    await streaming.send(exchange.send, gone or asyncio.Event().wait(), refuse)
    return refused


async def items(*values):
    for value in values:
        if isinstance(value, Exception):
            raise value
        yield value


def test_accept_chooses_the_dialect() -> None:
    assert sse.dialect_for("text/event-stream") is sse.EVENTS
    assert sse.dialect_for("TEXT/Event-Stream; q=1, */*") is sse.EVENTS
    assert sse.dialect_for("*/*") is sse.LINES
    assert sse.dialect_for("") is sse.LINES


def test_an_event_carries_its_token_as_id(run) -> None:
    async def body() -> None:
        exchange = Exchange("GET", "/")
        await write(exchange, items(Event(token="9:1", event="memory_stored")), sse.EVENTS)
        first, second, _, _ = exchange.answer.body.split(b"\n")
        assert first == b"id: 9:1"
        assert second.startswith(b"data: {")

    run(body())


def test_a_token_cannot_break_out_of_its_line(run) -> None:
    async def body() -> None:
        exchange = Exchange("GET", "/")
        await write(exchange, items(Event(token="a\ndata: forged")), sse.EVENTS)
        assert b"\ndata: forged" not in exchange.answer.body

    run(body())


@pytest.mark.parametrize("dialect", [sse.LINES, sse.EVENTS])
def test_a_failure_in_mid_stream_is_the_last_thing_said(run, dialect) -> None:
    async def body() -> None:
        exchange = Exchange("GET", "/")

        async def slow():
            yield Event(token="1")
            await exchange.until(b"token")
            raise Failure(Code.UNAVAILABLE, "stopping")

        assert await write(exchange, slow(), dialect) == []
        assert b'"UNAVAILABLE"' in exchange.answer.body.rstrip(b"\n").split(b"\n")[-1]
        assert exchange.answer.finished

    run(body())


def test_a_failure_before_the_first_item_leaves_the_status_open(run) -> None:
    async def body() -> None:
        exchange = Exchange("GET", "/")
        refused = await write(exchange, items(ValueError("x")), sse.LINES)
        assert [failure.code for failure in refused] == [Code.INTERNAL]
        assert exchange.answer.status == 0

    run(body())


def test_a_quiet_stream_starts_and_keeps_its_listener_awake(run, monkeypatch) -> None:
    monkeypatch.setattr(sse, "FIRST_ITEM_WAIT_S", 0.01)

    async def body() -> None:
        exchange = Exchange("GET", "/")
        stopped = asyncio.Event()

        async def quiet():
            try:
                await asyncio.Event().wait()
                yield
            finally:
                stopped.set()

        gone = asyncio.Event()
        task = asyncio.create_task(write(exchange, quiet(), sse.EVENTS, gone.wait(), 0.01))
        await exchange.until(b": here\n\n")
        gone.set()
        await task
        assert stopped.is_set()

    run(body())


def test_a_listener_that_leaves_stops_an_endless_source(run) -> None:
    async def body() -> None:
        exchange = Exchange("GET", "/")
        stopped = asyncio.Event()

        async def endless():
            try:
                while True:
                    yield Event(token="1")
                    await asyncio.sleep(0)
            finally:
                stopped.set()

        gone = asyncio.Event()
        task = asyncio.create_task(write(exchange, endless(), sse.LINES, gone.wait()))
        await exchange.until(b"\n")
        gone.set()
        await task
        assert stopped.is_set()

    run(body())


def test_a_slow_reader_slows_the_source(run) -> None:
    async def body() -> None:
        drawn = 0
        exchange = Exchange("GET", "/")
        read_on = asyncio.Event()

        async def source():
            nonlocal drawn
            for drawn in range(1, 5001):
                yield Event(token=str(drawn))

        accept = exchange.send

        async def send(message):
            await accept(message)
            if message.get("body"):
                await read_on.wait()

        exchange.send = send
        task = asyncio.create_task(write(exchange, source(), sse.LINES))
        await exchange.until(b"\n")
        for _ in range(2000):
            await asyncio.sleep(0)
        assert drawn < 5000
        read_on.set()
        await task
        assert exchange.answer.body.count(b"\n") == 5000

    run(body())
