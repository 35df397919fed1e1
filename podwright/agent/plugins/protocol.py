"""The interface between the watcher of plug-ins and those that use plug-ins."""

from __future__ import annotations

from typing import Protocol

import msgspec

CSI_PLUGIN, DEVICE_PLUGIN, DRA_PLUGIN = "CSIPlugin", "DevicePlugin", "DRAPlugin"


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """A plug-in's description of itself. `kind` is one of the interface's names, such as CSI_PLUGIN."""

    kind: str
    name: str
    endpoint: str  # the path of the socket that serves the plug-in's own interface
    versions: tuple[str, ...]  # of that interface


class PluginHandler(Protocol):
    """Uses the plug-ins of one kind. Calls for one socket come one after another.

    A plug-in with a new socket is deregistered, then validated and registered again. If two sockets have the same
    name, the last registered one counts, and `deregister` names the one that is gone by its endpoint.
    """

    def validate(self, plugin: Plugin) -> None:
        """Raise InvalidArgument if the plug-in cannot be used, for instance because of its name or versions."""

    async def register(self, plugin: Plugin) -> None:
        """Use the plug-in from now on. Raises PodwrightError, and is called again later.

        The call is cancelled if the socket goes. `deregister` follows.
        """

    async def deregister(self, plugin: Plugin) -> None:
        """Stop using the plug-in: its socket is gone, or it has not accepted its registration.

        An unknown one succeeds.
        """
