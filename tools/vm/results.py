"""The outcome of every test on one host with one cgroup driver: kept in a file as it comes, counted at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from tools.vm.recorder import MARK


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of one test. `outcome` is passed, failed, skipped or xfailed."""

    test: str
    outcome: str
    seconds: float
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Numbers of tests of a suite by outcome. `complete` if the suite reached its end."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    xfailed: int = 0
    complete: bool = False


def parse(line: str) -> Outcome | None:
    """A line of the recorder's, else None. Pure."""
    if not line.startswith(MARK):
        return None
    return Outcome(**json.loads(line.removeprefix(MARK)))


class Journal:
    """Outcomes in a file, a line each."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def add(self, outcome: Outcome) -> None:
        """Keep it."""
        with self._path.open("a") as file:
            file.write(f"{json.dumps(asdict(outcome))}\n")

    def outcomes(self) -> list[Outcome]:
        """All so far, the last one of each test."""
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        return last_of_each(Outcome(**json.loads(line)) for line in lines)

    def forget(self) -> None:
        """Drop them all."""
        self._path.unlink(missing_ok=True)

    def settled(self) -> list[str]:
        """Tests that need not run again: all but those that failed."""
        return [outcome.test for outcome in self.outcomes() if outcome.outcome != "failed"]


def last_of_each(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """A test that passed and whose end then failed has two outcomes: it failed, until it runs again. Pure."""
    latest: dict[str, Outcome] = {}
    for outcome in outcomes:
        latest[outcome.test] = outcome
    return list(latest.values())


def skip_reasons(outcomes: Iterable[Outcome]) -> dict[str, int]:
    """Why tests were skipped, and how many for each reason. Pure.

    pytest says a place and the reason as Python writes a tuple: `('tests/a.py', 7, 'Skipped: no AppArmor')`.
    """
    reasons = (each.reason.partition("Skipped: ")[2].rstrip("')\"") for each in outcomes if each.outcome == "skipped")
    return dict(sorted(Counter(reasons).items()))


def counted(outcomes: Iterable[Outcome], *, complete: bool) -> Counts:
    """Pure."""
    numbers = {"passed": 0, "failed": 0, "skipped": 0, "xfailed": 0}
    for outcome in outcomes:
        numbers[outcome.outcome] += 1
    return Counts(**numbers, complete=complete)
