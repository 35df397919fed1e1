"""The DRA drivers of this node: their plug-ins, the choice of the plug-in to call, and the calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import grpc
import msgspec

from podwright.agent.clock import Clock
from podwright.agent.metrics.claims import ClaimMetrics
from podwright.agent.plugins.connection import PluginChannel
from podwright.agent.plugins.protocol import Plugin
from podwright.agent.plugins.timing import timed_call
from podwright.agent.resources.claims.health import (
    DEFAULT_TIMEOUT_S,
    HEALTHY,
    UNHEALTHY,
    UNKNOWN,
    HealthReport,
    shortened,
)
from podwright.agent.resources.claims.records import ClaimDevice, ClaimRecord
from podwright.errors import AlreadyExists, FailedPrecondition, InvalidArgument, PodwrightError, Unavailable
from podwright.kubelet_grpc import dra_health_pb2 as health_messages
from podwright.kubelet_grpc import dra_pb2 as messages
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

CALL_TIMEOUT_S = 45.0  # the kubelet's
V1, V1BETA1 = "v1.DRAPlugin", "v1beta1.DRAPlugin"
WATCH_HEALTH = "/v1alpha1.DRAResourceHealth/NodeWatchResources"
HEALTH_PAUSE_S = 5.0  # until a plug-in that reports no health is called again
SERVICES = {name: f"/k8s.io.kubelet.pkg.apis.dra.{name}" for name in (V1, V1BETA1)}


class DriverListener(Protocol):
    """Is called about changes of drivers: `manager`."""

    def driver_changed(self, name: str) -> None:
        """The driver has become usable or unusable."""

    def health_reported(self, name: str, reports: Iterable[HealthReport]) -> None:
        """The driver has reported the health of its devices."""

    def health_lost(self, name: str) -> None:
        """The driver reports no health any more."""


class DriverPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What drivers need."""

    listener: DriverListener
    clock: Clock
    metrics: ClaimMetrics
    watches_health: bool


class DraDriver:
    """One plug-in of a driver. Versions of the API differ only in the service's name."""

    def __init__(self, name: str, path: str, service: str, ports: DriverPorts) -> None:
        """Raises InvalidArgument for an invalid socket path."""
        self.name = name
        self.path = path
        self.is_connected = False
        self._ports = ports
        self._connection = PluginChannel(path)
        self._service = SERVICES[service]

    async def follow(self) -> None:
        """Keep `is_connected` up to date, forever."""
        channel = self._connection.channel
        while True:
            state = channel.get_state(try_to_connect=True)
            if self.is_connected != (state is grpc.ChannelConnectivity.READY):
                self.is_connected = not self.is_connected
                log.info("DRA driver: name=%s socket=%s connected=%s", self.name, self.path, self.is_connected)
                self._ports.listener.driver_changed(self.name)
            await channel.wait_for_state_change(state)

    async def prepare(self, claims: Iterable[ClaimRecord]) -> dict[str, tuple[ClaimDevice, ...]]:
        """Prepare claims. Returns their devices by the claims' UIDs. Raises PodwrightError."""
        request = messages.NodePrepareResourcesRequest(claims=map(_claim, claims))
        answer: messages.NodePrepareResourcesResponse = await self._call(
            "NodePrepareResources", request, messages.NodePrepareResourcesResponse
        )
        _check("NodePrepareResources", request.claims, answer.claims)
        return {uid: tuple(map(_device, result.devices)) for uid, result in answer.claims.items()}

    async def unprepare(self, claims: Iterable[ClaimRecord]) -> None:
        """Undo `prepare`. Raises PodwrightError."""
        request = messages.NodeUnprepareResourcesRequest(claims=map(_claim, claims))
        answer: messages.NodeUnprepareResourcesResponse = await self._call(
            "NodeUnprepareResources", request, messages.NodeUnprepareResourcesResponse
        )
        _check("NodeUnprepareResources", request.claims, answer.claims)

    async def follow_health(self) -> None:
        """Pass on the health of devices that the plug-in reports, forever. Few plug-ins report any."""
        watch = self._connection.channel.unary_stream(
            WATCH_HEALTH,
            request_serializer=health_messages.NodeWatchResourcesRequest.SerializeToString,
            response_deserializer=health_messages.NodeWatchResourcesResponse.FromString,
        )
        while True:
            try:
                async for answer in self._connection.stream(watch, health_messages.NodeWatchResourcesRequest()):
                    self._ports.listener.health_reported(self.name, map(_report, answer.devices))
            except PodwrightError as failure:
                log.debug("the driver reports no health of devices: driver=%s error=%s", self.name, failure)
            self._ports.listener.health_lost(self.name)
            await asyncio.sleep(HEALTH_PAUSE_S)

    async def close(self) -> None:
        """End all calls."""
        await self._connection.close()

    async def _call(self, name: str, request: Any, answer: Any) -> Any:
        path = f"{self._service}/{name}"
        method = self._connection.channel.unary_unary(
            path,
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )

        def observe(took_s: float, code: str) -> None:
            self._ports.metrics.driver_calls.observe(took_s, self.name, path, code)

        with timed_call(self._ports.clock, observe):
            return await self._connection.call(method, request, CALL_TIMEOUT_S)


