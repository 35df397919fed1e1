"""`/metrics/cadvisor`: metrics of containers under cAdvisor's names, which dashboards know. Pure.

They come from the runtime if it has metrics (ListPodSandboxMetrics), else the most used ones from the summary. The
machine's own rows are in `machine_rows`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain

from msgspec.structs import replace

from podwright.agent.metrics.prometheus import Family, Sample, gauge
from podwright.agent.node.machine import Machine
from podwright.agent.stats.records import Interface, Moment, PodStats, Psi, SummaryContainer, SummaryNetwork
from podwright.cri.v1 import api_pb2 as api

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
Named = tuple[str, Sample]

# Inodes belong to a filesystem, not to a container, so only the machine's rows have them, as in a kubelet on
# containerd.
OF_FILESYSTEMS = frozenset({"container_fs_inodes_free", "container_fs_inodes_total"})

HELPS = {
    "container_cpu_usage_seconds_total": "Cumulative cpu time consumed in seconds.",
    "container_memory_usage_bytes": "Current memory usage in bytes, including all memory regardless of when it was "
    "accessed",
    "container_memory_working_set_bytes": "Current working set in bytes.",
    "container_memory_rss": "Size of RSS in bytes.",
    "container_memory_swap": "Container swap usage in bytes.",
    "container_fs_usage_bytes": "Number of bytes that are consumed by the container on this filesystem.",
    "container_fs_limit_bytes": "Number of bytes that can be consumed by the container on this filesystem.",
    "container_start_time_seconds": "Start time of the container since unix epoch in seconds.",
    "container_last_seen": "Last time a container was seen by the exporter",
    "container_processes": "Number of processes running inside the container.",
    "container_network_receive_bytes_total": "Cumulative count of bytes received",
    "container_network_receive_errors_total": "Cumulative count of errors encountered while receiving",
    "container_network_transmit_bytes_total": "Cumulative count of bytes transmitted",
    "container_network_transmit_errors_total": "Cumulative count of errors encountered while transmitting",
    "container_pressure_cpu_stalled_seconds_total": "Total time duration no tasks in the container could make "
    "progress due to CPU congestion.",
    "container_pressure_cpu_waiting_seconds_total": "Total time duration tasks in the container have waited due to "
    "CPU congestion.",
    "container_pressure_memory_stalled_seconds_total": "Total time duration no tasks in the container could make "
    "progress due to memory congestion.",
    "container_pressure_memory_waiting_seconds_total": "Total time duration tasks in the container have waited due to "
    "memory congestion.",
    "container_pressure_io_stalled_seconds_total": "Total time duration no tasks in the container could make progress "
    "due to IO congestion.",
    "container_pressure_io_waiting_seconds_total": "Total time duration tasks in the container have waited due to IO "
    "congestion.",
}


def machine_families(machine: Machine, version: str) -> list[Family]:
    """cAdvisor's metrics of the machine."""
    labels = {"boot_id": machine.boot_id, "machine_id": machine.machine_id, "system_uuid": machine.system_uuid}
    about = {
        "cadvisorRevision": "",
        "cadvisorVersion": "",
        "dockerVersion": "",
        "kernelVersion": machine.kernel_version,
        "osVersion": machine.os_image,
    }
    return [
        gauge("cadvisor_version_info", f"The versions of the node; podwright {version}.", [(about, 1)]),
        gauge("machine_cpu_cores", "Number of logical CPU cores.", [(labels, machine.cpu_count)]),
        gauge("machine_memory_bytes", "Amount of memory installed on the machine.", [(labels, machine.memory_bytes)]),
        gauge("machine_swap_bytes", "Amount of swap memory available on the machine.", [(labels, machine.swap_bytes)]),
    ]


