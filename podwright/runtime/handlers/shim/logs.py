"""The daemon's side of the log writer: starts it, asks it, and starts it again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import glob
import hashlib
import json
import logging
import os
import socket
import sys
from collections.abc import Mapping
from typing import Any

from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError, Unavailable
from podwright.linux.files import remove_file
from podwright.process import Command, ProcessRunner
from podwright.runtime.handlers.shim.log_writer.program import LISTENER_FD
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

ANSWER_S = 10.0
RETRY_S, POLL_S = 0.1, 0.005
BACKLOG = 1024
ANSWER_LIMIT_BYTES = 65536
SHIM_LOG_LIMIT_BYTES = 1 << 20
PREFIX = "log-writer-"
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "log_writer")


class LogWriterProcess:
    """The one log writer of this daemon's state directory."""

    def __init__(self, runner: ProcessRunner, state: str) -> None:
        """The writer is started when the first container needs it."""
        self._runner = runner
        self._state = state
        self._name = f"{PREFIX}{_version()}.sock"
        self._open: dict[str, dict[str, Any]] = {}
        self._starting = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None
        self._tasks = Tasks()

    async def open(
        self, container_id: str, log_path: str, streams: Mapping[str, str], *, limit_bytes: int = 0
    ) -> None:
        """Have fifos read into a log from now on.

        A container that is open already stays so. Raises FailedPrecondition.
        """
        request = {"do": "open", "id": container_id, "log": log_path, "limit": limit_bytes, "streams": dict(streams)}
        await self._ask(request)
        self._open[container_id] = request
        self._watch_writer()

    async def reopen(self, container_id: str) -> None:
        """Write to a new file at the log's path. Raises FailedPrecondition."""
        await self._ask({"do": "reopen", "id": container_id})

    async def close_streams(self, container_id: str) -> None:
        """Stop reading this container's fifos."""
        self._open.pop(container_id, None)
        with contextlib.suppress(FailedPrecondition, Unavailable, DeadlineExceeded):
            await self._ask({"do": "close", "id": container_id}, starts=False)

    async def drained(self, container_id: str, timeout_s: float) -> bool:
        """Wait until the streams have ended and all is in the log. False when that takes too long."""
        try:
            await self._ask({"do": "drained", "id": container_id}, timeout_s=timeout_s, starts=False)
        except (FailedPrecondition, Unavailable, DeadlineExceeded):
            return False
        return True

    async def attach(self, container_id: str) -> socket.socket:
        """A connection on which output comes as messages, until it ends. Raises FailedPrecondition."""
        connection = await self._connect()
        try:
            await _exchange(connection, {"do": "attach", "id": container_id}, ANSWER_S)
        except BaseException:
            connection.close()
            raise
        return connection

    async def _ask(self, request: dict[str, Any], *, timeout_s: float = ANSWER_S, starts: bool = True) -> None:
        connection = await (self._connect() if starts else self._connect_to(self._name))
        with contextlib.closing(connection):
            await _exchange(connection, request, timeout_s)

    async def _connect(self) -> socket.socket:
        with contextlib.suppress(Unavailable):
            return await self._connect_to(self._name)
        async with self._starting:
            with contextlib.suppress(Unavailable):  # another call has started it
                return await self._connect_to(self._name)
            self._start()
            for request in self._open.values():
                with (
                    contextlib.suppress(PodwrightError),
                    contextlib.closing(await self._connect_to(self._name)) as connection,
                ):
                    await _exchange(connection, request, ANSWER_S)
            return await self._connect_to(self._name)

    async def _connect_to(self, name: str) -> socket.socket:
        """A connection. Raises Unavailable when there is no writer.

        It waits for a busy writer, because a second one would read the same fifos. Raises DeadlineExceeded then.
        """
        deadline = asyncio.get_running_loop().time() + ANSWER_S
        while (connection := self._try_to_connect(name)) is None:
            if asyncio.get_running_loop().time() > deadline:
                raise DeadlineExceeded(f"the log writer accepts no connection within {ANSWER_S:g} s")
            await asyncio.sleep(POLL_S)
        return connection

    def _try_to_connect(self, name: str) -> socket.socket | None:
        """Connect through the directory's descriptor: the path may be longer than an address.

        None: the writer is busy.
        """
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            directory = os.open(self._state, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                connection.connect(f"/proc/self/fd/{directory}/{name}")
            finally:
                os.close(directory)
        except BlockingIOError:
            connection.close()
            return None
        except OSError as failure:
            connection.close()
            raise Unavailable(f"the log writer does not answer: {failure.strerror}") from failure
        return connection

    def _start(self) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.closing(listener):
            directory = os.open(self._state, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(self._name, dir_fd=directory)
                listener.bind(f"/proc/self/fd/{directory}/{self._name}")
                os.chmod(self._name, 0o600, dir_fd=directory)
            finally:
                os.close(directory)
            listener.listen(BACKLOG)
            argv = (sys.executable, "-I", "-S", f"{PROGRAM}/__main__.py", self._state)
            self._runner.start(Command(argv=argv, timeout_s=None, fds={LISTENER_FD: listener.fileno()}))

    def _watch_writer(self) -> None:
        if self._watch is None or self._watch.done():
            self._watch = self._tasks.start(self._keep_alive(), name="watch the log writer")

    async def _keep_alive(self) -> None:
        """Hold a connection without a request, which lasts as long as the writer.

        When it breaks, start another writer.
        """
        while self._open:
            try:
                with contextlib.closing(await self._connect()) as connection:
                    await asyncio.get_running_loop().sock_recv(connection, 1)
            except (PodwrightError, OSError) as failure:  # also ECONNRESET, when it died before it accepted
                log.warning("the log writer does not answer: error=%s", failure)
                await asyncio.sleep(RETRY_S)
            if self._open:
                log.warning("the log writer has ended, starting another one")

    async def adopt(self) -> None:
        """At start: writers of other versions leave, so that ours reads on."""
        for path in glob.glob(f"{glob.escape(self._state)}/{PREFIX}*.sock"):
            name = os.path.basename(path)
            if name == self._name:
                continue
            await self._send_away(name)
            remove_file(path)

    async def _send_away(self, name: str) -> None:
        with contextlib.suppress(Unavailable, FailedPrecondition, DeadlineExceeded):
            connection = await self._connect_to(name)
            with contextlib.closing(connection):
                await _exchange(connection, {"do": "leave"}, ANSWER_S)

    async def close(self) -> None:
        """The daemon ends. So does the writer, unless it has containers."""
        await self._tasks.close()
        with contextlib.suppress(FailedPrecondition, Unavailable, DeadlineExceeded):
            await self._ask({"do": "end"}, starts=False)


def _version() -> str:
    """What tells writers of other versions of its code apart."""
    digest = hashlib.sha256()
    for path in sorted(glob.glob(f"{glob.escape(PROGRAM)}/*.py")):
        with open(path, "rb") as part:
            digest.update(part.read())
    return digest.hexdigest()[:8]


async def _exchange(connection: socket.socket, request: dict[str, Any], timeout_s: float) -> None:
    """Send a request and wait for its success. Raises FailedPrecondition, Unavailable and DeadlineExceeded."""
    loop = asyncio.get_running_loop()
    what, container_id = request["do"], str(request.get("id", ""))[:12]
    try:
        async with asyncio.timeout(timeout_s):
            await loop.sock_sendall(connection, json.dumps(request).encode())
            answer = await loop.sock_recv(connection, ANSWER_LIMIT_BYTES)
    except TimeoutError as late:
        raise DeadlineExceeded(f"the log writer does not answer {what} {container_id}") from late
    except OSError as failure:
        raise Unavailable(f"the log writer is gone: {failure.strerror}") from failure
    if not answer:
        raise Unavailable("the log writer has ended")
    if error := json.loads(answer)["error"]:
        raise FailedPrecondition(f"log of {container_id}: {error}")
