"""A child process that runs beside us, with its output in a file and a bounded stop.

Used for every server that the tools and tests start (docker-registry, containerd, podwright). It owns the
process and nothing else: directories, mounts and sockets belong to whoever starts it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from podwright.conformance.patience import patient

POLL_S = patient(0.01)
STOP_TIMEOUT_S = patient(60.0)


class StartError(RuntimeError):
    """A server ended, or did not answer in time; the message carries the end of its log."""


class Background:
    """One child in its own session, so that Ctrl-C in a terminal reaches us and not it."""

    def __init__(self, argv: Sequence[str], *, log: Path, env: Mapping[str, str] | None = None) -> None:
        """Start `argv`; stdout and stderr are appended to `log`."""
        self.argv = list(argv)
        self.log = log
        with log.open("ab") as out:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=None if env is None else dict(env),
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """The exit code; minus the signal's number after a signal; None while it runs."""
        return self._process.poll()

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """SIGTERM, then SIGKILL when `timeout_s` has passed. Returns the exit code."""
        self.signal(signal.SIGTERM)
        try:
            return self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            return self.kill9()

    def kill9(self) -> int:
        """SIGKILL at once. Returns the exit code."""
        self.signal(signal.SIGKILL)
        return self._process.wait(STOP_TIMEOUT_S)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when the child has ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def log_tail(self, size_bytes: int = 4096) -> str:
        """The end of the log, for error messages."""
        with self.log.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - size_bytes))
            return file.read().decode(errors="replace")

    def wait_ready(self, ready: Callable[[], bool], *, timeout_s: float) -> None:
        """Wait until `ready` holds. Raises StartError when the child ends or the time is over; stops it then."""
        deadline = time.monotonic() + timeout_s
        while not ready():
            if self.returncode is not None:
                raise StartError(f"{self.argv[0]} ended with {self.returncode}:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.stop()
                raise StartError(f"{self.argv[0]} did not answer within {timeout_s} s:\n{self.log_tail()}")
            time.sleep(POLL_S)
