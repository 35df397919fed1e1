"""Many pods that start at once, a restart of the daemon, and many pods that end at once."""

from __future__ import annotations

import asyncio
import time

from podwright.bench import processes
from podwright.bench.recorder import MS, PER_SECOND
from podwright.bench.suites.base import Bench, seconds_since
from podwright.bench.suites.start import PODS_PER_S
from podwright.errors import DeadlineExceeded, FailedPrecondition, Internal, PodwrightError
from podwright.process import Command, PosixProcessRunner

RESTART = "daemon restart"
PODS_ENDED_PER_S = "pods ended/s"
RESTART_LIMIT_S = 120.0
POLL_S = 0.002


async def measure(bench: Bench) -> None:
    """One burst of each size."""
    await bench.warm_up()
    for count in bench.options.bursts:
        began = time.perf_counter()
        pods = await bench.start_pods(count, count, at={"at_once": count})
        wall_s = seconds_since(began)
        bench.sheet.add(PODS_PER_S, len(pods) / wall_s, PER_SECOND, at={"at_once": count})
        if bench.target.options.restart:
            await bench.sheet.counted(RESTART, lambda: _restart(bench, len(pods)), at={"pods": len(pods)})  # noqa: B023 # at once
        else:
            bench.sheet.gap("daemon restart: no command to restart it was given")
        began = time.perf_counter()
        await bench.end_pods(pods, count, at={"at_once": count})
        bench.sheet.add(PODS_ENDED_PER_S, len(pods) / seconds_since(began), PER_SECOND, at={"at_once": count})
        if wall_s > bench.options.step_limit_s and count != bench.options.bursts[-1]:
            bench.sheet.gap(f"more than {count} pods at once: {count} took {wall_s:.0f} s")
            break


async def _restart(bench: Bench, pods: int) -> None:
    """From the restart command until a list shows the pods again. Raises DeadlineExceeded, FailedPrecondition."""
    began = time.perf_counter()
    command = Command(argv=bench.target.options.restart, timeout_s=RESTART_LIMIT_S)
    done = await PosixProcessRunner().run(command)
    if done.returncode != 0:
        raise FailedPrecondition(f"{command} ended with {done.returncode}: {done.error_text()}")
    listed = await _listed(bench)
    bench.sheet.add(RESTART, seconds_since(began) * 1000, MS, at={"pods": pods})
    if listed != pods:
        raise Internal(f"{pods - listed} of {pods} pods were lost in a restart")


async def _listed(bench: Bench) -> int:
    """The number of pods in the daemon's list once it answers again."""
    deadline = time.monotonic() + RESTART_LIMIT_S
    while True:
        try:
            processes.listening_process(bench.target.options.endpoint)
            await bench.target.reconnect()  # gRPC would wait for a second before its next try
            return await bench.target.relist()
        except (OSError, PodwrightError) as failure:
            if time.monotonic() > deadline:
                raise DeadlineExceeded(f"the daemon did not come back in {RESTART_LIMIT_S:g} s") from failure
        await asyncio.sleep(POLL_S)
