"""Registers the plug-in at one socket, until it is gone.

The agent gets the plug-in's description, has its handler validate and register it, and notifies the plug-in. A failure
is repeated after growing pauses: a plug-in may make its socket before it serves. The steps are those of the kubelet
(pkg/kubelet/pluginmanager/operationexecutor of Kubernetes 1.36).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from podwright.agent.plugins.connection import PluginChannel
from podwright.agent.plugins.protocol import Plugin, PluginHandler
from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError
from podwright.kubelet_grpc import registration_pb2 as messages
from podwright.kubelet_grpc import registration_pb2_grpc as stubs

log = logging.getLogger(__name__)

INFO_TIMEOUT_S = 5.0
NOTIFY_TIMEOUT_S = 5.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 122.0
NAME_MAX = 253


class Registration:
    """One registration. `run` is called once, then `end`."""

    def __init__(self, path: str, handlers: Mapping[str, PluginHandler]) -> None:
        self.path = path
        self._handlers = handlers
        self._given: Plugin | None = None  # what a handler was called with

    async def run(self) -> None:
        """Return when the plug-in is registered."""
        pause_s, last = FIRST_PAUSE_S, ""
        while True:
            try:
                await self._attempt()
            except PodwrightError as failure:
                if str(failure) != last:
                    log.warning("cannot register a plug-in: socket=%s error=%s", self.path, failure)
                last = str(failure)
            else:
                return
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def end(self) -> None:
        """Deregister the plug-in, which is gone. `run` must have ended."""
        given, self._given = self._given, None
        if given is not None:
            log.info("a plug-in has gone: kind=%s name=%s socket=%s", given.kind, given.name, self.path)
            await self._handlers[given.kind].deregister(given)

    async def _attempt(self) -> None:
        connection = PluginChannel(self.path)
        try:
            await connection.ready()
            client = stubs.RegistrationStub(connection.channel)
            info = await connection.call(client.GetInfo, messages.InfoRequest(), INFO_TIMEOUT_S)
            try:
                plugin = _plugin(info, self.path)
                await self._register(plugin)
            except PodwrightError as failure:
                await _notify(connection, f"RegisterPlugin error -- {failure}")
                raise
            try:
                await _notify(connection)
            except PodwrightError as failure:
                await self.end()
                raise FailedPrecondition(f"it has not accepted that it is registered: {failure}") from failure
        finally:
            await connection.close()
        log.info("a plug-in is registered: kind=%s name=%s socket=%s", plugin.kind, plugin.name, self.path)

    async def _register(self, plugin: Plugin) -> None:
        handler = self._handlers.get(plugin.kind)
        if handler is None:
            raise InvalidArgument(f"no handler registered for plugin type: {plugin.kind} at socket {self.path}")
        handler.validate(plugin)
        self._given = plugin  # set before the call, so that `end` undoes a call that is cancelled
        try:
            await handler.register(plugin)
        except PodwrightError:
            self._given = None
            raise


def _plugin(info: messages.PluginInfo, path: str) -> Plugin:
    """The plug-in of an answer. Raises InvalidArgument for an invalid one."""
    if not info.name or len(info.name) > NAME_MAX:
        raise InvalidArgument(f"a plugin's name has 1 to {NAME_MAX} characters, this one has {len(info.name)}")
    return Plugin(
        kind=info.type, name=info.name, endpoint=info.endpoint or path, versions=tuple(info.supported_versions)
    )


async def _notify(connection: PluginChannel, problem: str = "") -> None:
    """Notify the plug-in that it is registered, or of the problem. Raises PodwrightError."""
    client = stubs.RegistrationStub(connection.channel)
    status = messages.RegistrationStatus(plugin_registered=not problem, error=problem)
    await connection.call(client.NotifyRegistrationStatus, status, NOTIFY_TIMEOUT_S)
