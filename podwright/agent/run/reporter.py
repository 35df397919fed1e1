"""The interface by which a run reports to its user, and a `Reporter` that prints plain lines.

A run calls a `Reporter` and prints nothing itself. The CLI brings one with colours and bars. Calls come from the event
loop's thread, must not block for long and must not raise.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Literal, Protocol, TextIO

import msgspec

from podwright.agent.run.excerpt import excerpt
from podwright.api.pull_state import PullState, Seldom, describe_pull

PLAIN_INTERVAL_S = 10.0  # between two lines about a pull in progress

ContainerPhase = Literal["waiting", "created", "running", "ready", "not ready", "exited"]
PodPhase = Literal["Pending", "Running", "Stopping", "Succeeded", "Failed", "Stopped", "Detached"]


class ContainerChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of a container's state.

    `attempt` counts from 0. `reason` is that of the runtime or the agent (Completed, Error, OOMKilled,
    CrashLoopBackOff). `exit_code` is set for "exited". `message` may be long and have several lines. `pod` is the
    pod's name in a run of several pods, empty in a run of one.
    """

    container: str
    phase: ContainerPhase
    pod: str = ""
    attempt: int = 0
    init: bool = False
    reason: str = ""
    exit_code: int | None = None
    message: str = ""

    @property
    def label(self) -> str:
        """The container's name for people."""
        return container_label(self.pod, self.container)


class LogLine(msgspec.Struct, frozen=True, kw_only=True):
    """One complete line of a container, without its line end. `time` is RFC 3339 as the runtime wrote it."""

    container: str
    stream: Literal["stdout", "stderr"]
    time: str
    text: str
    pod: str = ""  # as in ContainerChange

    @property
    def label(self) -> str:
        """The prefix of the line."""
        return container_label(self.pod, self.container)


def container_label(pod: str, container: str) -> str:
    """`POD/CONTAINER`, or only the container in a run of one pod."""
    return f"{pod}/{container}" if pod else container


class Reporter(Protocol):
    """Shows the course of a run."""

    def info(self, message: str) -> None:
        """Information: which endpoint, which pod, which address."""

    def warning(self, message: str) -> None:
        """A request of the manifest that is not carried out, or is carried out differently."""

    def error(self, message: str) -> None:
        """Why the run fails."""

    def pull_started(self, image: str) -> None:
        """A pull has begun. It is shown until `pull_finished` for the same image."""

    def pull_progress(self, image: str, state: PullState) -> None:
        """The progress of the pull, several times a second. Only Podwright's own runtime reports it."""

    def pull_finished(self, image: str, *, elapsed_s: float, size_bytes: int, error: str = "") -> None:
        """The pull has ended. `size_bytes` 0 means unknown. `error` is empty after a success."""

    def pod(self, name: str, phase: PodPhase, message: str = "") -> None:
        """The pod's phase has changed. `name` is namespace/name."""

    def container(self, change: ContainerChange) -> None:
        """A container's state has changed."""

    def log(self, line: LogLine) -> None:
        """A container wrote a line."""


@dataclass(slots=True)
class PlainReporter:
    """Prints plain lines: containers' output to `out`, everything else to `err`."""

    out: TextIO = field(default_factory=lambda: sys.stdout)
    err: TextIO = field(default_factory=lambda: sys.stderr)
    _lately: Seldom = field(default_factory=lambda: Seldom(PLAIN_INTERVAL_S))

    def _note(self, text: str) -> None:
        self.err.write(text + "\n")
        self.err.flush()

    def info(self, message: str) -> None:
        self._note(message)

    def warning(self, message: str) -> None:
        self._note(f"warning: {message}")

    def error(self, message: str) -> None:
        self._note(f"error: {message}")

    def pull_started(self, image: str) -> None:
        self._note(f"pulling {image}")

    def pull_progress(self, image: str, state: PullState) -> None:
        if self._lately.is_due(image):
            self._note(f"pulling {image}: {describe_pull(state)}")

    def pull_finished(self, image: str, *, elapsed_s: float, size_bytes: int, error: str = "") -> None:
        self._lately.forget(image)
        if not error:
            size = f", {size_bytes / 1e6:.1f} MB" if size_bytes else ""
            self._note(f"pulled {image} in {elapsed_s:.1f} s{size}")

    def pod(self, name: str, phase: PodPhase, message: str = "") -> None:
        self._note(f"pod {name}: {phase}" + (f" ({message})" if message else ""))

    def container(self, change: ContainerChange) -> None:
        self._note(describe(change))

    def log(self, line: LogLine) -> None:
        self.out.write(f"[{line.label}] {line.text}\n")
        self.out.flush()


def describe(change: ContainerChange) -> str:
    """One line about a change, for people."""
    kind = "init container" if change.init else "container"
    text = f"{kind} {change.label}: {change.phase}"
    if change.exit_code is not None:
        text += f" with code {change.exit_code}"
    if change.reason:
        text += f" ({change.reason})"
    if change.attempt:
        text += f", restart {change.attempt}"
    message = excerpt(change.message)
    return text + (f": {message}" if message else "")
