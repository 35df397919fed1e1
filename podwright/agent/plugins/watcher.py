"""Watches the folder in which plug-ins make their sockets (`plugins_registry`).

Every socket below it is a plug-in's. After each notice of inotify the folder is read again, and only its content
counts. So a lost notice delays a plug-in, but no plug-in is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping

from podwright.agent.plugins.protocol import PluginHandler
from podwright.agent.plugins.registration import Registration
from podwright.agent.plugins.sockets import Stamp, directories, sockets_in
from podwright.linux import inotify
from podwright.linux.directories import ensure_directory
from podwright.linux.inotify import Inotify
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

FOLDER = "plugins_registry"  # below the agent's root
CHANGES = (
    inotify.IN_CREATE
    | inotify.IN_MOVED_FROM
    | inotify.IN_MOVED_TO
    | inotify.IN_DELETE
    | inotify.IN_DELETE_SELF
    | inotify.IN_MOVE_SELF
)
PERIOD_S = 30.0  # between two reads of the folder without a notice
REARM_S = 1.0  # until the next try when the folder cannot be watched


class PluginWatcher:
    """Registers and deregisters plug-ins as their sockets come and go."""

    def __init__(self, folder: str, handlers: Mapping[str, PluginHandler]) -> None:
        """`handlers` by the kind of plug-in, such as CSI_PLUGIN."""
        self._folder = folder
        self._handlers = dict(handlers)
        self._tasks = Tasks()
        self._found: Mapping[str, Stamp] = {}
        self._news: dict[str, asyncio.Event] = {}  # by path: the folder has been read again

    def start(self) -> None:
        """Start to watch the folder."""
        self._tasks.start(self._watch(), name="plug-in watcher")

    async def close(self) -> None:
        """Stop watching. Handlers are not called, because the plug-ins still exist."""
        await self._tasks.close()

    async def _watch(self) -> None:
        while True:
            changed = asyncio.Event()
            try:
                # Each round has its own watches. They are made before their folder is read, so nothing is missed.
                with contextlib.closing(Inotify()) as notices:
                    self._compare(self._read(notices, changed))
                    with contextlib.suppress(TimeoutError):
                        async with asyncio.timeout(PERIOD_S):
                            await changed.wait()
            except OSError as failure:  # such as no inotify instances left
                log.warning("cannot watch plug-ins: folder=%s error=%s", self._folder, failure)
                await asyncio.sleep(REARM_S)

    def _read(self, notices: Inotify, changed: asyncio.Event) -> dict[str, Stamp]:
        """The present sockets. Raises OSError if the folder itself cannot be watched."""
        ensure_directory(self._folder, 0o750)
        found: dict[str, Stamp] = {}
        for directory in directories(self._folder):
            try:
                notices.add(directory, CHANGES, changed.set)
            except FileNotFoundError:
                continue  # its parent's watch shows what replaces it
            found.update(sockets_in(directory))
        return found

    def _compare(self, found: Mapping[str, Stamp]) -> None:
        self._found = found
        for path in found:
            if path not in self._news:
                self._news[path] = asyncio.Event()
                self._tasks.start(self._follow(path), name=f"plug-in at {path}")
        for news in self._news.values():
            news.set()

    async def _follow(self, path: str) -> None:
        """Register and deregister the plug-ins at one path, in order, until there is none."""
        news = self._news[path]
        try:
            while (stamp := self._found.get(path)) is not None:
                registration = Registration(path, self._handlers)
                work = self._tasks.start(registration.run(), name=f"register {path}")
                while self._found.get(path) == stamp:
                    news.clear()
                    await news.wait()
                work.cancel()
                await asyncio.wait({work})
                await registration.end()
        finally:
            del self._news[path]
