"""A DRA driver's plug-in as a real gRPC server of v1 or v1beta1."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

import grpc

from podwright.agent.plugins.protocol import DRA_PLUGIN, Plugin
from podwright.agent.resources.claims.drivers import SERVICES, V1, WATCH_HEALTH
from podwright.kubelet_grpc import dra_health_pb2 as health_messages
from podwright.kubelet_grpc import dra_pb2 as messages

DRIVER = "gpu.example.org"


class ExampleDriver:
    """Prepares one device for each request name; its CDI name holds the claim's. `calls` are pairs of call and UIDs.

    `errors` are what claims fail with, by name. `skips` are claims that it leaves out.
    """

    def __init__(self, path: str, *, name: str = DRIVER, service: str = V1) -> None:
        self.path, self.name, self.service = path, name, service
        self.calls: list[tuple[str, list[str]]] = []
        self.errors: dict[str, str] = {}
        self.skips: set[str] = set()
        self.invents = False
        self.health: list[health_messages.DeviceHealth] = []
        self._news = asyncio.Event()
        self._server = grpc.aio.server()

    @property
    def plugin(self) -> Plugin:
        """As the watcher would tell of it."""
        return Plugin(kind=DRA_PLUGIN, name=self.name, endpoint=self.path, versions=(self.service,))

    async def __aenter__(self) -> Self:
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            "NodePrepareResources": grpc.unary_unary_rpc_method_handler(
                self._prepare,
                request_deserializer=messages.NodePrepareResourcesRequest.FromString,
                response_serializer=messages.NodePrepareResourcesResponse.SerializeToString,
            ),
            "NodeUnprepareResources": grpc.unary_unary_rpc_method_handler(
                self._unprepare,
                request_deserializer=messages.NodeUnprepareResourcesRequest.FromString,
                response_serializer=messages.NodeUnprepareResourcesResponse.SerializeToString,
            ),
        }
        watch = grpc.unary_stream_rpc_method_handler(
            self._watch_health,
            request_deserializer=health_messages.NodeWatchResourcesRequest.FromString,
            response_serializer=health_messages.NodeWatchResourcesResponse.SerializeToString,
        )
        health_service, _, health_method = WATCH_HEALTH.removeprefix("/").partition("/")
        self._server.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(health_service, {health_method: watch}),)
        )
        service = SERVICES[self.service].removeprefix("/")
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
        self._server.add_insecure_port(f"unix://{self.path}")
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Its process ends."""
        await self._server.stop(None)

    def tell(self, device: str, health: health_messages.HealthStatus, message: str = "") -> None:
        """The health of a device from now on."""
        place = health_messages.DeviceIdentifier(pool_name="pool", device_name=device)
        self.health = [health_messages.DeviceHealth(device=place, health=health, message=message)]
        self._news.set()

    async def _watch_health(
        self, request: Any, context: Any
    ) -> AsyncIterator[health_messages.NodeWatchResourcesResponse]:
        while True:
            self._news.clear()
            yield health_messages.NodeWatchResourcesResponse(devices=self.health)
            await self._news.wait()

    def asked(self, call: str) -> list[list[str]]:
        """The claims' names of each call."""
        return [names for name, names in self.calls if name == call]

    async def _prepare(
        self, request: messages.NodePrepareResourcesRequest, context: Any
    ) -> messages.NodePrepareResourcesResponse:
        self.calls.append(("prepare", [claim.name for claim in request.claims]))
        answer = messages.NodePrepareResourcesResponse()
        for claim in request.claims:
            if claim.name not in self.skips:
                answer.claims[claim.uid].error = self.errors.get(claim.name, "")
                answer.claims[claim.uid].devices.extend(self._devices(claim.name))
        if self.invents:
            answer.claims["no-such"].error = ""
        return answer

    def _devices(self, claim: str) -> list[messages.Device]:
        return [
            messages.Device(
                request_names=[request],
                pool_name="pool",
                device_name=f"{claim}-{request}",
                cdi_device_ids=[f"{self.name}/gpu={claim}-{request}"],
                share_id="s1" if request == "second" else None,
            )
            for request in ("first", "second")
        ]

    async def _unprepare(
        self, request: messages.NodeUnprepareResourcesRequest, context: Any
    ) -> messages.NodeUnprepareResourcesResponse:
        self.calls.append(("unprepare", [claim.name for claim in request.claims]))
        answer = messages.NodeUnprepareResourcesResponse()
        for claim in request.claims:
            answer.claims[claim.uid].error = self.errors.get(claim.name, "")
        return answer
