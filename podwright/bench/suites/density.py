"""How a pod's cost grows with the number of pods, and with the containers in a pod."""

from __future__ import annotations

from collections.abc import Sequence

from podwright.bench.recorder import BYTES
from podwright.bench.suites import growth, relist
from podwright.bench.suites.base import DAEMON_PSS, MONITORS_PSS, POD_START, TEARDOWN, Bench
from podwright.bench.targets.base import StartedPod
from podwright.bench.timing import timed_ms

PROBES = 5


async def measure(bench: Bench) -> None:
    """The growth in pods, with the relist if requested, then one pod with many containers."""
    await growth.grow(bench, (probe, relist.probe) if "relist" in bench.options.suites else (probe,))
    await containers(bench)


async def probe(bench: Bench, pods: Sequence[StartedPod]) -> None:
    """Memory, and a few pods, execs and teardowns one at a time beside the existing pods."""
    footprint = await bench.footprint(pods)
    if footprint and pods:
        bench.sheet.add(DAEMON_PSS, footprint.daemon_bytes, BYTES, at={"pods": len(pods)})
        bench.sheet.add(MONITORS_PSS, footprint.monitors_bytes / len(pods), BYTES, at={"pods": len(pods)})
    for _ in range(PROBES):
        await bench.sheet.counted(POD_START, lambda: _one_more(bench, len(pods)), at={"pods": len(pods)})


async def _one_more(bench: Bench, pods: int) -> None:
    pod = await bench.target.start_pod()
    bench.sheet.add(POD_START, pod.sum_ms, at={"pods": pods})
    _, exec_ms = await timed_ms(bench.target.exec_sync(pod.container_id))
    bench.sheet.add("ExecSync", exec_ms, at={"pods": pods})
    bench.sheet.add(TEARDOWN, sum((await bench.target.end_pod(pod)).values()), at={"pods": pods})


async def containers(bench: Bench) -> None:
    """Containers added to one pod, and the pod's end. Raises a PodwrightError if the pod does not start."""
    pod = await bench.target.start_pod()
    for number in range(2, bench.options.containers + 1):
        added = await bench.target.add_container(pod, f"more-{number}")
        bench.sheet.add("container start", sum(added.steps_ms.values()), at={"containers": number})
    steps_ms = await bench.target.end_pod(pod)
    bench.sheet.add(TEARDOWN, sum(steps_ms.values()), at={"containers": bench.options.containers})
