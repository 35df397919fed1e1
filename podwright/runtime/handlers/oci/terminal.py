"""The terminal of an exec: how we get its master, and what we do with it.

crun makes the terminal inside the container and sends its master over a socket. Other runtimes can do so only when
they detach, and then the exit code is lost. So they copy between the container's terminal and one of ours.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import socket
import struct
import termios

from podwright.errors import DeadlineExceeded
from podwright.linux.files import remove_file
from podwright.process import Process

SIZE_LIMIT = 0xFFFF
MESSAGE_BYTES = 4096  # of the name that comes with the descriptor


class ConsoleSocket:
    """Where a runtime sends the master of a terminal that it made.

    The socket's path may be longer than a socket's address can hold, so both sides reach it through its directory's
    descriptor.
    """

    def __init__(self, path: str) -> None:
        """Listens at `path`, which `close` removes. Raises OSError."""
        self._path = path
        self._directory = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        self._connection: socket.socket | None = None
        self._news = asyncio.Event()
        self._name = os.path.basename(path)
        self._socket.bind(f"/proc/self/fd/{self._directory}/{self._name}")
        self._socket.listen(1)

    def address(self, number: int) -> str:
        """The socket's path for a child that has `directory` as its descriptor `number`."""
        return f"/proc/self/fd/{number}/{self._name}"

    @property
    def directory(self) -> int:
        """The descriptor that the child needs."""
        return self._directory

    async def master(self, runtime: Process, timeout_s: float) -> int:
        """The terminal's master, as soon as it is sent, or -1 if the runtime ended without sending one.

        Raises DeadlineExceeded if it hangs.
        """
        ending = asyncio.create_task(runtime.wait(), name="wait for a runtime")
        ending.add_done_callback(lambda _: self._news.set())
        loop = asyncio.get_running_loop()
        loop.add_reader(self._socket, self._news.set)
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    ended = ending.done()  # looked at first: what it sent before its end is there now
                    self._news.clear()
                    if (master := self._take()) >= 0 or ended:
                        return master
                    await self._news.wait()
        except TimeoutError as late:
            raise DeadlineExceeded("exec: the OCI runtime sends no terminal") from late
        finally:
            ending.cancel()
            for each in (self._socket, self._connection):
                if each is not None:
                    loop.remove_reader(each)

    def _take(self) -> int:
        """The descriptor that was sent, or -1."""
        loop = asyncio.get_running_loop()
        try:
            if self._connection is None:
                self._connection, _ = self._socket.accept()
                self._connection.setblocking(False)
                loop.remove_reader(self._socket)
                loop.add_reader(self._connection, self._news.set)
            name, descriptors, _, _ = socket.recv_fds(self._connection, MESSAGE_BYTES, 1)
        except BlockingIOError:
            return -1
        if not name:  # nothing more will come, which is news once
            loop.remove_reader(self._connection)
        return descriptors[0] if descriptors else -1

    def close(self) -> None:
        """Stop listening and remove the socket."""
        if self._connection is not None:
            self._connection.close()
        self._socket.close()
        os.close(self._directory)
        remove_file(self._path)


def open_passed_through() -> tuple[int, int]:
    """(master, slave) of a terminal that only passes on what the runtime copies: it echoes and edits nothing.

    It still turns newlines into CR LF, because runc leaves that to its caller's terminal.
    """
    master, slave = os.openpty()
    settings = termios.tcgetattr(slave)
    settings[0] &= ~(termios.ICRNL | termios.IXON)
    settings[3] &= ~(termios.ECHO | termios.ICANON | termios.ISIG | termios.IEXTEN)
    termios.tcsetattr(slave, termios.TCSANOW, settings)
    return master, slave


def resize(master: int, width: int, height: int) -> None:
    """Set the window's size. The kernel signals the terminal's foreground processes. Invalid sizes are ignored."""
    if master >= 0 and 0 < width <= SIZE_LIMIT and 0 < height <= SIZE_LIMIT:
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))


def end_of_file(master: int) -> bytes:
    """What to type for an end of input: Ctrl-D, or nothing when the program reads raw keys."""
    if master < 0 or not termios.tcgetattr(master)[3] & termios.ICANON:
        return b""
    return b"\x04"
