"""The DRA drivers of this node: their plug-ins, which of them is asked, and the calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import grpc

from podwright.agent.plugins.connection import PluginConnection
from podwright.agent.plugins.protocol import Plugin
from podwright.agent.resources.claims.records import ClaimDevice, ClaimRecord
from podwright.errors import AlreadyExists, FailedPrecondition, InvalidArgument, Unavailable
from podwright.kubelet_grpc import dra_pb2 as messages
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 45.0  # the kubelet's
V1, V1BETA1 = "v1.DRAPlugin", "v1beta1.DRAPlugin"
SERVICES = {name: f"/k8s.io.kubelet.pkg.apis.dra.{name}" for name in (V1, V1BETA1)}


class DraDriver:
    """One plug-in of a driver. The versions differ in the service's name alone."""

    def __init__(self, name: str, path: str, service: str, changed: Callable[[str], None]) -> None:
        """`changed` is told when the plug-in connects or goes. Raises InvalidArgument."""
        self.name = name
        self.path = path
        self.is_connected = False
        self._changed = changed
        self._connection = PluginConnection(path)
        self._service = SERVICES[service]

    async def follow(self) -> None:
        """Keep `is_connected` true to what is. Without end."""
        channel = self._connection.channel
        while True:
            state = channel.get_state(try_to_connect=True)
            if self.is_connected != (state is grpc.ChannelConnectivity.READY):
                self.is_connected = not self.is_connected
                log.info("DRA driver: name=%s socket=%s connected=%s", self.name, self.path, self.is_connected)
                self._changed(self.name)
            await channel.wait_for_state_change(state)

    async def prepare(self, claims: Iterable[ClaimRecord]) -> dict[str, tuple[ClaimDevice, ...]]:
        """The devices of claims, by the claims' UIDs. Raises PodwrightError."""
        request = messages.NodePrepareResourcesRequest(claims=map(_claim, claims))
        answer: messages.NodePrepareResourcesResponse = await self._call(
            "NodePrepareResources", request, messages.NodePrepareResourcesResponse
        )
        _check("NodePrepareResources", request.claims, answer.claims)
        return {uid: tuple(map(_device, result.devices)) for uid, result in answer.claims.items()}

    async def unprepare(self, claims: Iterable[ClaimRecord]) -> None:
        """Undo it. Raises PodwrightError."""
        request = messages.NodeUnprepareResourcesRequest(claims=map(_claim, claims))
        answer: messages.NodeUnprepareResourcesResponse = await self._call(
            "NodeUnprepareResources", request, messages.NodeUnprepareResourcesResponse
        )
        _check("NodeUnprepareResources", request.claims, answer.claims)

    async def close(self) -> None:
        """End all calls."""
        await self._connection.close()

    async def _call(self, name: str, request: Any, answer: Any) -> Any:
        method = self._connection.channel.unary_unary(
            f"{self._service}/{name}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        return await self._connection.call(method, request, CALL_TIMEOUT_S)


class DraDrivers:
    """All of them. Fulfils `plugins.protocol.PluginHandler`.

    A driver has several plug-ins while it is updated: the newest that is connected is asked.
    """

    def __init__(self, changed: Callable[[str], None]) -> None:
        """`changed` is told the name of a driver that has become usable, or is no more."""
        self._changed = changed
        self._tasks = Tasks()
        self._drivers: dict[str, list[DraDriver]] = {}
        self._following: dict[DraDriver, asyncio.Task[None]] = {}

    def get(self, name: str) -> DraDriver:
        """The plug-in to ask. Raises Unavailable when none is registered."""
        found = self._drivers.get(name)
        if not found:
            raise Unavailable(f"DRA driver {name} is not registered", hint="look at the driver's pods on this node")
        return next((each for each in reversed(found) if each.is_connected), found[-1])

    def is_usable(self, name: str) -> bool:
        """Whether a plug-in of the driver is connected."""
        return any(each.is_connected for each in self._drivers.get(name, ()))

    def validate(self, plugin: Plugin) -> None:
        """See PluginHandler."""
        _service(plugin)

    async def register(self, plugin: Plugin) -> None:
        """See PluginHandler."""
        found = self._drivers.setdefault(plugin.name, [])
        if any(each.path == plugin.endpoint for each in found):
            raise AlreadyExists(f"endpoint {plugin.endpoint} already registered for DRA driver plugin {plugin.name}")
        driver = DraDriver(plugin.name, plugin.endpoint, _service(plugin), self._changed)
        found.append(driver)
        self._following[driver] = self._tasks.start(driver.follow(), name=f"DRA driver {plugin.name}")
        self._changed(plugin.name)

    async def deregister(self, plugin: Plugin) -> None:
        """See PluginHandler."""
        found = self._drivers.get(plugin.name, [])
        gone = next((each for each in found if each.path == plugin.endpoint), None)
        if gone is None:
            return
        found.remove(gone)
        self._following.pop(gone).cancel()
        await gone.close()
        self._changed(plugin.name)

    async def close(self) -> None:
        """Ask nobody any more."""
        await self._tasks.close()
        for drivers in self._drivers.values():
            for driver in drivers:
                await driver.close()
        self._drivers.clear()


def _service(plugin: Plugin) -> str:
    """The first of the plug-in's services that we know. Raises InvalidArgument."""
    for service in plugin.versions:
        if service in SERVICES:
            return service
    raise InvalidArgument(
        f"invalid supported gRPC versions of DRA driver plugin {plugin.name} at endpoint {plugin.endpoint}: "
        f"none of {list(plugin.versions)} is one of {list(SERVICES)}"
    )


def _claim(record: ClaimRecord) -> messages.Claim:
    return messages.Claim(namespace=record.namespace, uid=record.uid, name=record.name)


def _device(device: messages.Device) -> ClaimDevice:
    return ClaimDevice(
        pool=device.pool_name,
        device=device.device_name,
        cdi_names=tuple(device.cdi_device_ids),
        requests=tuple(device.request_names),
        share=device.share_id if device.HasField("share_id") else None,
    )


def _check(call: str, asked: Iterable[messages.Claim], results: Mapping[str, Any]) -> None:
    """One result without an error for each claim, and no other. Raises FailedPrecondition."""
    names = {claim.uid: claim.name for claim in asked}
    for uid, result in results.items():
        if uid not in names:
            raise FailedPrecondition(f"{call} returned result for unknown claim UID {uid}")
        if result.error:
            raise FailedPrecondition(f"{call} failed for ResourceClaim {names[uid]}: {result.error}")
    if len(results) < len(names):
        raise FailedPrecondition(f"{call} skipped {len(names) - len(results)} ResourceClaims")
