"""One device plug-in: its options, the stream of its devices, and calls with deadlines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection

from podwright.agent.plugins.connection import PluginChannel
from podwright.agent.resources.devices.inventory import PluginDevice
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.kubelet_grpc import device_plugin_pb2 as messages
from podwright.kubelet_grpc import device_plugin_pb2_grpc as stubs

HEALTHY = "Healthy"
OPTIONS_TIMEOUT_S = 10.0
# A kubelet waits forever, and admits no other pod meanwhile.
ALLOCATE_TIMEOUT_S = 30.0
PRE_START_TIMEOUT_S = 30.0


class DevicePlugin:
    """Calls the plug-in at a socket by v1beta1. `open` must be called first."""

    def __init__(self, resource: str, path: str) -> None:
        """Raises InvalidArgument for an invalid socket path."""
        self.resource = resource
        self.path = path
        self._connection = PluginChannel(path)
        self._client = stubs.DevicePluginStub(self._connection.channel)
        self._options = messages.DevicePluginOptions()

    @property
    def wants_pre_start(self) -> bool:
        """Whether it wants PreStartContainer before each start of a container."""
        return self._options.pre_start_required

    async def open(self) -> None:
        """Connect and get its options. Raises PodwrightError."""
        await self._connection.ready()
        try:
            self._options = await self._connection.call(
                self._client.GetDevicePluginOptions, messages.Empty(), OPTIONS_TIMEOUT_S
            )
        except PodwrightError as failure:
            raise FailedPrecondition(f"failed to get device plugin options: {failure}") from failure

    async def lists(self) -> AsyncIterator[list[PluginDevice]]:
        """Yield the complete list of its devices whenever it changes. Raises PodwrightError if the stream breaks."""
        async for response in self._connection.stream(self._client.ListAndWatch, messages.Empty()):
            yield [
                PluginDevice(
                    id=device.ID,
                    is_healthy=device.health == HEALTHY,
                    nodes=tuple(sorted({node.ID for node in device.topology.nodes})),
                )
                for device in response.devices
            ]

    async def preferred(self, free: Collection[str], chosen: Collection[str], count: int) -> list[str]:
        """The devices that it prefers, empty without a preference. Raises PodwrightError."""
        if not self._options.get_preferred_allocation_available:
            return []
        request = messages.PreferredAllocationRequest(
            container_requests=[
                messages.ContainerPreferredAllocationRequest(
                    available_deviceIDs=free, must_include_deviceIDs=chosen, allocation_size=count
                )
            ]
        )
        try:
            answer = await self._connection.call(self._client.GetPreferredAllocation, request, ALLOCATE_TIMEOUT_S)
        except PodwrightError as failure:
            raise FailedPrecondition(
                f"device plugin GetPreferredAllocation rpc failed with err: {failure}"
            ) from failure
        return list(answer.container_responses[0].deviceIDs) if answer.container_responses else []

    async def allocate(self, devices: Collection[str]) -> bytes:
        """Allocate devices. Returns an encoded ContainerAllocateResponse. Raises PodwrightError."""
        request = messages.AllocateRequest(
            container_requests=[messages.ContainerAllocateRequest(devices_ids=sorted(devices))]
        )
        answer = await self._connection.call(self._client.Allocate, request, ALLOCATE_TIMEOUT_S)
        if not answer.container_responses:
            raise FailedPrecondition(f"no containers return in allocation response of {self.resource}")
        return answer.container_responses[0].SerializeToString(deterministic=True)

    async def pre_start(self, devices: Collection[str]) -> None:
        """Announce the start of a container with these devices. Raises PodwrightError."""
        request = messages.PreStartContainerRequest(devices_ids=sorted(devices))
        try:
            await self._connection.call(self._client.PreStartContainer, request, PRE_START_TIMEOUT_S)
        except PodwrightError as failure:
            raise FailedPrecondition(f"device plugin PreStartContainer rpc failed with err: {failure}") from failure

    async def close(self) -> None:
        """End the stream and all calls."""
        await self._connection.close()
