"""Ties together the node's plug-ins: their registration, devices and claims, and the pod-resources API."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from podwright.agent.plugins.protocol import DEVICE_PLUGIN, DRA_PLUGIN, PluginHandler
from podwright.agent.plugins.watcher import FOLDER, PluginWatcher
from podwright.agent.resources.claims.manager import ClaimManager, ClaimPorts
from podwright.agent.resources.devices.manager import DevicePorts
from podwright.agent.resources.devices.setup import NodeDevices
from podwright.agent.resources.pod_resources.server import PodResourcesPorts, PodResourcesServer


class NodePlugins:
    """The plug-ins of the node.

    Until `start` none can register, and neither `devices` nor `claims` allots anything.
    """

    def __init__(self, root: str, ports: DevicePorts, claim_ports: ClaimPorts) -> None:
        """`root` is the agent's own directory."""
        self._root = root
        self._running = AsyncExitStack()
        self.devices = NodeDevices(root, ports)
        self.claims = ClaimManager(root, claim_ports)

    async def start(self, shown: PodResourcesPorts, others: Mapping[str, PluginHandler]) -> None:
        """Recover, accept registrations, and serve what is `shown`. Raises PodwrightError and OSError.

        `others` has handlers for further kinds of plug-ins. A plug-in of an unknown kind is refused.
        """
        self._running.push_async_callback(self.devices.close)
        await self.devices.start()
        self._running.push_async_callback(self.claims.close)
        self.claims.start()
        shares = PodResourcesServer(self._root, shown)
        self._running.push_async_callback(shares.close)
        await shares.start()
        handlers: dict[str, PluginHandler] = {
            DEVICE_PLUGIN: self.devices.registration,
            DRA_PLUGIN: self.claims.drivers,
            **others,
        }
        watcher = PluginWatcher(f"{self._root}/{FOLDER}", handlers)
        self._running.push_async_callback(watcher.close)
        watcher.start()

    async def close(self) -> None:
        """Stop accepting registrations. Allotments stay, and plug-ins are not called."""
        await self._running.aclose()
