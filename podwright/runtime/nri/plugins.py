"""The plug-ins that are there: those that connect to the socket, and those that are started with the daemon."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import socket
from collections.abc import Awaitable, Callable

from podwright import __version__
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.linux.files import remove_file
from podwright.process import Command, ProcessRunner
from podwright.runtime.config import NriSettings
from podwright.runtime.nri.connection import PluginConnection
from podwright.runtime.nri.plugin import NriPlugin, Timeouts, Updates, runtime_methods
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

PROGRAM = re.compile(r"([0-9]{2})-(.+)")
SOCKET_FD = 3  # of a plug-in that we start
PLUGINS_LIMIT = 64
CONFIG_LIMIT_BYTES = 1 << 20
WRITABLE_BY_OTHERS = 0o022


class NriPlugins:
    """All plug-ins, in the order of their indexes."""

    def __init__(
        self,
        settings: NriSettings,
        runner: ProcessRunner,
        *,
        welcome: Callable[[NriPlugin], Awaitable[None]],
        updated: Updates,
    ) -> None:
        """`welcome` describes everything to a registered plug-in, and then calls `add`."""
        self._settings = settings
        self._runner = runner
        self._welcome = welcome
        self._updated = updated
        self._timeouts = Timeouts(
            registration_s=settings.plugin_registration_timeout_s, request_s=settings.plugin_request_timeout_s
        )
        self._plugins: list[NriPlugin] = []
        self._coming: set[NriPlugin] = set()
        self._tasks = Tasks()
        self._listener: asyncio.Server | None = None

    def all(self) -> list[NriPlugin]:
        """Those that are there, in order."""
        return self._plugins

    def add(self, plugin: NriPlugin) -> None:
        """It takes part from now on. Of two of the same index, the older one is called first."""
        self._plugins = sorted([*self._plugins, plugin], key=lambda one: one.index)

    async def start(self) -> None:
        """Start the programs, and listen. What fails is logged: pods do not depend on plug-ins."""
        for index, name, path in programs(self._settings.plugin_path):
            try:
                await self._launch(index, name, path)
            except (PodwrightError, OSError) as failure:
                log.warning("NRI plug-in is skipped: program=%s error=%s", path, failure)
        if not self._settings.disable_connections:
            try:
                await self._listen(self._settings.socket_path)
            except (PodwrightError, OSError) as failure:
                log.warning("no NRI plug-in can connect: socket=%s error=%s", self._settings.socket_path, failure)

    async def _launch(self, index: str, name: str, path: str) -> None:
        ours, theirs = socket.socketpair()
        try:
            env = {"NRI_PLUGIN_NAME": name, "NRI_PLUGIN_IDX": index, "NRI_PLUGIN_SOCKET": str(SOCKET_FD)}
            env["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
            null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            try:
                fds = {0: null, 1: null, 2: null, SOCKET_FD: theirs.fileno()}
                process = self._runner.start(Command(argv=(path,), timeout_s=None, env=env, fds=fds))
            finally:
                os.close(null)
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        config = _config_of(self._settings.plugin_config_path, index, name)
        plugin = NriPlugin(self._timeouts, __version__, index=index, name=name, config=config, process=process)
        connection = self._connection(plugin)
        await asyncio.get_running_loop().create_unix_connection(lambda: connection, sock=ours)
        await self._take_in(plugin)

    async def _listen(self, path: str) -> None:
        """Raises FailedPrecondition when another runtime serves there, and OSError."""
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with contextlib.suppress(FileNotFoundError, ConnectionRefusedError), socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(1.0)
            probe.connect(path)
            raise FailedPrecondition("another runtime serves there", hint="set [nri] socket_path, or disable")
        remove_file(path)
        self._listener = await asyncio.get_running_loop().create_unix_server(self._accepted, path=path)
        os.chmod(path, 0o600)

    def _accepted(self) -> PluginConnection:
        plugin = NriPlugin(self._timeouts, __version__)
        connection = self._connection(plugin)
        self._tasks.start(self._take_in(plugin), name="take in an NRI plug-in")
        return connection

    def _connection(self, plugin: NriPlugin) -> PluginConnection:
        plugin.connection = PluginConnection(runtime_methods(plugin, self._updated))
        return plugin.connection

    async def _take_in(self, plugin: NriPlugin) -> None:
        """Register it, describe everything to it, and let it take part. One that fails is dropped."""
        assert plugin.connection is not None
        ended = plugin.connection.client.ended
        self._coming.add(plugin)
        try:
            if len(self._plugins) + len(self._coming) > PLUGINS_LIMIT:
                raise FailedPrecondition(f"there are {PLUGINS_LIMIT} NRI plug-ins already")
            await plugin.register()
            await self._welcome(plugin)
        except PodwrightError as failure:
            plugin.drop(str(failure))
            return
        except BaseException:
            plugin.drop("")
            raise
        finally:
            self._coming.discard(plugin)
        log.info("NRI plug-in takes part: plugin=%s", plugin)
        ended.add_done_callback(lambda _: self._forget(plugin))

    def _forget(self, plugin: NriPlugin) -> None:
        if plugin in self._plugins:
            log.info("NRI plug-in is gone: plugin=%s", plugin)
            self._plugins = [one for one in self._plugins if one is not plugin]
            plugin.drop("")

    async def close(self) -> None:
        """Stop listening, and let all go."""
        if self._listener is not None:
            self._listener.close()
            remove_file(self._settings.socket_path)
        await self._tasks.close()
        await asyncio.gather(*(plugin.shut_down() for plugin in [*self._plugins, *self._coming]))


def programs(folder: str) -> list[tuple[str, str, str]]:
    """The plug-ins in a folder, in order: index, name and path. One that others may change is left out."""
    found = []
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        for entry in sorted(os.scandir(folder), key=lambda one: one.name):
            matched = PROGRAM.fullmatch(entry.name)
            if matched and entry.is_file() and os.access(entry.path, os.X_OK):
                facts = entry.stat()
                if facts.st_uid not in (0, os.geteuid()) or facts.st_mode & WRITABLE_BY_OTHERS:
                    log.warning("NRI plug-in is skipped, others may change it: program=%s", entry.path)
                    continue
                found.append((matched[1], matched[2], entry.path))
    return found


def _config_of(folder: str, index: str, name: str) -> str:
    for file in (f"{index}-{name}.conf", f"{name}.conf"):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), open(f"{folder}/{file}", "rb") as opened:
            return opened.read(CONFIG_LIMIT_BYTES).decode(errors="replace")
    return ""
