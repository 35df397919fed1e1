"""Reporters that remember: the lines that a person sees, or each call by its kind."""

from __future__ import annotations

import io
from dataclasses import dataclass, field

from podwright.agent.run.reporter import ContainerChange, LogLine, PlainReporter, PodPhase
from podwright.api.pull_state import PullState


class Recorder(PlainReporter):
    """Everything in one list of lines, so that the order of both streams is seen."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        super().__init__(out=self.stream, err=self.stream)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()


@dataclass(slots=True)
class RecordingReporter:
    """Everything that a run reported, by kind."""

    infos: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    pulls: list[tuple[str, str]] = field(default_factory=list)
    progress: list[PullState] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    changes: list[ContainerChange] = field(default_factory=list)
    lines: list[LogLine] = field(default_factory=list)

    def info(self, message: str) -> None:
        self.infos.append(message)

    def warning(self, message: str) -> None:
        self.warnings.append(message)

    def error(self, message: str) -> None:
        self.errors.append(message)

    def pull_started(self, image: str) -> None:
        self.pulls.append((image, "started"))

    def pull_progress(self, image: str, state: PullState) -> None:
        self.progress.append(state)

    def pull_finished(self, image: str, *, elapsed_s: float, size_bytes: int, error: str = "") -> None:
        self.pulls.append((image, error or "finished"))

    def pod(self, name: str, phase: PodPhase, message: str = "") -> None:
        self.phases.append(phase)

    def container(self, change: ContainerChange) -> None:
        self.changes.append(change)

    def log(self, line: LogLine) -> None:
        self.lines.append(line)

    def text(self, container: str) -> list[str]:
        """The lines that a container wrote."""
        return [line.text for line in self.lines if line.container == container]

    def states(self, container: str) -> list[str]:
        """The states that a container went through, with exit codes."""
        return [
            f"{change.phase}:{change.exit_code}" if change.exit_code is not None else change.phase
            for change in self.changes
            if change.container == container
        ]
