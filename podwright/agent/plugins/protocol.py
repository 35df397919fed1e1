"""The interface between the watcher of plug-ins and those that use plug-ins."""

from __future__ import annotations

from typing import Protocol

import msgspec

CSI_PLUGIN, DEVICE_PLUGIN, DRA_PLUGIN = "CSIPlugin", "DevicePlugin", "DRAPlugin"


class Plugin(msgspec.Struct, frozen=True, kw_only=True):
    """What a plug-in has said of itself. `kind` is one of the interface's words, such as CSI_PLUGIN."""

    kind: str
    name: str
    endpoint: str  # the path of the socket that serves the plug-in's own interface
    versions: tuple[str, ...]  # of that interface


class PluginHandler(Protocol):
    """Uses the plug-ins of one kind. Calls for one socket come one after the other.

    A plug-in whose socket is made anew is deregistered, then validated and registered again. Two sockets may give the
    same name: of those, the last one registered counts, and `deregister` names the one that has gone by its endpoint.
    """

    def validate(self, plugin: Plugin) -> None:
        """Raises InvalidArgument when the plug-in cannot be used, as for a name or versions that nobody knows."""

    async def register(self, plugin: Plugin) -> None:
        """Use the plug-in from now on. Raises PodwrightError, and is called again later.

        It may be cancelled when the socket goes. `deregister` follows.
        """

    async def deregister(self, plugin: Plugin) -> None:
        """The plug-in's socket has gone, or it has not accepted its registration. An unknown one succeeds."""
