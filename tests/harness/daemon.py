"""A server on private directories: started, asked whether it answers, stopped, killed.

Subclasses say how to start theirs, how to ask it, and what to clean up. Everything here is blocking; fixtures call it
before and after the tests' event loop runs, and a test that calls it (kill9) stands still meanwhile on
purpose.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from podwright.conformance.patience import patient
from tests.harness.scratch import Part
from tools.background import Background, StartError


class Daemon:
    """A server on a part of the scratch space. Use as a context manager, or call `close`."""

    name = ""
    start_s = patient(60.0)  # how long it may take until it answers
    stop_s = patient(60.0)  # how long it may take after SIGTERM

    def __init__(self, part: Part) -> None:
        """Take the part; subclasses write their configuration there."""
        self.part = part
        self.socket = part.directory / "s.sock"
        self.log = part.directory / f"{self.name}.log"
        self._process: Background | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        """The URL of its socket."""
        return f"unix://{self.socket}"

    @property
    def directory(self) -> Path:
        """All its files."""
        return self.part.directory

    @property
    def process(self) -> Background:
        """The running process. Raises RuntimeError when it was not started."""
        if self._process is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._process

    @property
    def runs(self) -> bool:
        """Whether it was started and not stopped."""
        return self._process is not None

    def argv(self) -> Sequence[str]:
        """The command line; subclasses define it."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether it answers now; subclasses define it."""
        raise NotImplementedError

    def close(self) -> None:
        """Remove what runs on it, stop it, and take away all that it leaves; subclasses define it."""
        raise NotImplementedError

    def start(self) -> None:
        """Start it and wait until it answers. Raises StartError."""
        self.spawn()
        try:
            self.process.wait_ready(self.answers, timeout_s=self.start_s)
        except StartError:
            self._process = None
            raise

    def spawn(self) -> None:
        """Start it and do not wait."""
        self._process = Background(self.argv(), log=self.log)

    def stop(self) -> int:
        """SIGTERM, SIGKILL after a while. Containers are meant to live on. Returns the exit code."""
        code = self.process.stop(timeout_s=self.stop_s)
        self._process = None
        return code

    def kill9(self) -> None:
        """SIGKILL to the server alone."""
        self.process.kill9()
        self._process = None
