"""A device plug-in as a real gRPC server, as the public sample plug-in is one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from types import TracebackType
from typing import Any, Self

import grpc

from podwright.conformance.patience import patient
from podwright.kubelet_grpc import device_plugin_pb2 as messages
from podwright.kubelet_grpc import device_plugin_pb2_grpc as stubs

RESOURCE = "example.com/thing"


def device(name: str, *nodes: int, health: str = "Healthy") -> messages.Device:
    """A device as a plug-in lists it."""
    topology = messages.TopologyInfo(nodes=[messages.NUMANode(ID=node) for node in nodes]) if nodes else None
    return messages.Device(ID=name, health=health, topology=topology)


class ExamplePlugin(stubs.DevicePluginServicer):
    """Serves in `folder` while it is entered; `register` announces it. `calls` are what it was asked.

    `problems` are the calls that fail. Each device becomes a mount, a variable with the ids, an annotation and a CDI
    name.
    """

    def __init__(self, folder: str, devices: Sequence[messages.Device], *, resource: str = RESOURCE) -> None:
        self.folder, self.resource = folder, resource
        self.name = f"{resource.replace('/', '-')}.sock"
        self.calls: list[tuple[str, Any]] = []
        self.problems: set[str] = set()
        self.options = messages.DevicePluginOptions()
        self.prefers: Sequence[str] = ()
        self.has_cdi = True  # which names things that a real runtime does not know
        self._devices = list(devices)
        self._news = asyncio.Event()
        self._ends = False
        self._server = grpc.aio.server()

    async def __aenter__(self) -> Self:
        stubs.add_DevicePluginServicer_to_server(self, self._server)
        self._server.add_insecure_port(f"unix://{self.folder}/{self.name}")
        await self._server.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def stop(self) -> None:
        """It is gone, as when its process ends."""
        await self._server.stop(None)

    async def register(self, *, version: str = "v1beta1", endpoint: str = "") -> None:
        """Announce it at the agent's socket. Raises AioRpcError."""
        async with grpc.aio.insecure_channel(
            f"unix://{self.folder}/kubelet.sock", options=[("grpc.use_local_subchannel_pool", 1)]
        ) as channel:
            request = messages.RegisterRequest(
                version=version, endpoint=endpoint or self.name, resource_name=self.resource
            )
            await stubs.RegistrationStub(channel).Register(request, timeout=patient(60), wait_for_ready=True)

    def show(self, *devices: messages.Device) -> None:
        """These are its devices from now on."""
        self._devices = list(devices)
        self._news.set()

    def end_list(self) -> None:
        """The stream of devices ends."""
        self._ends = True
        self._news.set()

    def asked(self, call: str) -> list[Any]:
        """The requests of one call."""
        return [request for name, request in self.calls if name == call]

    async def _note(self, call: str, request: Any, context: Any) -> None:
        self.calls.append((call, request))
        if call in self.problems:
            await context.abort(grpc.StatusCode.INTERNAL, f"{call} fails on purpose")

    async def GetDevicePluginOptions(self, request: Any, context: Any) -> messages.DevicePluginOptions:  # noqa: N802
        await self._note("options", request, context)
        return self.options

    async def ListAndWatch(self, request: Any, context: Any) -> AsyncIterator[messages.ListAndWatchResponse]:  # noqa: N802
        await self._note("list", request, context)
        while not self._ends:
            self._news.clear()
            yield messages.ListAndWatchResponse(devices=self._devices)
            await self._news.wait()

    async def GetPreferredAllocation(self, request: Any, context: Any) -> messages.PreferredAllocationResponse:  # noqa: N802
        await self._note("preferred", request, context)
        answer = messages.ContainerPreferredAllocationResponse(deviceIDs=self.prefers)
        return messages.PreferredAllocationResponse(container_responses=[answer])

    async def Allocate(self, request: messages.AllocateRequest, context: Any) -> messages.AllocateResponse:  # noqa: N802
        await self._note("allocate", request, context)
        return messages.AllocateResponse(
            container_responses=[self._answer(list(each.devices_ids)) for each in request.container_requests]
        )

    def _answer(self, ids: Sequence[str]) -> messages.ContainerAllocateResponse:
        return messages.ContainerAllocateResponse(
            envs={"THINGS": ",".join(ids)},
            mounts=[
                messages.Mount(container_path=f"/things/{each}", host_path="/tmp", read_only=True) for each in ids
            ],
            devices=[
                messages.DeviceSpec(container_path=f"/dev/{each}", host_path="/dev/null", permissions="rw")
                for each in ids
            ],
            annotations={"example.com/things": ",".join(ids)},
            cdi_devices=[messages.CDIDevice(name=f"example.com/thing={each}") for each in ids if self.has_cdi],
        )

    async def PreStartContainer(self, request: Any, context: Any) -> messages.PreStartContainerResponse:  # noqa: N802
        await self._note("pre-start", request, context)
        return messages.PreStartContainerResponse()
