"""A plug-in's registration as a real gRPC server, and a handler that notes what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc

from podwright.agent.plugins.protocol import CSI_PLUGIN, Plugin
from podwright.conformance.patience import patient
from podwright.errors import PodwrightError
from podwright.kubelet_grpc import registration_pb2 as messages
from podwright.kubelet_grpc import registration_pb2_grpc as stubs


class RegisteringPlugin(stubs.RegistrationServicer):
    """Serves the registration of one plug-in at `path` while it is entered. `told` are the statuses that it got."""

    def __init__(self, path: str, *, kind: str = CSI_PLUGIN, name: str = "a.example.org", endpoint: str = "") -> None:
        self.path = path
        self.info = messages.PluginInfo(type=kind, name=name, endpoint=endpoint, supported_versions=["1.0.0"])
        self.told: list[tuple[bool, str]] = []
        self.refuses_status = False
        self.answer = asyncio.Event()  # GetInfo waits for it
        self.answer.set()
        self._server = grpc.aio.server()

    async def GetInfo(self, request: messages.InfoRequest, context: Any) -> messages.PluginInfo:  # noqa: N802
        await self.answer.wait()
        return self.info

    async def NotifyRegistrationStatus(  # noqa: N802
        self, request: messages.RegistrationStatus, context: Any
    ) -> messages.RegistrationStatusResponse:
        if self.refuses_status:
            await context.abort(grpc.StatusCode.INTERNAL, "not now")
        self.told.append((request.plugin_registered, request.error))
        return messages.RegistrationStatusResponse()

    async def __aenter__(self) -> Self:
        stubs.add_RegistrationServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix://{self.path}")
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._server.stop(None)


class NotingHandler:
    """`calls` are pairs of a call and a plug-in's name. `problem` and `refusal` make calls fail."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.plugins: list[Plugin] = []
        self.refusal: PodwrightError | None = None
        self.problem: PodwrightError | None = None
        self.ready = asyncio.Event()
        self.ready.set()

    def validate(self, plugin: Plugin) -> None:
        self.calls.append(("validate", plugin.name))
        if self.refusal is not None:
            raise self.refusal

    async def register(self, plugin: Plugin) -> None:
        self.calls.append(("register", plugin.name))
        self.plugins.append(plugin)
        await self.ready.wait()
        if self.problem is not None:
            raise self.problem

    async def deregister(self, plugin: Plugin) -> None:
        self.calls.append(("deregister", plugin.name))


async def until(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(patient(60)):
        while not condition():  # noqa: ASYNC110 # whatever it is, nobody tells
            await asyncio.sleep(0.01)
