"""A reporter that remembers."""

from __future__ import annotations

import io

from podwright.agent.run.reporter import PlainReporter


class Recorder(PlainReporter):
    """Everything in one list of lines, so that the order of both streams is seen."""

    def __init__(self) -> None:
        self.stream = io.StringIO()
        super().__init__(out=self.stream, err=self.stream)

    @property
    def lines(self) -> list[str]:
        return self.stream.getvalue().splitlines()
