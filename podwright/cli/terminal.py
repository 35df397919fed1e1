"""The terminal that a person sits at: raw mode that is always undone, its size, and news of a new size."""

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
# Signals that would end the process without a word, and leave the terminal raw.
DEADLY = (signal.SIGHUP, signal.SIGQUIT)


def check_terminal(*, interactive: bool) -> None:
    """Whether there is one to lend to a command. Raises InvalidArgument."""
    fd, name = (STDIN, "stdin") if interactive else (STDOUT, "stdout")
    if not os.isatty(fd):
        raise InvalidArgument(f"-t needs a terminal, and {name} is none", hint="leave out -t")


@contextlib.contextmanager
def raw_mode(fd: int = STDIN) -> Iterator[None]:
    """Every key goes to the command as it is: Ctrl-C, too. The terminal is as before whichever way this is left.

    Inside a running event loop: SIGHUP and SIGQUIT cancel the task, as SIGINT and SIGTERM do anyway.
    """
    saved = termios.tcgetattr(fd)
    with _cancelled_by_deadly_signals():
        try:
            tty.setraw(fd, termios.TCSANOW)  # what was typed ahead is kept
            yield
        finally:
            with contextlib.suppress(termios.error):  # the terminal has gone
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
    """The terminal's size; None when it has none, or there is no terminal."""
    try:
        columns, lines = os.get_terminal_size(fd)
    except OSError:
        return None
    return TerminalSize(width=columns, height=lines) if columns and lines else None


async def sizes(fd: int = STDOUT) -> AsyncIterator[TerminalSize]:
    """The size as it is now, and each time that it changes."""
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
