"""The node's log writer: a program that reads the output of shims' containers and writes their logs in CRI's format.

A shim copies a container's output to fifos, and whoever reads them must not go away: a full fifo stops the container.
So it is not the daemon that reads, but this process, which outlives it. One serves all containers of a node: its
memory is spent once, and starting a container costs one message. If it is killed, nothing is lost either: the shim
keeps the fifos open, and the daemon starts another writer.

It is started with a listening socket (SOCK_SEQPACKET) as descriptor 3. Each connection sends one JSON object:

    {"do": "open", "id", "log", "limit", "streams": {"stdout": FIFO, ...}}
                              read these from now on. A known id stays as it is. A limit is for the log, in bytes
    {"do": "reopen", "id"}    write to a new file at the log's path, unless the one there is ours already
    {"do": "drained", "id"}   answered when the streams have ended and all is in the log
    {"do": "attach", "id"}    after the answer, output comes as messages: a byte (1 stdout, 2 stderr) and data
    {"do": "close", "id"}     forget it
    {"do": "end"}             end, if there are no containers
    {"do": "leave"}           end at once: another writer reads on

and gets {"error": ""} or a reason. Without containers it ends by itself after IDLE_S.

Standard library only, so that it starts fast and stays small.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import socket
import stat
import sys
import time
from collections.abc import Iterable

LISTENER_FD = 3
CHUNK_BYTES = 65536
LINE_LIMIT_BYTES = 16384  # as containerd: longer lines are parts
REQUEST_LIMIT_BYTES = 65536
STALL_S = 5.0  # for a client of attach that does not read; the container waits so long
IDLE_S = 30.0
ALIVE_S = 60.0
CODES = {"stdout": b"\1", "stderr": b"\2"}
LOG_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
LOG_MODE = 0o640


def records(stream: str, data: bytes, now_ns: int) -> bytes:
    """Output of one stream as records of the log, with nothing held back: what has no newline yet is a part."""
    seconds, fraction = divmod(now_ns, 10**9)
    at = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)).encode()
    prefix = b"%s.%09dZ %s " % (at, fraction, stream.encode())
    full, part = prefix + b"F ", prefix + b"P "
    *lines, rest = data.split(b"\n")
    if max(map(len, lines), default=0) <= LINE_LIMIT_BYTES:  # as a rule
        whole = full + (b"\n" + full).join(lines) + b"\n" if lines else b""
    else:
        whole = b"".join(piece for line in lines for piece in _pieces(line, full, part))
    return whole + b"".join(_pieces(rest, part, part)) if rest else whole


def _pieces(line: bytes, last: bytes, part: bytes) -> list[bytes]:
    """A line as records, of which all but the last are parts."""
    if len(line) <= LINE_LIMIT_BYTES:
        return [last + line + b"\n"]
    cuts = range(0, len(line), LINE_LIMIT_BYTES)
    pieces = [line[at : at + LINE_LIMIT_BYTES] for at in cuts]
    return [part + piece + b"\n" for piece in pieces[:-1]] + [last + pieces[-1] + b"\n"]


class Log:
    """The file of one container. A full disk loses output. It does not stop the container."""

    def __init__(self, path: str, limit_bytes: int = 0) -> None:
        """An empty path drops the output, and so does a `limit_bytes` that is reached. Raises OSError."""
        self._path = path
        self._room_bytes = limit_bytes or sys.maxsize
        self._fd = self._open() if path else -1

    def _open(self) -> int:
        fd = os.open(self._path, LOG_FLAGS, LOG_MODE)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(f"{self._path} is not a file")
        return fd

    def write(self, data: bytes) -> None:
        """Append it."""
        if self._fd < 0 or len(data) > self._room_bytes:
            return
        self._room_bytes -= len(data)
        rest = memoryview(data)
        with contextlib.suppress(OSError):
            while rest:
                rest = rest[os.write(self._fd, rest) :]

    def reopen(self) -> None:
        """Raises OSError. The old file is written on then."""
        if self._fd < 0:
            return
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(self._path, follow_symlinks=False), os.fstat(self._fd)):
                return
        new = self._open()
        os.close(self._fd)
        self._fd = new

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


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
            raise TypeError("streams is no object")
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


if __name__ == "__main__":
    sys.exit(main())
