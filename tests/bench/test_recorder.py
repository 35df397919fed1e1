"""Samples and failures, as they become measurements."""

from __future__ import annotations

from podwright.bench.recorder import Recorder
from podwright.errors import Unavailable


def test_samples_under_the_same_conditions_are_one_measurement() -> None:
    recorder = Recorder()
    sheet = recorder.sheet("start", "a")
    sheet.add_steps({"one": 1.0, "two": 2.0}, at={"pods": 1})
    sheet.add("one", 3.0, at={"pods": 1})
    sheet.add("one", 4.0, at={"pods": 2})
    recorder.sheet("start", "b").add("one", 5.0, at={"pods": 1})
    found = [(each.target, each.name, each.conditions, each.samples) for each in recorder.measurements()]
    assert found == [
        ("a", "one", {"pods": 1}, [1.0, 3.0]),
        ("a", "two", {"pods": 1}, [2.0]),
        ("a", "one", {"pods": 2}, [4.0]),
        ("b", "one", {"pods": 1}, [5.0]),
    ]


def test_outliers_are_kept() -> None:
    recorder = Recorder()
    sheet = recorder.sheet("start", "a")
    for value in (1.0, 1.0, 1.0, 1000.0):
        sheet.add("x", value)
    [measurement] = recorder.measurements()
    assert measurement.summary is not None
    assert (measurement.summary.max, measurement.summary.count) == (1000.0, 4)


async def test_failures_are_counted_and_told_once() -> None:
    async def fails() -> None:
        raise Unavailable("gone\naway")

    recorder = Recorder()
    sheet = recorder.sheet("exec", "a")
    for _ in range(3):
        await sheet.counted("x", fails)
    [measurement] = recorder.measurements()
    assert (measurement.failures, measurement.summary, measurement.samples) == (3, None, [])
    assert recorder.errors == ["exec, a: x: gone away"]


def test_gaps_are_told_once() -> None:
    recorder = Recorder()
    for _ in range(2):
        recorder.sheet("exec", "a").gap("nothing")
    assert recorder.gaps == ["exec, a: nothing"]
