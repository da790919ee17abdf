"""The way in is open to anybody, so whatever anybody sends is bounded."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from aimem_node.clocks import SystemChance
from aimem_node.contract.errors import Code, Failure
from aimem_node.replica.identity import TLS_NAME
from aimem_node.rpc import join_server as module
from aimem_node.rpc.join_client import JoinDoor, failure_of, shown_certificate
from aimem_node.rpc.join_server import BURST, SOURCES_MAX, Allowance, JoinServer, source_of
from aimem_node.rpc.join_wire import BEGIN, POLL, REQUEST_BYTES_MAX
from tests.aimem_node.replica.joining_stage import StepClock
from tests.aimem_node.rpc.join_stage import RealPair, play

Call = Callable[[str, bytes], Awaitable[bytes]]


def with_call(tmp_path: Path, scene: Callable[[RealPair, Call], Awaitable[None]]) -> None:
    """A scene with a caller that says whatever it likes."""

    async def inner(pair: RealPair) -> None:
        await pair.line()
        credentials = grpc.ssl_channel_credentials(pair.old.identity.cert_pem)
        options = (("grpc.ssl_target_name_override", TLS_NAME),)
        address = f"127.0.0.1:{pair.server.port}"
        async with grpc.aio.secure_channel(address, credentials, options) as channel:

            async def call(path: str, body: bytes) -> bytes:
                answer: bytes = await channel.unary_unary(path)(body, timeout=10)
                return answer

            await scene(pair, call)

    play(tmp_path, inner)


async def code_of(call: Awaitable[bytes]) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    code: grpc.StatusCode = caught.value.code()
    return code


def test_nothing_but_the_three_calls_is_there(tmp_path: Path) -> None:
    async def scene(_: RealPair, call: Call) -> None:
        for path in ("/aimem.v1.Join/Other", "/aimem.v1.Memories/Get", "/aimem.v1.Operator/Invite",
                     "/grpc.health.v1.Health/Check"):  # fmt: skip
            assert await code_of(call(path, b"")) is grpc.StatusCode.UNIMPLEMENTED

    with_call(tmp_path, scene)


def test_noise_and_large_bodies_are_refused(tmp_path: Path) -> None:
    async def scene(_: RealPair, call: Call) -> None:
        assert await code_of(call(BEGIN, b"noise")) is grpc.StatusCode.INVALID_ARGUMENT
        large = b"x" * (REQUEST_BYTES_MAX + 1)
        assert await code_of(call(BEGIN, large)) is grpc.StatusCode.RESOURCE_EXHAUSTED

    with_call(tmp_path, scene)


def test_who_asks_too_often_is_told_to_wait(tmp_path: Path) -> None:
    async def scene(_: RealPair, call: Call) -> None:
        failures: list[Code] = []
        for _n in range(BURST * 2):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(POLL, b"{}")
            failures.append(failure_of(caught.value, "").code)
        assert failures[0] is Code.INVALID_ARGUMENT
        assert failures[-1] is Code.LIMITED

    with_call(tmp_path, scene)


def test_a_mistake_of_ours_is_told_without_its_insides(tmp_path: Path) -> None:
    async def scene(pair: RealPair, call: Call) -> None:
        def broken(*_: Any) -> Any:
            raise ZeroDivisionError("a secret of ours")

        pair.office.poll = broken  # type: ignore[method-assign]
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(POLL, b'{"session": "x"}')
        failure = failure_of(caught.value, "")
        assert failure.code is Code.INTERNAL
        assert "secret" not in failure.message

    with_call(tmp_path, scene)


def test_an_allowance_fills_up_again_and_is_each_ones_own() -> None:
    clock = StepClock()
    allowance = Allowance(clock)
    for _ in range(BURST):
        allowance.take("a")
    with pytest.raises(Failure) as caught:
        allowance.take("a")
    assert caught.value.code is Code.LIMITED
    allowance.take("b")
    clock.us += module.REFILL_US
    allowance.take("a")
    with pytest.raises(Failure):
        allowance.take("a")


def test_addresses_that_called_long_ago_are_forgotten() -> None:
    allowance = Allowance(StepClock())
    for number in range(SOURCES_MAX * 2):
        allowance.take(str(number))
    assert len(allowance._free_at) == SOURCES_MAX


def test_a_port_that_is_taken_is_replaced_by_a_free_one(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        port = await pair.server.open("127.0.0.1", 0)
        second = JoinServer(lambda: pair.old.identity, pair.real_clock)
        other = await second.open("127.0.0.1", port)
        assert other not in (0, port)
        assert await second.open("127.0.0.1", 0) == other
        await second.close()
        await second.close()
        assert second.port == 0

    play(tmp_path, scene)


def test_an_address_of_another_machine_cannot_be_listened_on(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        with pytest.raises(Failure) as caught:
            await pair.server.open("192.0.2.1", 0)
        assert caught.value.code is Code.STORAGE

    play(tmp_path, scene)


def test_after_a_rotation_the_new_certificate_is_shown_at_the_same_port(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        line = await pair.line()
        port = pair.server.port
        home = str(pair.old.data_dir)
        pair.old.identity.make_next(home, SystemChance())
        pair.old.identity = pair.old.identity.switch(home)
        assert await pair.server.open("127.0.0.1", 0) == port
        sponsor = await JoinDoor().open([f"127.0.0.1:{port}"], pair.old.identity.fingerprint)
        await sponsor.close()
        await pair.joining.begin(line=line)
        await pair.finish()
        assert "is not the one that was meant" in pair.joining.progress().failure

    play(tmp_path, scene)


def test_the_host_to_listen_on_can_be_set(tmp_path: Path) -> None:
    async def scene(pair: RealPair) -> None:
        pair.server = JoinServer(lambda: pair.old.identity, pair.real_clock, bind="127.0.0.1")
        port = await pair.server.open("192.0.2.1", 0)
        assert await shown_certificate(f"127.0.0.1:{port}")

    play(tmp_path, scene)


@pytest.mark.parametrize(
    ("peer", "source"),
    [
        ("ipv4:192.0.2.7:51312", "ipv4:192.0.2.7"),
        ("ipv6:%5B2001:db8::7%5D:51312", "ipv6:[2001:db8::7]"),
        ("", ""),
    ],
)
def test_a_source_is_an_address_without_its_port(peer: str, source: str) -> None:
    assert source_of(peer) == source
