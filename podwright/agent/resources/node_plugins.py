"""What the agent does with plug-ins of the node, tied together: who registers, what they have, and who may see it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack

from podwright.agent.plugins.protocol import DEVICE_PLUGIN, PluginHandler
from podwright.agent.plugins.watcher import FOLDER, PluginWatcher
from podwright.agent.resources.devices.manager import DevicePorts
from podwright.agent.resources.devices.setup import NodeDevices
from podwright.agent.resources.pod_resources.server import PodResourcesPorts, PodResourcesServer


class NodePlugins:
    """Until it is started, nobody can register, and `devices` gives nothing."""

    def __init__(self, root: str, ports: DevicePorts) -> None:
        """`root` is the agent's own directory."""
        self._root = root
        self._running = AsyncExitStack()
        self.devices = NodeDevices(root, ports)

    async def start(self, shown: PodResourcesPorts, others: Mapping[str, PluginHandler]) -> None:
        """Recover, let plug-ins in, and serve what is `shown`. Raises PodwrightError and OSError.

        `others` use plug-ins of further kinds; a plug-in of a kind that nobody uses is told so.
        """
        self._running.push_async_callback(self.devices.close)
        await self.devices.start()
        shares = PodResourcesServer(self._root, shown)
        self._running.push_async_callback(shares.close)
        await shares.start()
        watcher = PluginWatcher(f"{self._root}/{FOLDER}", {DEVICE_PLUGIN: self.devices.registration, **others})
        self._running.push_async_callback(watcher.close)
        watcher.start()

    async def close(self) -> None:
        """Let nobody in any more. What is allotted stays, and plug-ins are told nothing."""
        await self._running.aclose()
