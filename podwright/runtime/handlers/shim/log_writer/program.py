"""The loop: requests, output of containers, and clients that get a copy of it."""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import time
from collections.abc import Iterable

from podwright.runtime.handlers.shim.log_writer.log import Log
from podwright.runtime.handlers.shim.log_writer.records import records

LISTENER_FD = 3
CHUNK_BYTES = 65536
REQUEST_LIMIT_BYTES = 65536
STALL_S = 5.0  # for a client of attach that does not read; the container waits so long
IDLE_S = 30.0
ALIVE_S = 60.0
CODES = {"stdout": b"\1", "stderr": b"\2"}


class AttachedConnection:
    """A connection that output goes to."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.message = b""  # that it has not taken yet
        self.deadline = 0.0

    def send(self, message: bytes) -> bool:
        """False when it is gone. A message that it cannot take now is kept."""
        try:
            self.connection.send(message)
        except BlockingIOError:
            self.message, self.deadline = message, time.monotonic() + STALL_S
        except OSError:
            return False
        else:
            self.message = b""
        return True


class LoggedContainer:
    """What is known of one container."""

    def __init__(self, log: Log, streams: dict[int, str]) -> None:
        self.log = log
        self.streams = streams  # descriptors of the fifos that have not ended -> "stdout" or "stderr"
        self.clients: dict[int, AttachedConnection] = {}
        self.waiting: list[socket.socket] = []
        self.waits = False  # for a client: its streams are not polled


class Writer:
    """The loop."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._poll = select.epoll()
        self._poll.register(listener, select.EPOLLIN)
        self._connections: dict[int, socket.socket] = {}  # whose request is to come
        self._containers: dict[str, LoggedContainer] = {}
        self._of_stream: dict[int, LoggedContainer] = {}
        self._of_client: dict[int, LoggedContainer] = {}
        self._idle_since = time.monotonic()
        self._ends = False

    def run(self) -> None:
        """Until there is nothing to do any more."""
        while not self._ends:
            for fd, _ in self._poll.poll(self._timeout_s()):
                self._on_ready(fd)
            self._drop_stalled()
            if self._containers or self._connections:
                self._idle_since = time.monotonic()
            self._ends = self._ends or time.monotonic() - self._idle_since > IDLE_S

    def _timeout_s(self) -> float:
        stalled = [client.deadline for client in self._clients() if client.message]
        if stalled:
            return max(0.0, min(stalled) - time.monotonic())
        return ALIVE_S if self._containers else IDLE_S

    def _clients(self) -> Iterable[AttachedConnection]:
        return [client for container in self._containers.values() for client in container.clients.values()]

    def _on_ready(self, fd: int) -> None:
        if fd == self._listener.fileno():
            self._accept()
        elif fd in self._of_stream:
            self._on_output(fd)
        elif fd in self._of_client:
            self._on_client(fd)
        elif fd in self._connections:
            self._on_request(fd)

    # -- requests

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            connection, _ = self._listener.accept()
            connection.setblocking(False)
            self._connections[connection.fileno()] = connection
            self._poll.register(connection, select.EPOLLIN)

    def _on_request(self, fd: int) -> None:
        connection = self._connections.pop(fd)
        self._poll.unregister(fd)
        try:
            request = json.loads(connection.recv(REQUEST_LIMIT_BYTES))
            kept = self._serve(request, connection)
            error = ""
        except KeyError as unknown:
            kept, error = False, f"nothing is known of {unknown}"
        except (OSError, ValueError, TypeError) as failure:
            kept, error = False, str(failure)
        if not kept:
            _answer(connection, error)

    def _serve(self, request: dict[str, object], connection: socket.socket) -> bool:
        """True when the connection is kept. Raises KeyError, OSError and ValueError."""
        what, container_id = request["do"], str(request.get("id", ""))
        if what == "open":
            self._open(container_id, request)
        elif what == "close":
            self._close(container_id)
        elif what == "end":
            self._ends = not self._containers
        elif what == "leave":
            self._ends = True
        elif what == "reopen":
            self._containers[container_id].log.reopen()
        elif what == "drained":
            container = self._containers[container_id]
            if container.streams:
                container.waiting.append(connection)
                return True
        elif what == "attach":
            self._attach(self._containers[container_id], connection)
            return True
        else:
            raise ValueError(f"unknown request {what!r}")
        return False

    def _open(self, container_id: str, request: dict[str, object]) -> None:
        if container_id in self._containers:
            return
        paths = request["streams"]
        if not isinstance(paths, dict):
            raise TypeError("streams is not an object")
        with contextlib.ExitStack() as undo:
            limit = request.get("limit", 0)
            log = Log(str(request["log"]), limit if isinstance(limit, int) else 0)
            undo.callback(log.close)
            streams = {}
            for name, path in paths.items():
                fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
                undo.callback(os.close, fd)
                streams[fd] = str(name)
            undo.pop_all()
        container = self._containers[container_id] = LoggedContainer(log, streams)
        for fd in streams:
            self._of_stream[fd] = container
            self._poll.register(fd, select.EPOLLIN)

    def _close(self, container_id: str) -> None:
        container = self._containers.pop(container_id, None)
        if container is not None:
            for fd in tuple(container.streams):
                self._end_stream(container, fd)
            container.log.close()

    def _attach(self, container: LoggedContainer, connection: socket.socket) -> None:
        connection.send(json.dumps({"error": ""}).encode())
        if not container.streams:
            connection.close()
            return
        fd = connection.fileno()
        container.clients[fd] = AttachedConnection(connection)
        self._of_client[fd] = container
        self._poll.register(fd, select.EPOLLIN)

    # -- output

    def _on_output(self, fd: int) -> None:
        container = self._of_stream[fd]
        try:
            data = os.read(fd, CHUNK_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._end_stream(container, fd)
            return
        name = container.streams[fd]
        container.log.write(records(name, data, time.time_ns()))
        for client in tuple(container.clients.values()):
            if not client.send(CODES[name] + data):
                self._drop(container, client)
        self._read_or_wait(container)

    def _end_stream(self, container: LoggedContainer, fd: int) -> None:
        del container.streams[fd]
        del self._of_stream[fd]
        with contextlib.suppress(OSError):
            self._poll.unregister(fd)
        os.close(fd)
        if container.streams:
            return
        for connection in container.waiting:
            _answer(connection, "")
        container.waiting.clear()
        for client in tuple(container.clients.values()):
            self._drop(container, client)

    # -- clients of attach

    def _on_client(self, fd: int) -> None:
        container = self._of_client[fd]
        client = container.clients[fd]
        if not client.message or not client.send(client.message):  # it never sends anything: what comes is its end
            self._drop(container, client)
        self._read_or_wait(container)

    def _read_or_wait(self, container: LoggedContainer) -> None:
        """While a client has not taken a message, nothing more is read for it."""
        waits = any(client.message for client in container.clients.values())
        if waits != container.waits:
            container.waits = waits
            for fd in container.streams:  # a mask of 0 would still report that the writers are gone, again and again
                if waits:
                    self._poll.unregister(fd)
                else:
                    self._poll.register(fd, select.EPOLLIN)
        for fd, client in container.clients.items():
            self._poll.modify(fd, select.EPOLLOUT if client.message else select.EPOLLIN)

    def _drop(self, container: LoggedContainer, client: AttachedConnection) -> None:
        fd = client.connection.fileno()
        del container.clients[fd]
        del self._of_client[fd]
        self._poll.unregister(fd)
        client.connection.close()

    def _drop_stalled(self) -> None:
        now = time.monotonic()
        for container in self._containers.values():
            stalled = [one for one in container.clients.values() if one.message and one.deadline <= now]
            for client in stalled:
                self._drop(container, client)
            if stalled:
                self._read_or_wait(container)


def _answer(connection: socket.socket, error: str) -> None:
    with contextlib.suppress(OSError):
        connection.send(json.dumps({"error": error}).encode())
    connection.close()


def main() -> int:
    """Serve the socket that the daemon gave."""
    os.umask(0)
    listener = socket.socket(fileno=LISTENER_FD)
    listener.setblocking(False)
    Writer(listener).run()
    return 0
