"""The gRPC face on a unix socket and over TLS, with a dispatch that says what the test needs."""

import asyncio
import os
import socket
import stat
from pathlib import Path

import grpc
import grpc.aio
import pytest

from aimem_node.client.grpc_client import GrpcClient
from aimem_node.client.grpc_wire import TLS_OPTIONS
from aimem_node.contract.calls import Channel, Credentials
from aimem_node.contract.errors import Code, Failure
from aimem_node.contract.operations import OPERATIONS, Role
from aimem_node.contract.values import Event, EventsRequest, GetRequest, StoreRequest
from aimem_node.places import SOCKET_PATH_BYTES_MAX
from aimem_node.rpc.access_edit import create_token, revoke_token
from aimem_node.rpc.grpc_server import REQUEST_BYTES_MAX, TlsListener, UnixListener
from tests.aimem_node.rpc.stage import Stage, failure_of, play, rest

GET = GetRequest(id="m1")


def test_a_call_over_the_unix_socket_comes_from_the_owner(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        server = await stage.serve(UnixListener(stage.socket))
        assert server.addresses == (f"unix:{stage.socket}",)
        async with stage.here() as client:
            answer = await client.call("Get", GET)
        assert answer.memory.id == "m1"
        owner = Credentials(channel=Channel.UNIX, uid=os.geteuid(), surface="grpc")
        assert stage.dispatch.seen == [("Get", GET, owner)]
        assert stat.S_IMODE(os.stat(stage.socket).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(os.path.dirname(stage.socket)).st_mode) == 0o700

    play(tmp_path, scene)


def test_a_socket_path_may_hold_any_characters(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.socket = str(tmp_path / "a b%41ü" / "grpc.sock")
        await stage.serve(UnixListener(stage.socket))
        assert stat.S_ISSOCK(os.stat(stage.socket).st_mode)
        async with stage.here() as client:
            assert (await client.call("Get", GET)).memory.id == "m1"

    play(tmp_path, scene)


def test_a_pinned_caller_is_known_by_its_fingerprint(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        laptop = stage.pin("laptop")
        address = await stage.serve_tls()
        async with stage.client(address, "laptop") as client:
            assert (await client.call("Get", GET)).memory.id == "m1"
        (seen,) = stage.dispatch.seen
        assert seen[2] == Credentials(
            channel=Channel.TLS, fingerprint=laptop.fingerprint, surface="grpc"
        )

    play(tmp_path, scene)


@pytest.mark.parametrize("others", [0, 5])
@pytest.mark.parametrize("name", ["stranger", None])
def test_a_caller_who_is_not_pinned_never_reaches_an_operation(
    tmp_path: Path, name: str | None, others: int
) -> None:
    async def scene(stage: Stage) -> None:
        for number in range(others):
            stage.pin(f"peer-{number}")
        stage.caller("stranger")
        address = await stage.serve_tls()
        async with stage.client(address, name) as client:
            failed = await failure_of(client.call("Get", GET))
        assert failed.code in {Code.UNAVAILABLE, Code.UNKNOWN_OUTCOME}
        assert stage.dispatch.seen == []

    play(tmp_path, scene)


def test_each_of_many_pinned_callers_is_admitted(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        names = [f"peer-{number}" for number in range(5)]
        for name in names:
            stage.pin(name)
        address = await stage.serve_tls()
        for name in names:
            async with stage.client(address, name) as client:
                await client.call("Get", GET)
        assert len(stage.dispatch.seen) == len(names)

    play(tmp_path, scene)


def test_a_node_with_another_certificate_is_not_spoken_to(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.pin("laptop")
        address = await stage.serve_tls()
        stage.node_dir = str(tmp_path / "laptop")  # the client now pins this one
        async with stage.client(address, "laptop") as client:
            failed = await failure_of(client.call("Get", GET))
        assert (failed.code, failed.definite) == (Code.UNAUTHENTICATED, True)
        assert stage.dispatch.seen == []

    play(tmp_path, scene)


@pytest.mark.parametrize("host", ["::1", "[::1]", "localhost"])
def test_a_host_may_be_written_in_any_way(tmp_path: Path, host: str) -> None:
    if not socket.has_ipv6 and ":" in host:
        pytest.skip("this machine has no IPv6")

    async def scene(stage: Stage) -> None:
        stage.pin("laptop")
        (address,) = (await stage.serve(TlsListener(host, 0))).addresses
        async with stage.client(address, "laptop") as client:
            assert (await client.call("Get", GET)).memory.id == "m1"

    play(tmp_path, scene)


def test_a_pin_is_in_force_without_a_restart(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        address = await stage.serve_tls()
        stage.caller("laptop")
        async with stage.client(address, "laptop") as client:
            await failure_of(client.call("Get", GET))
        stage.pin("laptop")
        async with stage.client(address, "laptop") as client:
            await client.call("Get", GET)

    play(tmp_path, scene)


def test_a_token_opens_the_listener_that_asks_for_no_certificate(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        bearer = create_token(stage.node_dir, "ci", Role.READER)
        stage.clock.to_next_look()
        address = await stage.serve_tls(client_certificates=False)
        async with stage.client(address, None, bearer) as client:
            await client.call("Get", GET)
        (seen,) = stage.dispatch.seen
        assert seen[2] == Credentials(channel=Channel.TLS, bearer=bearer, surface="grpc")
        for wrong in (None, bearer + "x"):
            async with stage.client(address, None, wrong) as client:
                failed = await failure_of(client.call("Get", GET))
            assert failed.code is Code.UNAUTHENTICATED
            assert failed.definite
        revoke_token(stage.node_dir, "ci")
        stage.clock.to_next_look()
        async with stage.client(address, None, bearer) as client:
            assert (await failure_of(client.call("Get", GET))).code is Code.UNAUTHENTICATED
        assert len(stage.dispatch.seen) == 1

    play(tmp_path, scene)


@pytest.mark.parametrize(
    "metadata",
    [
        (("authorization", "Basic YTpi"),),
        (("authorization", "Bearer"),),
        (("authorization", "Bearer a"), ("authorization", "Bearer b")),
    ],
)
def test_an_authorization_that_is_no_single_bearer_token_is_refused(
    tmp_path: Path, metadata: tuple[tuple[str, str], ...]
) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        async with grpc.aio.insecure_channel(f"unix:{stage.socket}") as channel:
            method = channel.unary_unary(OPERATIONS["Get"].grpc_path)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await method(b"", metadata=metadata)
        assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
        assert stage.dispatch.seen == []

    play(tmp_path, scene)


def test_a_stream_gives_its_items_and_then_its_end(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        for item in (Event(token="1"), Event(token="2"), None):
            stage.dispatch.events.put_nowait(item)
        async with stage.here() as client:
            items = await rest(client.stream("Events", EventsRequest()))
        assert [item.token for item in items] == ["1", "2"]

    play(tmp_path, scene)


def test_a_stream_that_fails_midway_gives_what_came_before(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        stage.dispatch.events.put_nowait(Event(token="1"))
        stage.dispatch.events.put_nowait(Failure(Code.CORRUPT, "a page is torn"))
        async with stage.here() as client:
            items = client.stream("Events", EventsRequest())
            assert (await anext(items)).token == "1"
            failed = await failure_of(anext(items))
        assert (failed.code, failed.message) == (Code.CORRUPT, "a page is torn")

    play(tmp_path, scene)


def test_when_the_caller_goes_the_stream_behind_it_is_let_go(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        stage.dispatch.events.put_nowait(Event(token="1"))
        client = stage.here()
        items = client.stream("Events", EventsRequest())
        await anext(items)
        assert not stage.dispatch.ended.is_set()
        await client.close()
        await stage.dispatch.ended.wait()
        await items.aclose()  # type: ignore[attr-defined]

    play(tmp_path, scene)


def test_a_request_above_the_limit_is_too_large_and_never_seen(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        request = StoreRequest(title="t", content="x" * (REQUEST_BYTES_MAX + 1))
        async with stage.here() as client:
            failed = await failure_of(client.call("Store", request))
        assert (failed.code, failed.definite) == (Code.TOO_LARGE, True)
        assert stage.dispatch.seen == []

    play(tmp_path, scene)


def test_bytes_that_are_no_request_are_refused_as_such(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        async with grpc.aio.insecure_channel(f"unix:{stage.socket}") as channel:
            method = channel.unary_unary(OPERATIONS["Get"].grpc_path)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await method(b"\xff\xff\xff")
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
        assert stage.dispatch.seen == []

    play(tmp_path, scene)


def test_a_bug_of_ours_is_told_as_one_without_its_insides(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        stage.dispatch.failure = KeyError("secret")
        async with stage.here() as client:
            failed = await failure_of(client.call("Get", GET))
        assert (failed.code, failed.definite) == (Code.INTERNAL, False)
        assert "secret" not in str(failed)

    play(tmp_path, scene)


def test_stopping_ends_streams_at_once_and_lets_calls_finish(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        server = await stage.serve(UnixListener(stage.socket))
        async with stage.here() as client:
            items = client.stream("Events", EventsRequest())
            waiting = asyncio.create_task(failure_of(anext(items)))
            await stage.dispatch.begun.wait()
            stage.dispatch.begun.clear()
            stage.dispatch.hold = asyncio.Event()
            call = asyncio.create_task(client.call("Get", GET))
            await stage.dispatch.begun.wait()
            stopping = asyncio.create_task(server.stop(10))
            failed = await waiting
            assert (failed.code, failed.message) == (Code.UNAVAILABLE, "the node is stopping")
            stage.dispatch.hold.set()
            assert (await call).memory.id == "m1"
            await stopping

    play(tmp_path, scene)


def test_a_call_that_outlasts_the_grace_ends_in_an_unknown_outcome(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        server = await stage.serve(UnixListener(stage.socket))
        stage.dispatch.hold = asyncio.Event()
        async with stage.here() as client:
            call = asyncio.create_task(failure_of(client.call("Get", GET)))
            await stage.dispatch.begun.wait()
            await server.stop(0)
            failed = await call
        assert (failed.code, failed.definite) == (Code.UNKNOWN_OUTCOME, False)

    play(tmp_path, scene)


def test_a_directory_that_others_can_enter_is_refused(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        directory = tmp_path / "open"
        directory.mkdir()
        directory.chmod(0o755)
        failed = await failure_of(stage.serve(UnixListener(str(directory / "s"))))
        assert failed.code is Code.PERMISSION_DENIED
        assert failed.next.endswith(f"chmod 700 {directory}")

    play(tmp_path, scene)


def test_a_socket_path_too_long_for_the_kernel_is_refused_with_the_remedy(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        path = str(tmp_path / ("x" * SOCKET_PATH_BYTES_MAX))
        failed = await failure_of(stage.serve(UnixListener(path)))
        assert "AIMEM_RUNTIME_DIR" in failed.next

    play(tmp_path, scene)


def test_a_port_that_is_taken_is_refused_and_nothing_stays_open(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        address = await stage.serve_tls()
        port = int(address.rpartition(":")[2])
        first, stage.server = stage.server, None
        assert first is not None
        taken = TlsListener("127.0.0.1", port)
        failed = await failure_of(stage.serve(UnixListener(stage.socket), taken))
        assert str(port) in failed.message
        async with stage.here() as client:
            assert (await failure_of(client.call("Get", GET))).code is Code.UNAVAILABLE
        await first.stop(0)

    play(tmp_path, scene)


def test_a_listener_serves_the_next_node_after_the_last_one_has_stopped(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        for _ in range(2):
            server = await stage.serve(UnixListener(stage.socket))
            async with stage.here() as client:
                await client.call("Get", GET)
            await server.stop(0)

    play(tmp_path, scene)


def test_a_socket_left_behind_by_a_crash_is_replaced(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        os.makedirs(os.path.dirname(stage.socket), mode=0o700)
        left = socket.socket(socket.AF_UNIX)
        left.bind(stage.socket)
        left.close()
        await stage.serve(UnixListener(stage.socket))
        async with stage.here() as client:
            await client.call("Get", GET)

    play(tmp_path, scene)


def test_plaintext_is_not_understood_on_the_tls_port(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        address = await stage.serve_tls()
        async with grpc.aio.insecure_channel(address, options=TLS_OPTIONS) as channel:
            method = channel.unary_unary(OPERATIONS["Get"].grpc_path)
            with pytest.raises(grpc.aio.AioRpcError):
                await method(b"")
        assert stage.dispatch.seen == []

    play(tmp_path, scene)


def test_every_operation_of_the_contract_is_served(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        stage.dispatch.failure = Failure(Code.NOT_FOUND, "heard")
        async with grpc.aio.insecure_channel(f"unix:{stage.socket}") as channel:
            for operation in OPERATIONS.values():
                if operation.streaming:
                    continue
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await channel.unary_unary(operation.grpc_path)(b"")
                assert caught.value.code() is not grpc.StatusCode.UNIMPLEMENTED, operation.name
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary("/aimem.v1.Memories/Nothing")(b"")
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

    play(tmp_path, scene)


def test_many_calls_at_once_over_one_channel_all_come_back(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        async with GrpcClient.unix(stage.socket) as client:
            calls = (client.call("Get", GetRequest(id=f"m{number}")) for number in range(300))
            answers = await asyncio.gather(*calls)
        assert [answer.memory.id for answer in answers] == [f"m{n}" for n in range(300)]

    play(tmp_path, scene)
