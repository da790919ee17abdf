"""Whoever is revoked while connected is cut off, and told so instead of left hanging."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import Role
from aimem_node.contract.values import Event, EventsRequest, GetRequest
from aimem_node.rpc.access import LOOK_EVERY_US
from aimem_node.rpc.access_edit import add_pin, create_token, remove_pin, revoke_token
from aimem_node.rpc.cutoff import (
    CHECK_EVERY_S,
    LET_GO_S,
    Cutoff,
    items_until_cut,
    until_cut,
)
from tests.aimem_node.rpc.stage import Stage, failure_of, play, rest

GET = GetRequest(id="m1")


def test_the_steps_to_a_cut_add_up_to_less_than_a_second() -> None:
    assert LOOK_EVERY_US / 1_000_000 + CHECK_EVERY_S + LET_GO_S < 1


def test_a_revoked_caller_is_refused_on_the_connection_it_still_has(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        laptop = stage.pin("laptop")
        address = await stage.serve_tls()
        async with stage.client(address, "laptop") as client:
            await client.call("Get", GET)
            remove_pin(stage.node_dir, "laptop")
            stage.clock.to_next_look()
            failed = await failure_of(client.call("Get", GET))
            assert (failed.code, failed.definite) == (Code.UNAUTHENTICATED, True)
            assert laptop.fingerprint in failed.message
            assert len(stage.dispatch.seen) == 1

    play(tmp_path, scene)


def test_a_live_stream_is_cut_when_its_caller_is_revoked(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.pin("laptop")
        stage.pin("other")
        address = await stage.serve_tls()
        stage.dispatch.events.put_nowait(Event(token="1"))
        async with stage.client(address, "laptop") as client:
            items = client.stream("Events", EventsRequest())
            assert (await anext(items)).token == "1"
            remove_pin(stage.node_dir, "laptop")
            # No step of the clock here: the node has to find out by itself.
            failed = await failure_of(anext(items))
            assert failed.code is Code.UNAUTHENTICATED
            await stage.dispatch.ended.wait()
        async with stage.client(address, "other") as client:
            await client.call("Get", GET)

    play(tmp_path, scene)


def test_a_stream_that_never_rests_is_cut_as_well(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.pin("laptop")
        address = await stage.serve_tls()

        async def busy(*_: object) -> AsyncIterator[Event]:
            while True:
                await asyncio.sleep(0)
                yield Event(token="x" * 1000)

        stage.dispatch.stream = busy  # type: ignore[method-assign]
        async with stage.client(address, "laptop") as client:
            items = client.stream("Events", EventsRequest())
            await anext(items)
            remove_pin(stage.node_dir, "laptop")
            assert (await failure_of(rest(items))).code is Code.UNAUTHENTICATED

    play(tmp_path, scene)


def test_a_caller_who_has_stopped_reading_is_cut_once_it_reads_again(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.pin("laptop")
        address = await stage.serve_tls()
        given = 0
        ended = asyncio.Event()

        async def large(*_: object) -> AsyncIterator[Event]:
            nonlocal given
            try:
                while True:
                    given += 1
                    yield Event(token=f"{given} " + "x" * 1_000_000)
            finally:
                ended.set()

        stage.dispatch.stream = large  # type: ignore[method-assign]
        async with stage.client(address, "laptop") as client:
            items = client.stream("Events", EventsRequest())
            await anext(items)
            before = 0
            while given != before:  # until the wire is full
                before = given
                await asyncio.sleep(0.1)
            remove_pin(stage.node_dir, "laptop")
            stage.clock.to_next_look()
            await asyncio.sleep(2 * CHECK_EVERY_S)
            assert (await failure_of(rest(items))).code is Code.UNAUTHENTICATED
            await ended.wait()

    play(tmp_path, scene)


def test_a_call_in_progress_is_cut_with_an_outcome_that_nobody_knows(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.pin("laptop")
        address = await stage.serve_tls()
        stage.dispatch.hold = asyncio.Event()
        async with stage.client(address, "laptop") as client:
            call = asyncio.create_task(failure_of(client.call("Get", GET)))
            await stage.dispatch.begun.wait()
            remove_pin(stage.node_dir, "laptop")
            failed = await call
        assert (failed.code, failed.definite) == (Code.UNAUTHENTICATED, False)

    play(tmp_path, scene)


def test_a_stream_is_cut_when_its_caller_may_do_less_than_before(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        laptop = stage.pin("laptop", Role.ADMIN)
        address = await stage.serve_tls()
        stage.dispatch.events.put_nowait(Event(token="1"))
        async with stage.client(address, "laptop") as client:
            items = client.stream("Events", EventsRequest())
            await anext(items)
            remove_pin(stage.node_dir, "laptop")
            add_pin(stage.node_dir, laptop.cert_pem, "laptop", Role.READER)
            failed = await failure_of(anext(items))
            # Either look may come first: the one in between, or the one after both.
            assert failed.code in {Code.PERMISSION_DENIED, Code.UNAUTHENTICATED}

    play(tmp_path, scene)


@pytest.mark.parametrize("how", ["revoked", "expired"])
def test_a_stream_ends_with_its_token(tmp_path: Path, how: str) -> None:
    async def scene(stage: Stage) -> None:
        moment_us = stage.clock.now_us() + 3_600_000_000
        bearer = create_token(stage.node_dir, "ci", Role.READER, expires_us=moment_us)
        stage.clock.to_next_look()
        address = await stage.serve_tls(client_certificates=False)
        stage.dispatch.events.put_nowait(Event(token="1"))
        async with stage.client(address, None, bearer) as client:
            items = client.stream("Events", EventsRequest())
            await anext(items)
            if how == "revoked":
                revoke_token(stage.node_dir, "ci")
            else:
                stage.clock.ahead_us += 3_600_000_000
            assert (await failure_of(anext(items))).code is Code.UNAUTHENTICATED

    play(tmp_path, scene)


def test_a_malformed_list_cuts_nobody_off(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.pin("laptop")
        address = await stage.serve_tls()
        async with stage.client(address, "laptop") as client:
            await client.call("Get", GET)
            (Path(stage.node_dir) / "access" / "pins.txt").write_text("oops\n")
            stage.clock.to_next_look()
            await client.call("Get", GET)
        assert stage.access.error is not None

    play(tmp_path, scene)


def test_nothing_looks_after_calls_when_there_are_none(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        cutoff = Cutoff(stage.authenticator)
        laptop = stage.pin("laptop")
        tls = Credentials(channel=Channel.TLS, fingerprint=laptop.fingerprint)
        assert cutoff._task is None
        with cutoff.watching(tls):
            task = cutoff._task
            assert task is not None
        await task
        assert cutoff._task is None
        with cutoff.watching(tls):
            assert cutoff._task is not None
            cutoff._task.cancel()

    play(tmp_path, scene)


def test_work_that_does_not_let_go_delays_nobody_for_long() -> None:
    async def run() -> None:
        release = asyncio.Event()

        async def stubborn() -> AsyncIterator[int]:
            while True:
                try:
                    await release.wait()
                    return
                except asyncio.CancelledError:
                    continue
            yield 1

        cut: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        cut.set_result(Failure(Code.UNAUTHENTICATED, "gone"))
        items = stubborn()
        begun = asyncio.ensure_future(until_cut(anext(items), cut))
        assert (await failure_of(begun)).message == "gone"
        release.set()

    asyncio.run(asyncio.wait_for(run(), 20))


def test_items_come_in_order_and_end_with_their_source() -> None:
    async def run() -> None:
        async def three() -> AsyncIterator[int]:
            for number in range(3):
                yield number

        cut: asyncio.Future[Failure] = asyncio.get_running_loop().create_future()
        assert [item async for item in items_until_cut(three(), cut)] == [0, 1, 2]

    asyncio.run(run())
