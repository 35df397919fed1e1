"""Collects the suites' samples. A `Recorder` holds a run, and each suite writes to the `Sheet` of one target."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import MappingProxyType

import msgspec

from podwright.bench.results import Measurement
from podwright.bench.stats import summarise
from podwright.errors import PodwrightError

MS = "ms"
PER_SECOND = "1/s"
BYTES = "bytes"
PERCENT_OF_CORE = "% of a core"
At = Mapping[str, int]  # the conditions of a sample, such as {"pods": 100}
NOWHERE: At = MappingProxyType({})
Key = tuple[str, str, str, str, tuple[tuple[str, int], ...]]


class _Recorded(msgspec.Struct):
    samples: list[float] = msgspec.field(default_factory=list)
    failures: int = 0


class Recorder:
    """All samples of a run."""

    def __init__(self) -> None:
        self._entries: dict[Key, _Recorded] = {}
        self.gaps: list[str] = []
        self.errors: list[str] = []

    def entry(self, key: Key) -> _Recorded:
        """The samples for a key. Creates the entry if necessary."""
        return self._entries.setdefault(key, _Recorded())

    def sheet(self, suite: str, target: str) -> Sheet:
        """The sheet of one suite on one target."""
        return Sheet(self, suite, target)

    def measurements(self) -> list[Measurement]:
        """All measurements, in the order of their first sample."""
        return [
            Measurement(
                suite=suite,
                target=target,
                name=name,
                unit=unit,
                conditions=dict(at),
                summary=summarise(entry.samples) if entry.samples else None,
                failures=entry.failures,
                samples=[round(value, 6) for value in entry.samples],
            )
            for (suite, target, name, unit, at), entry in self._entries.items()
        ]


class Sheet:
    """The samples of one suite on one target."""

    def __init__(self, recorder: Recorder, suite: str, target: str) -> None:
        self._recorder = recorder
        self._suite = suite
        self._target = target

    def of(self, suite: str) -> Sheet:
        """The sheet of another suite on the same target."""
        return Sheet(self._recorder, suite, self._target)

    def add(self, name: str, value: float, unit: str = MS, at: At = NOWHERE) -> None:
        """One sample."""
        self._entry(name, unit, at).samples.append(value)

    def add_steps(self, steps_ms: Mapping[str, float], at: At = NOWHERE) -> None:
        """One sample of each step, in milliseconds."""
        for name, value in steps_ms.items():
            self.add(name, value, at=at)

    def fail(self, name: str, why: PodwrightError, unit: str = MS, at: At = NOWHERE) -> None:
        """A failed attempt without a sample."""
        self._entry(name, unit, at).failures += 1
        self.error(f"{name}: {why}")

    def gap(self, text: str) -> None:
        """Record once that something is not measured on this target, and why."""
        line = f"{self._suite}, {self._target}: {text}"
        if line not in self._recorder.gaps:
            self._recorder.gaps.append(line)

    def error(self, text: str) -> None:
        """Record an error once."""
        line = f"{self._suite}, {self._target}: {' '.join(text.split())}"
        if line not in self._recorder.errors:
            self._recorder.errors.append(line)

    async def counted(self, name: str, work: Callable[[], Awaitable[None]], at: At = NOWHERE) -> None:
        """Run it. A failure counts as a failure of `name` and does not stop the run."""
        try:
            await work()
        except PodwrightError as failure:
            self.fail(name, failure, at=at)

    def _entry(self, name: str, unit: str, at: At) -> _Recorded:
        return self._recorder.entry((self._suite, self._target, name, unit, tuple(sorted(at.items()))))
