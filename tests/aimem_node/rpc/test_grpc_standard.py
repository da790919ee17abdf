"""Any gRPC tool can ask whether the node is well and what it understands, under our rules."""

import asyncio
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from aimem_node.client.grpc_wire import TLS_OPTIONS, TlsFiles
from aimem_node.contract.operations import OPERATIONS
from aimem_node.rpc.access_edit import remove_pin
from aimem_node.rpc.grpc_server import UnixListener
from aimem_node.rpc.grpc_standard import HEALTH_SERVICE, REFLECTION_SERVICE
from tests.aimem_node.rpc.stage import Stage, play

Status = health_pb2.HealthCheckResponse.ServingStatus


def check(channel: grpc.aio.Channel) -> Any:
    return channel.unary_unary(
        f"/{HEALTH_SERVICE}/Check",
        health_pb2.HealthCheckRequest.SerializeToString,
        health_pb2.HealthCheckResponse.FromString,
    )


def watch(channel: grpc.aio.Channel) -> Any:
    return channel.unary_stream(
        f"/{HEALTH_SERVICE}/Watch",
        health_pb2.HealthCheckRequest.SerializeToString,
        health_pb2.HealthCheckResponse.FromString,
    )


def reflect(channel: grpc.aio.Channel) -> Any:
    return channel.stream_stream(
        f"/{REFLECTION_SERVICE}/ServerReflectionInfo",
        reflection_pb2.ServerReflectionRequest.SerializeToString,
        reflection_pb2.ServerReflectionResponse.FromString,
    )


def tls_channel(address: str, files: TlsFiles) -> grpc.aio.Channel:
    assert files.cert
    assert files.key
    credentials = grpc.ssl_channel_credentials(
        Path(files.node_cert).read_bytes(),
        Path(files.key).read_bytes(),
        Path(files.cert).read_bytes(),
    )
    return grpc.aio.secure_channel(address, credentials, TLS_OPTIONS)


def test_health_says_serving_until_it_is_told_otherwise(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        server = await stage.serve(UnixListener(stage.socket))
        async with grpc.aio.insecure_channel(f"unix:{stage.socket}") as channel:
            ask = check(channel)
            asked = health_pb2.HealthCheckRequest()
            assert (await ask(asked)).status == Status.SERVING
            await server.set_serving(False)
            assert (await ask(asked)).status == Status.NOT_SERVING
            own = health_pb2.HealthCheckRequest(service=OPERATIONS["Store"].service)
            assert (await ask(own)).status == Status.NOT_SERVING
            await server.set_serving(True)
            assert (await ask(own)).status == Status.SERVING
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await ask(health_pb2.HealthCheckRequest(service="nobody"))
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND

    play(tmp_path, scene)


def test_a_watch_of_health_sees_the_change_and_ends_when_the_node_stops(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        server = await stage.serve(UnixListener(stage.socket))
        async with grpc.aio.insecure_channel(f"unix:{stage.socket}") as channel:
            seen = watch(channel)(health_pb2.HealthCheckRequest())
            assert (await seen.read()).status == Status.SERVING
            await server.set_serving(False)
            assert (await seen.read()).status == Status.NOT_SERVING
            stopping = asyncio.create_task(server.stop(10))
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await seen.read()
            assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
            await stopping

    play(tmp_path, scene)


def test_reflection_lists_our_services_and_gives_their_files(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        await stage.serve(UnixListener(stage.socket))
        ask = reflection_pb2.ServerReflectionRequest
        async with grpc.aio.insecure_channel(f"unix:{stage.socket}") as channel:
            call = reflect(channel)()
            await call.write(ask(list_services=""))
            listed = {one.name for one in (await call.read()).list_services_response.service}
            ours = {operation.service for operation in OPERATIONS.values()}
            assert listed == ours | {HEALTH_SERVICE, REFLECTION_SERVICE}
            for service in sorted(listed):
                await call.write(ask(file_containing_symbol=service))
                answer = (await call.read()).file_descriptor_response
                files = {
                    descriptor_pb2.FileDescriptorProto.FromString(raw).name
                    for raw in answer.file_descriptor_proto
                }
                assert files, service
            await call.write(ask(file_containing_symbol="nobody.knows"))
            assert (await call.read()).error_response.error_code == 5
            await call.done_writing()
            assert await call.read() is grpc.aio.EOF

    play(tmp_path, scene)


def test_a_revoked_caller_may_not_even_ask_how_we_are(tmp_path: Path) -> None:
    async def scene(stage: Stage) -> None:
        stage.pin("laptop")
        address = await stage.serve_tls()
        asked = health_pb2.HealthCheckRequest()
        async with tls_channel(address, stage.files("laptop")) as channel:
            watching = watch(channel)(asked)
            assert (await watching.read()).status == Status.SERVING
            reflecting = reflect(channel)()
            await reflecting.write(reflection_pb2.ServerReflectionRequest(list_services=""))
            await reflecting.read()
            remove_pin(stage.node_dir, "laptop")
            for call in (watching, reflecting):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call.read()
                assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await check(channel)(asked)
            assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED

    play(tmp_path, scene)
