"""This terminal: raw mode that is always undone, its size, and changes of its size."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import termios
import tty
from collections.abc import AsyncIterator, Iterator

from podwright.cli.failures import Leave
from podwright.errors import InvalidArgument
from podwright.streams.remote_command.resize import TerminalSize

STDIN, STDOUT, STDERR = 0, 1, 2
# Signals that would kill the process and leave the terminal in raw mode.
DEADLY = (signal.SIGHUP, signal.SIGQUIT)


def check_terminal(*, interactive: bool) -> None:
    """Raises InvalidArgument unless there is a terminal for a command."""
    fd, name = (STDIN, "stdin") if interactive else (STDOUT, "stdout")
    if not os.isatty(fd):
        raise InvalidArgument(f"-t needs a terminal, and {name} is not one", hint="omit -t")


@contextlib.contextmanager
def raw_mode(fd: int = STDIN) -> Iterator[None]:
    """Pass every key to the command, including Ctrl-C. The terminal is restored afterwards in all cases.

    Use it inside a running event loop. SIGHUP and SIGQUIT cancel the task, like SIGINT and SIGTERM.
    """
    saved = termios.tcgetattr(fd)
    with _cancelled_by_deadly_signals():
        try:
            tty.setraw(fd, termios.TCSANOW)  # TCSANOW keeps input that was typed ahead
            yield
        finally:
            with contextlib.suppress(termios.error):  # the terminal is gone
                termios.tcsetattr(fd, termios.TCSANOW, saved)


@contextlib.contextmanager
def _cancelled_by_deadly_signals() -> Iterator[None]:
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        if task is not None:
            task.cancel()

    for number in DEADLY:
        loop.add_signal_handler(number, stop, number)
    try:
        yield
    except asyncio.CancelledError:
        if received:
            raise Leave(128 + received[0]) from None
        raise
    finally:
        for number in DEADLY:
            loop.remove_signal_handler(number)


def size(fd: int) -> TerminalSize | None:
    """The terminal's size, or None."""
    try:
        columns, lines = os.get_terminal_size(fd)
    except OSError:
        return None
    return TerminalSize(width=columns, height=lines) if columns and lines else None


async def sizes(fd: int = STDOUT) -> AsyncIterator[TerminalSize]:
    """The current size, and each later one."""
    changed = asyncio.Event()
    changed.set()
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGWINCH, changed.set)
    try:
        while await changed.wait():
            changed.clear()
            if (now := size(fd)) is not None:
                yield now
    finally:
        loop.remove_signal_handler(signal.SIGWINCH)
