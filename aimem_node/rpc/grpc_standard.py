"""The two services every gRPC tool expects: health, and reflection of the contract.

They are served under the same rules as our own: a revoked caller may not even ask how we are.
"""

from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
from google.protobuf import descriptor_pb2
from grpc_health.v1 import health, health_pb2
from grpc_reflection.v1alpha import reflection, reflection_pb2

from aimem_node.contract.calls import Credentials
from aimem_node.contract.descriptors import file_set_bytes, pool_of
from aimem_node.contract.errors import Failure
from aimem_node.contract.operations import OPERATIONS
from aimem_node.rpc.cutoff import Cutoff, items_until_cut, until_cut
from aimem_node.rpc.grpc_failures import refuse

HEALTH_SERVICE = "grpc.health.v1.Health"
REFLECTION_SERVICE = "grpc.reflection.v1alpha.ServerReflection"

Context = Any
"""grpc.aio.ServicerContext, which has no types."""


class StandardServices:
    """One health state and one reflection for all listeners of a node."""

    def __init__(self) -> None:
        """Healthy from the start: a node listens only when it can serve."""
        self._own = tuple(sorted({operation.service for operation in OPERATIONS.values()}))
        self._health = health.aio.HealthServicer()
        names = (*self._own, HEALTH_SERVICE, REFLECTION_SERVICE)
        self._reflection = reflection.aio.ReflectionServicer(names, pool=_pool())
        self._stopped = False

    async def set_serving(self, serving: bool) -> None:
        """What health answers for the node and for each service."""
        status = health_pb2.HealthCheckResponse.ServingStatus
        for name in ("", *self._own):
            await self._health.set(name, status.SERVING if serving else status.NOT_SERVING)

    async def stop(self) -> None:
        """Health says "not serving" from now on."""
        if not self._stopped:
            self._stopped = True
            await self._health.enter_graceful_shutdown()

    def handlers(
        self, cutoff: Cutoff, who: Callable[[Context], Credentials]
    ) -> tuple[grpc.GenericRpcHandler, ...]:
        """gRPC's tables for one listener."""
        answer, ask = health_pb2.HealthCheckResponse, health_pb2.HealthCheckRequest
        reflected = reflection_pb2.ServerReflectionResponse
        asked = reflection_pb2.ServerReflectionRequest
        return (
            grpc.method_handlers_generic_handler(
                HEALTH_SERVICE,
                {
                    "Check": grpc.unary_unary_rpc_method_handler(
                        _guarded(self._health.Check, cutoff, who),
                        ask.FromString,
                        answer.SerializeToString,
                    ),
                    "Watch": grpc.unary_stream_rpc_method_handler(
                        _guarded(self._health.Watch, cutoff, who),
                        ask.FromString,
                        answer.SerializeToString,
                    ),
                },
            ),
            grpc.method_handlers_generic_handler(
                REFLECTION_SERVICE,
                {
                    "ServerReflectionInfo": grpc.stream_stream_rpc_method_handler(
                        _guarded_items(self._reflection.ServerReflectionInfo, cutoff, who),
                        asked.FromString,
                        reflected.SerializeToString,
                    )
                },
            ),
        )


def _pool() -> Any:
    """What reflection shows: the contract and these two services themselves."""
    files = descriptor_pb2.FileDescriptorSet.FromString(file_set_bytes())
    for module in (health_pb2, reflection_pb2):
        module.DESCRIPTOR.CopyToProto(files.file.add())
    return pool_of(files.SerializeToString())


def _guarded(behaviour: Any, cutoff: Cutoff, who: Callable[[Context], Credentials]) -> Any:
    async def serve(request: Any, context: Context) -> Any:
        try:
            with cutoff.watching(who(context), endless=True) as cut:
                return await until_cut(behaviour(request, context), cut)
        except Failure as failure:
            return await refuse(context, failure)

    return serve


def _guarded_items(behaviour: Any, cutoff: Cutoff, who: Callable[[Context], Credentials]) -> Any:
    async def serve(requests: AsyncIterator[Any], context: Context) -> None:
        try:
            with cutoff.watching(who(context), endless=True) as cut:
                async for item in items_until_cut(behaviour(requests, context), cut):
                    await context.write(item)
        except Failure as failure:
            await refuse(context, failure)

    return serve