def of_runtime(descriptors: Iterable[api.MetricDescriptor], pods: Iterable[api.PodSandboxMetrics]) -> list[Family]:
    """The runtime's metrics, without OF_FILESYSTEMS and those that have no descriptor."""
    known = {each.name: each for each in descriptors if each.name not in OF_FILESYSTEMS}
    samples: dict[str, list[Sample]] = {name: [] for name in known}
    kinds: dict[str, str] = {}
    for pod in pods:
        metrics = chain(pod.metrics, chain.from_iterable(each.metrics for each in pod.container_metrics))
        for metric in metrics:
            descriptor = known.get(metric.name)
            if descriptor is None or len(descriptor.label_keys) != len(metric.label_values):
                continue
            kinds[metric.name] = "counter" if metric.metric_type == api.COUNTER else "gauge"
            labels = dict(zip(descriptor.label_keys, metric.label_values, strict=True))
            sample = Sample(value=metric.value.value, labels=labels, timestamp_ms=metric.timestamp // NS_PER_MS)
            samples[metric.name].append(sample)
    return [
        Family(name=name, kind=kinds.get(name, "gauge"), help=known[name].help, samples=tuple(found))
        for name, found in sorted(samples.items())
    ]


def of_summary(
    pods: Iterable[PodStats], now: Moment, identify: Mapping[tuple[str, str], Mapping[str, str]]
) -> list[Family]:
    """`identify` has `id`, `name` and `image` of a container by the pod's UID and its name (empty: of the pod)."""
    return families_of(chain.from_iterable(_of_pod(pod, now, identify) for pod in pods), HELPS)


def families_of(named: Iterable[Named], helps: Mapping[str, str]) -> list[Family]:
    """Families of the names in `helps`."""
    samples: dict[str, list[Sample]] = {name: [] for name in helps}
    for name, sample in named:
        samples[name].append(sample)
    return [
        Family(name=name, kind=_kind(name), help=text, samples=tuple(samples[name])) for name, text in helps.items()
    ]


def merged(families: Iterable[Family]) -> list[Family]:
    """The families, merged by name, because the format allows one of each. The first has the type and the help."""
    found: dict[str, Family] = {}
    for family in families:
        known = found.get(family.name)
        found[family.name] = family if known is None else replace(known, samples=known.samples + family.samples)
    return list(found.values())


def _kind(name: str) -> str:
    """cAdvisor's type. `container_fs_inodes_total` is a gauge in spite of its name."""
    return "counter" if name.endswith("_total") and name != "container_fs_inodes_total" else "gauge"


def _of_pod(pod: PodStats, now: Moment, identify: Mapping[tuple[str, str], Mapping[str, str]]) -> Iterator[Named]:
    where = {"namespace": pod.pod_ref.namespace, "pod": pod.pod_ref.name}
    nothing = {"id": "", "image": "", "name": ""}
    for container in pod.containers:
        who = identify.get((pod.pod_ref.uid, container.name), nothing)
        yield from of_container(container, now, {"container": container.name, **who, **where})
    who = {"container": "", **identify.get((pod.pod_ref.uid, ""), nothing), **where}
    if pod.process_stats is not None and pod.process_stats.process_count is not None:
        yield "container_processes", Sample(value=pod.process_stats.process_count, labels=who)
    if pod.network is not None:
        yield from of_interface(pod.network, who)
        for interface in pod.network.interfaces:
            if interface.name != pod.network.name:
                yield from of_interface(interface, who)


def of_interface(interface: Interface | SummaryNetwork, who: Mapping[str, str]) -> Iterator[Named]:
    """An interface's counters."""
    labels = {**who, "interface": interface.name}
    counters = {
        "receive_bytes": interface.rx_bytes,
        "receive_errors": interface.rx_errors,
        "transmit_bytes": interface.tx_bytes,
        "transmit_errors": interface.tx_errors,
    }
    for name, value in counters.items():
        if isinstance(value, int) and interface.name:
            yield f"container_network_{name}_total", Sample(value=value, labels=labels)


def of_container(container: SummaryContainer, now: Moment, labels: Mapping[str, str]) -> Iterator[Named]:
    """A container's rows. `labels` are those that all rows share."""
    values: dict[str, float | None] = {
        "start_time_seconds": round(container.start_time.timestamp()),
        "last_seen": round(now.timestamp()),
    }
    if container.cpu is not None and container.cpu.usage_core_nano_seconds is not None:
        seconds = container.cpu.usage_core_nano_seconds / NS_PER_S
        yield "container_cpu_usage_seconds_total", Sample(value=seconds, labels={**labels, "cpu": "total"})
    if container.memory is not None:
        values["memory_usage_bytes"] = container.memory.usage_bytes
        values["memory_working_set_bytes"] = container.memory.working_set_bytes
        values["memory_rss"] = container.memory.rss_bytes
    if container.swap is not None:
        values["memory_swap"] = container.swap.swap_usage_bytes
    if container.rootfs is not None:
        values["fs_usage_bytes"] = container.rootfs.used_bytes
        values["fs_limit_bytes"] = container.rootfs.capacity_bytes
    pressures = {"cpu": container.cpu, "memory": container.memory, "io": container.io}
    for name, each in pressures.items():
        values |= _pressure(name, each.psi if each is not None else None)
    for name, value in values.items():
        if value is not None:
            yield f"container_{name}", Sample(value=value, labels=labels)


def _pressure(name: str, psi: Psi | None) -> dict[str, float]:
    if psi is None:
        return {}
    return {
        f"pressure_{name}_stalled_seconds_total": psi.full.total / NS_PER_S,
        f"pressure_{name}_waiting_seconds_total": psi.some.total / NS_PER_S,
    }
