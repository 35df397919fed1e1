"""The connected device plug-ins, one for each resource, and the streams of their devices."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Protocol

from podwright.agent.resources.devices.inventory import PluginDevice
from podwright.agent.resources.devices.plugin import DevicePlugin
from podwright.errors import PodwrightError
from podwright.tasks import Tasks

log = logging.getLogger(__name__)


class PluginListener(Protocol):
    """Is called about changes of plug-ins and their devices: `manager`."""

    def connected(self, resource: str) -> None:
        """A plug-in is connected. It may replace an earlier one."""

    def listed(self, resource: str, devices: Iterable[PluginDevice]) -> None:
        """The plug-in has sent the complete list of its devices."""

    def disconnected(self, resource: str) -> None:
        """The plug-in is gone."""


class ConnectedPlugins:
    """The connected plug-ins."""

    def __init__(self, listener: PluginListener) -> None:
        self._listener = listener
        self._tasks = Tasks()
        self._plugins: dict[str, DevicePlugin] = {}

    def of(self, resource: str) -> DevicePlugin | None:
        """The plug-in of a resource."""
        return self._plugins.get(resource)

    async def connect(self, resource: str, path: str) -> None:
        """Connect the plug-in at a socket. It replaces an earlier one of this resource. Raises PodwrightError."""
        plugin = DevicePlugin(resource, path)
        try:
            await plugin.open()
        except BaseException:
            await plugin.close()
            raise
        before, self._plugins[resource] = self._plugins.get(resource), plugin
        if before is not None:
            await before.close()
        log.info("device plug-in is connected: resource=%s socket=%s", resource, path)
        self._listener.connected(resource)
        self._tasks.start(self._follow(plugin), name=f"devices of {resource}")

    async def disconnect(self, resource: str, path: str) -> None:
        """Disconnect the plug-in at this socket. Another plug-in of the resource stays."""
        plugin = self._plugins.get(resource)
        if plugin is not None and plugin.path == path:
            await plugin.close()  # this ends its stream
            self._gone(plugin)

    async def close(self) -> None:
        """End all streams. The listener is not called, because the plug-ins still exist."""
        plugins = list(self._plugins.values())
        self._plugins.clear()
        await self._tasks.close()
        for plugin in plugins:
            await plugin.close()

    async def _follow(self, plugin: DevicePlugin) -> None:
        """Follow a plug-in's list until the stream ends. The plug-in must then register again."""
        problem = "it has ended the list"
        try:
            async for devices in plugin.lists():
                if self._plugins.get(plugin.resource) is plugin:
                    self._listener.listed(plugin.resource, devices)
        except PodwrightError as failure:
            problem = str(failure)
        finally:
            self._gone(plugin, problem)
            await plugin.close()

    def _gone(self, plugin: DevicePlugin, problem: str = "its socket has gone") -> None:
        if self._plugins.get(plugin.resource) is plugin:
            del self._plugins[plugin.resource]
            log.warning("device plug-in has gone: resource=%s reason=%s", plugin.resource, problem)
            self._listener.disconnected(plugin.resource)
