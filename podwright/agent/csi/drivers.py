"""The registered CSI drivers of this node: a `PluginHandler` of the watcher of plug-ins."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from typing import Protocol

import msgspec

from podwright.agent.clock import Clock, SystemClock
from podwright.agent.csi.calls import CsiNode
from podwright.agent.csi.values import NodeInfo, VolumeStats
from podwright.agent.metrics.volumes import VolumeMetrics
from podwright.agent.plugins.protocol import Plugin
from podwright.errors import InvalidArgument, PodwrightError, Unavailable

log = logging.getLogger(__name__)

# CSI's rule for names of drivers: a domain name of at most 63 characters.
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?")
VERSION = re.compile(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})")
MAJOR = 1  # of the specification
Version = tuple[int, int, int]


class ClusterInfo(Protocol):
    """Shows the drivers to the cluster: `node_info`."""

    async def install(self, driver: str, info: NodeInfo) -> None:
        """Show a driver. Raises PodwrightError."""

    async def uninstall(self, driver: str) -> None:
        """Remove a driver that is gone. Raises PodwrightError."""


class NoCluster:
    """A `ClusterInfo` without an API server."""

    async def install(self, driver: str, info: NodeInfo) -> None:
        pass

    async def uninstall(self, driver: str) -> None:
        pass


class _Driver(msgspec.Struct, frozen=True, kw_only=True):
    node: CsiNode
    version: Version


class CsiDrivers:
    """The registered drivers, and their node services."""

    def __init__(
        self, cluster: ClusterInfo, *, clock: Clock | None = None, metrics: VolumeMetrics | None = None
    ) -> None:
        self._cluster = cluster
        self._clock = clock or SystemClock()
        self._metrics = metrics or VolumeMetrics()
        self._drivers: dict[str, _Driver] = {}
        self._listeners: list[Callable[[str], None]] = []

    def node(self, name: str) -> CsiNode:
        """The driver's node service. Raises Unavailable for an unregistered driver, which may still register."""
        driver = self._drivers.get(name)
        if driver is None:
            raise Unavailable(f"driver name {name} not found in the list of registered CSI drivers")
        return driver.node

    def names(self) -> tuple[str, ...]:
        """The names of all registered drivers."""
        return tuple(self._drivers)

    async def refresh(self, name: str) -> None:
        """Update the cluster with the driver's present facts about the node. Raises PodwrightError."""
        await self._cluster.install(name, await self.node(name).info())

    async def stats(self, name: str, handle: str, path: str) -> VolumeStats | None:
        """The usage of a volume that is published at `path`.

        None if its driver does not report it. Raises Unavailable.
        """
        return await self.node(name).stats(handle, path)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the name of each driver that registers."""
        self._listeners.append(listener)

    def validate(self, plugin: Plugin) -> None:
        self._checked(plugin)

    async def register(self, plugin: Plugin) -> None:
        """See PluginHandler. The driver is used as soon as the CSINode shows it."""
        driver = self._checked(plugin)
        self._drivers[plugin.name] = driver
        try:
            await self._cluster.install(plugin.name, await driver.node.info())
        except BaseException:
            self._forget(plugin.name, driver)
            raise
        for listener in self._listeners:
            listener(plugin.name)

    async def deregister(self, plugin: Plugin) -> None:
        """See PluginHandler. Volumes of the driver stay mounted: only the driver can unmount them."""
        driver = self._drivers.get(plugin.name)
        if driver is None or driver.node.endpoint != plugin.endpoint:
            return
        self._forget(plugin.name, driver)
        try:
            await self._cluster.uninstall(plugin.name)
        except PodwrightError as failure:
            log.warning("the cluster still shows a CSI driver that has gone: driver=%s error=%s", plugin.name, failure)

    def _checked(self, plugin: Plugin) -> _Driver:
        """The driver of a plug-in. Raises InvalidArgument."""
        if NAME.fullmatch(plugin.name) is None:
            raise InvalidArgument(f"{plugin.name!r} cannot be the name of a CSI driver")
        version = highest_version(plugin.versions)
        if version is None:
            listed = ", ".join(plugin.versions[:8])
            raise InvalidArgument(
                f'CSI driver "{plugin.name}" has none of the versions that are supported (1.x): {listed or "none"}'
            )
        known = self._drivers.get(plugin.name)
        if known is not None and known.node.endpoint != plugin.endpoint and known.version >= version:
            raise InvalidArgument(
                f'CSI driver "{plugin.name}" is registered already with a version as high: {known.node.endpoint}'
            )
        node = CsiNode(plugin.name, plugin.endpoint, self._clock, self._metrics)
        return _Driver(node=node, version=version)

    def _forget(self, name: str, driver: _Driver) -> None:
        if self._drivers.get(name) is driver:
            del self._drivers[name]


def highest_version(versions: tuple[str, ...]) -> Version | None:
    """The highest supported version. None if there is none."""
    found = [match for text in versions if (match := VERSION.fullmatch(text)) is not None]
    numbers = [(int(each[1]), int(each[2]), int(each[3])) for each in found]
    return max((number for number in numbers if number[0] == MAJOR), default=None)
