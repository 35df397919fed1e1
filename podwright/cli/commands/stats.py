"""`podwright stats`: resource usage of containers or pods."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Protocol, TypeVar

import click

from podwright.cli import lookup, options, table
from podwright.cli.connection import connected, run_async
from podwright.cli.invocation import Invocation, pass_invocation
from podwright.cli.output import as_data, print_data
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api

COLUMNS = ("CONTAINER", "NAME", "POD", "CPU %", "MEMORY", "SWAP", "DISK", "FILES")
POD_COLUMNS = ("POD ID", "NAME", "NAMESPACE", "CPU %", "MEMORY", "PROCESSES", "RECEIVED", "SENT")
SAMPLE_S = 1.1  # between two calls, if the runtime has no rate yet: Podwright's shortest window is a second
NANO = 1_000_000_000

Stats = TypeVar("Stats", api.ContainerStats, api.PodSandboxStats)
Listable_co = TypeVar("Listable_co", covariant=True)


@click.command("stats")
@click.option("--pods", is_flag=True, help="Show pods instead of containers.")
@click.option("--pod", "-p", help="Only this pod (id or name), or its containers.")
@options.label_option
@options.output_option()
@options.whole_ids_option
@pass_invocation
def command(
    invocation: Invocation, pods: bool, pod: str | None, labels: tuple[str, ...], output: str | None, no_trunc: bool
) -> None:
    """Show the resource usage of running containers.

    CPU is in percent of one core. Memory is the working set, which cannot be reclaimed without a loss. The runtime
    may need a second to measure the CPU usage.
    """
    selector = options.parse_labels(labels)
    if pods:
        run_async(_show_pods(invocation, pod, selector, output, whole=no_trunc))
    else:
        run_async(_show_containers(invocation, pod, selector, output, whole=no_trunc))


async def _show_containers(
    invocation: Invocation, pod: str | None, labels: dict[str, str], output: str | None, *, whole: bool
) -> None:
    async with connected(invocation) as cri:
        wanted = api.ContainerStatsFilter(label_selector=labels)
        if pod is not None:
            wanted.pod_sandbox_id = await lookup.find_pod(cri, pod)

        async def ask() -> api.ListContainerStatsResponse:
            return await cri.call(cri.runtime.ListContainerStats, api.ListContainerStatsRequest(filter=wanted))

        if output is not None:
            print_data(as_data(await ask()), output)
            return
        measured = await _measured(ask, lambda stats: stats.cpu)
        pods = await _pods_of_containers(cri)
    rows = [_container_row(stats, cpu, pods, whole=whole) for stats, cpu in measured]
    click.echo(table.render(COLUMNS, rows), nl=False)


async def _show_pods(
    invocation: Invocation, pod: str | None, labels: dict[str, str], output: str | None, *, whole: bool
) -> None:
    async with connected(invocation) as cri:
        wanted = api.PodSandboxStatsFilter(label_selector=labels)
        if pod is not None:
            wanted.id = await lookup.find_pod(cri, pod)

        async def ask() -> api.ListPodSandboxStatsResponse:
            return await cri.call(cri.runtime.ListPodSandboxStats, api.ListPodSandboxStatsRequest(filter=wanted))

        if output is not None:
            print_data(as_data(await ask()), output)
            return
        measured = await _measured(ask, lambda stats: stats.linux.cpu)
    click.echo(table.render(POD_COLUMNS, [_pod_row(stats, cpu, whole=whole) for stats, cpu in measured]), nl=False)


class StatsReply(Protocol[Listable_co]):
    """A List reply."""

    @property
    def stats(self) -> Iterable[Listable_co]: ...


async def _measured(
    ask: Callable[[], Awaitable[StatsReply[Stats]]], cpu_of: Callable[[Stats], api.CpuUsage]
) -> list[tuple[Stats, str]]:
    """Listed objects by name, each with its CPU usage. Asks a second time if a rate is missing."""
    first = list((await ask()).stats)
    later = first
    if not all(cpu_of(stats).HasField("usage_nano_cores") for stats in first):
        await asyncio.sleep(SAMPLE_S)
        later = list((await ask()).stats)
    before = {stats.attributes.id: cpu_of(stats) for stats in first}
    ordered = sorted(later, key=lambda stats: (stats.attributes.metadata.name, stats.attributes.id))
    return [(stats, cpu_percent(before.get(stats.attributes.id), cpu_of(stats))) for stats in ordered]


async def _pods_of_containers(cri: CriClient) -> dict[str, str]:
    """Container id -> its pod's name."""
    pods = await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    names = {pod.id: pod.metadata.name for pod in pods.items}
    containers = await cri.call(cri.runtime.ListContainers, api.ListContainersRequest())
    return {each.id: names.get(each.pod_sandbox_id, "?") for each in containers.containers}


def cpu_percent(before: api.CpuUsage | None, now: api.CpuUsage) -> str:
    """The runtime's rate, otherwise that between two answers, otherwise `-`."""
    if now.HasField("usage_nano_cores"):
        return f"{now.usage_nano_cores.value / NANO * 100:.1f}"
    if before is None or now.timestamp <= before.timestamp:
        return "-"
    used_ns = now.usage_core_nano_seconds.value - before.usage_core_nano_seconds.value
    return f"{max(0, used_ns) / (now.timestamp - before.timestamp) * 100:.1f}"


def _size(
    holder: api.MemoryUsage | api.SwapUsage | api.FilesystemUsage | api.NetworkInterfaceUsage, field: str
) -> str:
    return table.size(getattr(holder, field).value) if holder.HasField(field) else "-"


def _container_row(stats: api.ContainerStats, cpu: str, pods: dict[str, str], *, whole: bool) -> Sequence[str]:
    layer = stats.writable_layer
    return (
        table.short_id(stats.attributes.id, whole=whole),
        stats.attributes.metadata.name,
        pods.get(stats.attributes.id, "?"),
        cpu,
        _size(stats.memory, "working_set_bytes"),
        _size(stats.swap, "swap_usage_bytes"),
        _size(layer, "used_bytes"),
        str(layer.inodes_used.value) if layer.HasField("inodes_used") else "-",
    )


def _pod_row(stats: api.PodSandboxStats, cpu: str, *, whole: bool) -> Sequence[str]:
    linux, metadata = stats.linux, stats.attributes.metadata
    interface = linux.network.default_interface
    return (
        table.short_id(stats.attributes.id, whole=whole),
        metadata.name,
        metadata.namespace,
        cpu,
        _size(linux.memory, "working_set_bytes"),
        str(linux.process.process_count.value),
        _size(interface, "rx_bytes"),
        _size(interface, "tx_bytes"),
    )
