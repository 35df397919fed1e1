"""A terminal that keeps what it shows, and when: commands are typed into it and run on a pseudo-terminal."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyte

READ_SIZE = 65536
POLL_S = 0.02
KEY_S = 0.035  # one typed character
RETURN_S = 0.35  # between the last character and the return key
PROMPT = "\x1b[1;32m$\x1b[0m "


class RecordingFailed(Exception):
    """A command of the session did not do what the session promises."""


class Style(NamedTuple):
    """The look of a run of characters. Colours are pyte's names or six hexadecimal digits."""

    colour: str
    bold: bool


class Run(NamedTuple):
    """Characters of one line that look alike, and the column of the first."""

    column: int
    text: str
    style: Style


Line = tuple[Run, ...]


@dataclass(frozen=True, slots=True)
class Frame:
    """The screen from `at_s` on, in seconds since the recording began."""

    at_s: float
    lines: tuple[Line, ...]


class Terminal:
    """A screen of fixed size with a clock that stands still while nothing changes for long."""

    def __init__(self, *, columns: int, rows: int, longest_pause_s: float) -> None:
        """A pause of the real commands that is longer than `longest_pause_s` is shown as that long."""
        self.columns, self.rows = columns, rows
        self.frames: list[Frame] = []
        self._screen = pyte.Screen(columns, rows)
        self._screen.set_mode(pyte.modes.LNM)
        self._stream = pyte.ByteStream(self._screen)
        self._longest_pause_s = longest_pause_s
        self._now_s = 0.0

    def pause(self, seconds: float) -> None:
        """Let what is on the screen stand."""
        self._now_s += seconds

    def type(self, command: str) -> None:
        """Show the prompt and the command, a key at a time."""
        self._show(PROMPT.encode())
        for key in command:
            self._now_s += KEY_S
            self._show(key.encode())
        self._now_s += RETURN_S
        self._show(b"\n")

    def run(self, argv: Sequence[str], *, until: Callable[[str], bool] | None = None, timeout_s: float) -> None:
        """Run a command and show its output; with `until`, press Ctrl-C once it is true of the text on the screen.

        Raises RecordingFailed when the command fails, or does not end in time.
        """
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", self.rows, self.columns, 0, 0))
        process = subprocess.Popen(
            argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=dict(os.environ, TERM="xterm")
        )
        os.close(slave)
        try:
            self._follow(process, master, until, time.monotonic() + timeout_s)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()
            os.close(master)
        if process.returncode:
            raise RecordingFailed(f"{' '.join(argv)} ended with {process.returncode}:\n{self.text()}")

    def text(self) -> str:
        """The screen's text now."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def _follow(
        self, process: subprocess.Popen[bytes], master: int, until: Callable[[str], bool] | None, deadline: float
    ) -> None:
        shown = time.monotonic()
        while True:
            if time.monotonic() > deadline:
                raise RecordingFailed(f"{process.args!r} has not ended:\n{self.text()}")
            if select.select([master], [], [], POLL_S)[0]:
                try:
                    output = os.read(master, READ_SIZE)
                except OSError:  # EIO: the last holder of the other end is gone
                    process.wait()
                    return
                self._now_s += min(time.monotonic() - shown, self._longest_pause_s)
                shown = time.monotonic()
                self._show(output)
            if until is not None and until(self.text()):
                until = None
                self._show(b"^C")
                process.send_signal(signal.SIGINT)

    def _show(self, output: bytes) -> None:
        self._stream.feed(output)
        lines = tuple(self._line(row) for row in range(self.rows))
        if not self.frames or self.frames[-1].lines != lines:
            self.frames.append(Frame(self._now_s, lines))

    def _line(self, row: int) -> Line:
        runs: list[Run] = []
        cells = self._screen.buffer[row]
        for column in range(self.columns):
            cell = cells[column]
            style = Style(cell.fg, cell.bold)
            if runs and runs[-1].style == style:
                runs[-1] = runs[-1]._replace(text=runs[-1].text + cell.data)
            else:
                runs.append(Run(column, cell.data, style))
        return tuple(_trimmed(run) for run in runs if run.text.strip())


def _trimmed(run: Run) -> Run:
    text = run.text.strip()
    return Run(run.column + run.text.index(text[0]), text, run.style)
