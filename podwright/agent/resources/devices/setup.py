"""Makes and starts the device manager and the socket for registrations."""

from __future__ import annotations

from podwright.agent.resources.devices.manager import DeviceManager, DevicePorts
from podwright.agent.resources.devices.registration import FOLDER, DeviceRegistration


class NodeDevices:
    """The devices of the node. `manager` allots them, `registration` serves the socket for plug-ins."""

    def __init__(self, root: str, ports: DevicePorts) -> None:
        """`root` is the agent's own directory."""
        folder = f"{root}/{FOLDER}"
        self.manager = DeviceManager(folder, ports)
        self.registration = DeviceRegistration(folder, self.manager.plugins, ports.metrics)

    async def start(self) -> None:
        """Recover the allotments, and accept registrations. Raises PodwrightError and OSError."""
        self.manager.recover()
        await self.registration.start()

    async def close(self) -> None:
        """Stop accepting registrations, and end the connections. Allotments stay."""
        await self.registration.close()
        await self.manager.plugins.close()
