"""One client's view of the stdio of a container's first process, over a connection of its own. See `Attached`."""

from __future__ import annotations

from collections import deque
from urllib.parse import urlencode

from podwright.runtime.engines.docker.api.frames import STDERR, StdioFrames
from podwright.runtime.engines.docker.api.hijack import Hijacked, hijack
from podwright.runtime.engines.docker.host import EngineHost
from podwright.runtime.engines.docker.stdio.execs import DETACH_KEYS
from podwright.runtime.handlers.protocol import OutputStream
from podwright.runtime.model.container import Container
from podwright.tasks import Tasks


class EngineAttached:
    """An Attached on the Engine."""

    def __init__(self, host: EngineHost, container: Container, connection: Hijacked, background: Tasks) -> None:
        self._host = host
        self._container = container
        self._connection = connection
        self._background = background
        self._frames = None if container.config.tty else StdioFrames()
        self._pieces: deque[tuple[OutputStream, bytes]] = deque()

    async def read(self) -> tuple[OutputStream, bytes] | None:
        while not self._pieces:
            data = await self._connection.read()
            if not data:
                return None
            if self._frames is None:
                return OutputStream.STDOUT, data
            self._pieces.extend(
                (OutputStream.STDERR if stream == STDERR else OutputStream.STDOUT, piece)
                for stream, piece in self._frames.feed(data)
            )
        return self._pieces.popleft()

    async def write(self, data: bytes) -> None:
        await self._connection.write(data)

    async def end_input(self) -> bool:
        """The Engine closes the container's stdin with the first client's, if it was created so."""
        if not (self._container.config.stdin and self._container.config.stdin_once):
            return False
        self._connection.end_input()
        return True

    def resize(self, width: int, height: int) -> None:
        if self._container.config.tty and width > 0 and height > 0:
            path = f"/containers/{self._container.id}"
            self._background.start(self._host.resize(path, width, height), name="resize a container's terminal")

    def close(self) -> None:
        self._connection.close()


async def attach(host: EngineHost, container: Container, background: Tasks) -> EngineAttached:
    """A new client. Raises as `hijack` does."""
    wanted = {"stream": "1", "stdout": "1", "stderr": "1", "detachKeys": DETACH_KEYS}
    if container.config.stdin:
        wanted["stdin"] = "1"
    path = f"/containers/{container.id}/attach?{urlencode(wanted)}"
    connection = await hijack(host.client, path, f"attach to container {container.id[:12]}")
    return EngineAttached(host, container, connection, background)
