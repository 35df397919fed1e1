"""A complete bench run: every suite on every target in turn, round after round, with nothing left behind.

The order in a round is A B C, so a slow phase of the machine affects all targets alike.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, datetime

from podwright import __version__
from podwright.bench.agents.program import describe_agent
from podwright.bench.machine import describe_machine
from podwright.bench.options import BenchOptions, TargetOptions
from podwright.bench.processes import listening_process
from podwright.bench.recorder import Recorder
from podwright.bench.results import FORMAT, BenchReport, TargetReport
from podwright.bench.settling import settle
from podwright.bench.suites import agent, density, exec, lifecycle, pull, relist, start  # noqa: A004 # CRI's word
from podwright.bench.suites.base import Bench
from podwright.bench.targets.base import BenchTarget
from podwright.errors import PodwrightError, Unavailable

Clock = Callable[[], datetime]
Tell = Callable[[str], None]
SUITES = {
    "start": start.measure,
    "density": density.measure,
    "relist": relist.measure,
    "exec": exec.measure,
    "pull": pull.measure,
    "lifecycle": lifecycle.measure,
    "agent": agent.measure,
}


def utc_now() -> datetime:
    """The current time of the wall clock."""
    return datetime.now(UTC)


async def run_bench(
    options: BenchOptions, targets: Sequence[TargetOptions], *, tell: Tell, clock: Clock = utc_now
) -> BenchReport:
    """Measure as `options` say. `tell` gets a line about each step.

    Raises InvalidArgument for bad options, and a target's failure before its first suite. Later failures are in the
    report. Every pod is removed before this returns, raises or is cancelled.
    """
    options.check()
    began, began_s = clock(), time.monotonic()
    machine = await describe_machine()
    recorder = Recorder()
    async with contextlib.AsyncExitStack() as stack:
        opened = [await stack.enter_async_context(_opened(each, options)) for each in targets]
        reports = [await _introduced(target, options, tell) for target in opened]
        for suite in options.suites:
            rounds = options.rounds_of(suite)
            for number in range(1, rounds + 1):
                for target in opened:
                    is_idle = await settle(options.settle_s)
                    busy = "" if is_idle or not options.settle_s else " (the machine is busy)"
                    tell(f"{suite}, round {number} of {rounds}: {target.options.name}{busy}")
                    await _run_suite(suite, target, recorder, options)
    return BenchReport(
        format=FORMAT,
        date=began.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        duration_s=round(time.monotonic() - began_s, 1),
        podwright_version=__version__,
        machine=machine,
        options=options,
        targets=reports,
        measurements=recorder.measurements(),
        gaps=recorder.gaps,
        errors=recorder.errors,
    )


@contextlib.asynccontextmanager
async def _opened(target: TargetOptions, options: BenchOptions) -> AsyncIterator[BenchTarget]:
    """A target whose pods and log files are removed at the end, also after a failure or a cancellation."""
    with tempfile.TemporaryDirectory(prefix="podwright-bench-", ignore_cleanup_errors=True) as log_root:
        opened = _target(target, options, log_root)
        try:
            yield opened
        finally:
            await asyncio.shield(_closed(opened))


async def _closed(target: BenchTarget) -> None:
    try:
        await target.sweep()
    finally:
        await target.close()


def _target(target: TargetOptions, options: BenchOptions, log_root: str) -> BenchTarget:
    if target.kind == "docker":
        from podwright.bench.targets.docker import DockerTarget  # noqa: PLC0415 # aiohttp is for Docker alone

        return DockerTarget(target, image=options.image)
    from podwright.bench.targets.cri import CriTarget  # noqa: PLC0415 # and gRPC for CRI

    return CriTarget(target, image=options.image, log_root=log_root)


async def _introduced(target: BenchTarget, options: BenchOptions, tell: Tell) -> TargetReport:
    """The target's version and process, after pulling the image. Raises a PodwrightError."""
    version = await target.version()
    mine = target.options
    tell(f"{mine.name}: {version.runtime_name} {version.runtime_version} at {mine.endpoint}")
    await target.ensure_image(options.image)
    return TargetReport(
        name=mine.name,
        kind=mine.kind,
        endpoint=mine.endpoint,
        handler=mine.handler,
        runtime_name=version.runtime_name,
        runtime_version=version.runtime_version,
        api_version=version.api_version,
        daemon_pid=_daemon(mine.endpoint),
        files=mine.files,
        agent=await describe_agent(mine.agent) if mine.agent and "agent" in options.suites else "",
    )


async def _run_suite(suite: str, target: BenchTarget, recorder: Recorder, options: BenchOptions) -> None:
    """One round of one suite on one target. Failures are recorded, and cleaned up before the next suite."""
    sheet = recorder.sheet(suite, target.options.name)
    try:
        bench = Bench(target=target, sheet=sheet, options=options, daemons=_daemons(target.options))
        await SUITES[suite](bench)
    except PodwrightError as failure:
        sheet.error(f"not finished: {failure}")
    with contextlib.suppress(PodwrightError):  # the next suite meets and reports the same problem
        await target.sweep()


def _daemons(target: TargetOptions) -> tuple[int, ...]:
    """The processes of the target and of the Engine below it. Empty if one is not known. Raises Unavailable."""
    found = [_daemon(endpoint) for endpoint in (target.endpoint, target.below) if endpoint]
    known = tuple(pid for pid in found if pid is not None)
    return known if len(known) == len(found) else ()


def _daemon(endpoint: str) -> int | None:
    """The daemon's process, if known. Raises Unavailable."""
    try:
        return listening_process(endpoint)
    except OSError as failure:
        raise Unavailable(f"cannot connect to {endpoint}: {failure.strerror}") from failure