class DraDrivers:
    """All drivers. Implements `plugins.protocol.PluginHandler`.

    A driver has several plug-ins while it is updated. The newest connected one is called.
    """

    def __init__(self, ports: DriverPorts) -> None:
        self._ports = ports
        self._tasks = Tasks()
        self._drivers: dict[str, list[DraDriver]] = {}
        self._following: dict[DraDriver, list[asyncio.Task[None]]] = {}

    def get(self, name: str) -> DraDriver:
        """The plug-in to call. Raises Unavailable if none is registered."""
        found = self._drivers.get(name)
        if not found:
            raise Unavailable(f"DRA driver {name} is not registered", hint="look at the driver's pods on this node")
        return next((each for each in reversed(found) if each.is_connected), found[-1])

    def is_usable(self, name: str) -> bool:
        """Whether a plug-in of the driver is connected."""
        return any(each.is_connected for each in self._drivers.get(name, ()))

    def validate(self, plugin: Plugin) -> None:
        _service(plugin)

    async def register(self, plugin: Plugin) -> None:
        found = self._drivers.setdefault(plugin.name, [])
        if any(each.path == plugin.endpoint for each in found):
            raise AlreadyExists(f"endpoint {plugin.endpoint} already registered for DRA driver plugin {plugin.name}")
        driver = DraDriver(plugin.name, plugin.endpoint, _service(plugin), self._ports)
        found.append(driver)
        self._following[driver] = [self._tasks.start(driver.follow(), name=f"DRA driver {plugin.name}")]
        if self._ports.watches_health:
            self._following[driver].append(self._tasks.start(driver.follow_health(), name=f"health {plugin.name}"))
        self._ports.listener.driver_changed(plugin.name)

    async def deregister(self, plugin: Plugin) -> None:
        found = self._drivers.get(plugin.name, [])
        gone = next((each for each in found if each.path == plugin.endpoint), None)
        if gone is None:
            return
        found.remove(gone)
        for task in self._following.pop(gone):
            task.cancel()
        await gone.close()
        self._ports.listener.health_lost(plugin.name)
        self._ports.listener.driver_changed(plugin.name)

    async def close(self) -> None:
        """End all connections."""
        await self._tasks.close()
        for drivers in self._drivers.values():
            for driver in drivers:
                await driver.close()
        self._drivers.clear()


def _service(plugin: Plugin) -> str:
    """The first known service of the plug-in. Raises InvalidArgument if there is none."""
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


def _report(device: health_messages.DeviceHealth) -> HealthReport:
    timeout_s = float(device.health_check_timeout_seconds)
    names = {health_messages.HEALTHY: HEALTHY, health_messages.UNHEALTHY: UNHEALTHY}
    return HealthReport(
        place=(device.device.pool_name, device.device.device_name),
        health=names.get(device.health, UNKNOWN),
        message=shortened(device.message),
        timeout_s=timeout_s if timeout_s > 0 else DEFAULT_TIMEOUT_S,
    )


def _check(call: str, asked: Iterable[messages.Claim], results: Mapping[str, Any]) -> None:
    """Check that there is one result without an error for each claim, and no other. Raises FailedPrecondition."""
    names = {claim.uid: claim.name for claim in asked}
    for uid, result in results.items():
        if uid not in names:
            raise FailedPrecondition(f"{call} returned result for unknown claim UID {uid}")
        if result.error:
            raise FailedPrecondition(f"{call} failed for ResourceClaim {names[uid]}: {result.error}")
    if len(results) < len(names):
        raise FailedPrecondition(f"{call} skipped {len(names) - len(results)} ResourceClaims")
