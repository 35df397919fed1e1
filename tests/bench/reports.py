"""A small report, as if two targets had been measured."""

from __future__ import annotations

from podwright.bench.machine import BenchMachine
from podwright.bench.options import BenchOptions
from podwright.bench.recorder import BYTES, PER_SECOND, Recorder
from podwright.bench.results import FORMAT, BenchReport, TargetReport
from podwright.errors import Unavailable

MIB = 1024 * 1024


def sample_report() -> BenchReport:
    """Everything that a page shows occurs in it: gaps, failures, few and many samples, a value that is missing."""
    recorder = Recorder()
    for name, factor in (("fast", 1.0), ("slow", 5.0)):
        start, density = recorder.sheet("start", name), recorder.sheet("density", name)
        for number in range(20):
            start.add("pod start", factor * (20 + number), at={"concurrency": 1})
        start.add("pods/s", 40 / factor, PER_SECOND, at={"concurrency": 4})
        start.add("daemon PSS", 40 * factor * MIB, BYTES, at={"pods": 0})
        for pods in (10, 50):
            density.add("monitors' PSS per pod", 0.5 * factor * MIB, BYTES, at={"pods": pods})
    recorder.sheet("density", "fast").add("monitors' PSS per pod", MIB, BYTES, at={"pods": 100})
    slow = recorder.sheet("exec", "slow")
    slow.fail("ExecSync", Unavailable("gone <away>"), at={"concurrency": 1})
    slow.gap("port-forward: it | has none")
    return BenchReport(
        format=FORMAT,
        date="2026-01-02T03:04:05Z",
        duration_s=12.0,
        podwright_version="1",
        machine=BenchMachine(
            system="Linux", kernel="6", architecture="x86_64", cpu_model="CPU", cpus=2, memory_bytes=2**34,
            load_1min=0.1, python="3.11", programs={"runc": "runc version 1"},
        ),
        options=BenchOptions(pull_images=("registry/large:1",), notes=("a note",)),
        targets=[target("fast"), target("slow")],
        measurements=recorder.measurements(),
        gaps=recorder.gaps,
        errors=recorder.errors,
    )  # fmt: skip


def target(name: str) -> TargetReport:
    """A target by name."""
    return TargetReport(
        name=name, kind="cri", endpoint="unix:///x", handler="", runtime_name=f"{name}d", runtime_version="1.0",
        api_version="v1", daemon_pid=1, files={"config.toml": "<a> = 1\n"},
    )  # fmt: skip
