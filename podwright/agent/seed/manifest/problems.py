"""What is wrong with a manifest: collected with field paths, raised as one error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from podwright.errors import InvalidArgument


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault; `path` is a field path such as `spec.containers[0].image`, or empty for the whole document."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ManifestError(InvalidArgument):
    """The file cannot be run as it stands."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))
