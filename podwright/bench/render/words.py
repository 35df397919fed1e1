"""The text around the numbers: machine, targets, method, and what is not measured. Pure."""

from __future__ import annotations

from podwright.bench.results import BenchReport

GIB = 1024**3

METHOD = """\
Every suite runs on each target in turn, round after round (A B C, A B C). Warm-up pods are not counted.
Before each, the machine is given time to become idle (processors busy for less than 5 % of half a second).
Latencies are those of the calls, taken by one asyncio client on the same machine, which needs CPU time as well.
Cells show p50 / p90 / p99, or the median where there are fewer than ten samples; no outlier was left out.
Failed tries are counted and give no sample. All samples are in the JSON.
The 95 % interval of a median comes from order statistics and assumes no distribution.
A pod is a sandbox with its own network and one container.
`pod start` is RunPodSandbox + CreateContainer + StartContainer.
`teardown` is StopPodSandbox + RemovePodSandbox of a pod whose container runs, and is killed without a grace period.
Docker does the same work by its Engine API, without dockershim: a pause container on Docker's bridge (creating and \
starting it counts as RunPodSandbox), and a container that joins its network and IPC namespaces.
`daemon PSS` is that of the listening process with its descendants, `monitors' PSS` that of conmon or the shims.
A Docker Engine below a CRI server counts with the server: its daemons, its shims, and its CPU time.
`CPU per pod start` is that of daemon and monitors with the children that they waited for (runtimes, plugins).
Processes inside the pods, pause processes too, and the kernel's own threads are not counted.
A relist is ListPodSandbox and ListContainers without a filter; its CPU is the daemon's in a second with one relist.
Streams (exec, port-forward) are measured with the same Python client on every target.
A node agent (suite `agent`) gets pods as files in its manifest folder; its configuration evicts nothing.
A container's start is the runtime's own time of it; a manifest appears at its file's mtime, in the moment of a rename.
`the runtime's own pod start` lasts from RunPodSandbox to the container's start, of pods made before the agent started.
`added by the agent` is the time from the manifest to the container's start minus the median of the runtime's own.
`/pods` is asked every 5 ms for one pod, and for many every 20 ms, once the runtime has all of them.
An agent's CPU and memory are those of its process with its descendants; the runtime's are not in them.
An agent's restart lasts from SIGKILL until `/pods` calls all pods running again.
A daemon restart lasts from the request to stop it until a list shows all pods again.
""".splitlines()


def machine_line(report: BenchReport) -> str:
    """One line about the machine."""
    machine = report.machine
    memory = f"{machine.memory_bytes / GIB:.0f} GiB"
    cpus = f"{machine.cpus} x {machine.cpu_model or 'CPU'}"
    return f"{machine.system}, kernel {machine.kernel}, {cpus}, {memory}; load {machine.load_1min} at the beginning"


def head_lines(report: BenchReport) -> list[str]:
    """Date, version and machine."""
    options = report.options
    return [
        f"{report.date}, {report.duration_s:.0f} s; rounds: "
        + ", ".join(f"{options.rounds_of(suite)} of {suite}" for suite in options.suites),
        f"Podwright {report.podwright_version} on Python {report.machine.python}",
        machine_line(report),
        *report.options.notes,
    ]


def target_lines(report: BenchReport) -> list[str]:
    """One line for each target."""
    return [
        f"{target.name}: {target.runtime_name} {target.runtime_version}, {target.api_version}"
        + (f", handler {target.handler}" if target.handler else "")
        + (f", pods by {target.agent}" if target.agent else "")
        for target in report.targets
    ]


def image_lines(report: BenchReport) -> list[str]:
    """The images of the suite `pull`."""
    return [
        f"image {number}: {image.partition('/')[2] or image}"
        for number, image in enumerate(report.options.pull_images, 1)
    ]
