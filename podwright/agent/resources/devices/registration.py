"""Registers device plug-ins: at the agent's socket in the folder `device-plugins`, or by the plug-in watcher."""

from __future__ import annotations

import logging
import os
import stat
from functools import partial
from typing import Any

from podwright.agent.metrics.devices import DeviceMetrics
from podwright.agent.plugins.protocol import Plugin
from podwright.agent.plugins.serving import FOLDER_MODE, ServedSocket
from podwright.agent.resources.devices.connected import ConnectedPlugins
from podwright.cri.status import code_of
from podwright.errors import InvalidArgument, PodwrightError
from podwright.k8s.names import qualified_name_faults
from podwright.kubelet_grpc import device_plugin_pb2 as messages
from podwright.kubelet_grpc import device_plugin_pb2_grpc as stubs
from podwright.linux.directories import ensure_directory

log = logging.getLogger(__name__)

VERSION = "v1beta1"
FOLDER, SOCKET = "device-plugins", "kubelet.sock"
QUOTA_PREFIX = "requests."  # resource quotas use it before the name of a resource


class DeviceRegistration(stubs.RegistrationServicer):
    """The gRPC service, and a `plugins.protocol.PluginHandler`."""

    def __init__(self, folder: str, plugins: ConnectedPlugins, metrics: DeviceMetrics) -> None:
        self._folder = folder
        self._socket = ServedSocket(f"{folder}/{SOCKET}")
        self._plugins = plugins
        self._metrics = metrics

    async def start(self) -> None:
        """Remove the sockets in the folder, which makes plug-ins register again, and serve.

        Raises PodwrightError and OSError.
        """
        ensure_directory(self._folder, FOLDER_MODE)
        for entry in list(os.scandir(self._folder)):
            if stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode):
                os.unlink(entry.path)
        await self._socket.start(partial(stubs.add_RegistrationServicer_to_server, self))

    async def close(self) -> None:
        """Stop serving."""
        await self._socket.close()

    async def Register(self, request: messages.RegisterRequest, context: Any) -> messages.Empty:  # noqa: N802
        """Register a plug-in."""
        try:
            await self._register(request)
        except PodwrightError as failure:
            log.warning("a device plug-in cannot register: resource=%s error=%s", request.resource_name, failure)
            await context.abort(code_of(failure), str(failure))
        return messages.Empty()

    async def _register(self, request: messages.RegisterRequest) -> None:
        _check_versions((request.version,))
        _check_name(request.resource_name)
        self._metrics.registrations.add(request.resource_name)
        endpoint = request.endpoint
        if not endpoint or any(part in ("", ".", "..") for part in endpoint.split("/")):
            raise InvalidArgument(f"the endpoint {endpoint!r} is not the name of a socket in {self._folder}")
        await self._plugins.connect(request.resource_name, f"{self._folder}/{endpoint}")

    # -- `PluginHandler`

    def validate(self, plugin: Plugin) -> None:
        _check_versions(plugin.versions)
        _check_name(plugin.name)

    async def register(self, plugin: Plugin) -> None:
        self._metrics.registrations.add(plugin.name)
        await self._plugins.connect(plugin.name, plugin.endpoint)

    async def deregister(self, plugin: Plugin) -> None:
        await self._plugins.disconnect(plugin.name, plugin.endpoint)


def is_device_resource_name(name: str) -> bool:
    """Whether a device plug-in may have the resource: an extended resource according to the API's validation."""
    domain, slash, _ = name.partition("/")
    if not slash or domain == "kubernetes.io" or domain.endswith(".kubernetes.io") or name.startswith(QUOTA_PREFIX):
        return False
    return not any(qualified_name_faults(f"{QUOTA_PREFIX}{name}"))


def _check_versions(versions: tuple[str, ...]) -> None:
    if VERSION not in versions:
        given = ", ".join(versions)
        raise InvalidArgument(f"API version {given!r} is not supported by the agent", hint=f"it supports {VERSION}")


def _check_name(name: str) -> None:
    if not is_device_resource_name(name):
        raise InvalidArgument(f"the ResourceName {name!r} is invalid", hint="it is like example.com/gpu")
