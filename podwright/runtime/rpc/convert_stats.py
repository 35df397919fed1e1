"""Conversion of measurements to protobuf, and of filters from it. Unknown values stay unset.

A pod's message holds about fifty small messages. They are passed as dicts, which protobuf converts in C. That is
twice as fast as constructing each message here.
"""

from __future__ import annotations

from typing import Any

from podwright.cri.v1 import api_pb2 as api
from podwright.linux.pressure import Stalls, StallTimes
from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.model.usage import (
    ContainerStats,
    InterfaceUsage,
    LayerUsage,
    MemoryUsage,
    SandboxStats,
    SwapUsage,
    Usage,
)
from podwright.runtime.stats.descriptors import DESCRIPTORS, MetricDescriptor
from podwright.runtime.stats.metrics import SandboxMetrics
from podwright.runtime.stats.samples import MetricSample

DEFAULT_INTERFACE = "eth0"  # CNI's name for a pod's first interface

Fields = dict[str, Any]


def container(stats: ContainerStats) -> api.ContainerStats:
    """CRI's ContainerStats."""
    return api.ContainerStats(**_container(stats))


def _container(stats: ContainerStats) -> Fields:
    config, usage = stats.container.config, stats.usage
    return {
        "attributes": {
            "id": stats.container.id,
            "metadata": {"name": config.name, "attempt": config.attempt},
            "labels": config.labels,
            "annotations": config.annotations,
        },
        "cpu": _cpu(usage),
        "memory": _memory(usage.memory, usage),
        "swap": _swap(usage.swap, usage.timestamp),
        "io": _io(usage),
        "writable_layer": _layer(stats.layer, stats.layer_mountpoint),
    }


def sandbox(stats: SandboxStats) -> api.PodSandboxStats:
    """CRI's PodSandboxStats."""
    config, usage = stats.sandbox.config, stats.usage
    name = config.name
    fields: Fields = {
        "attributes": {
            "id": stats.sandbox.id,
            "metadata": {"name": name.name, "namespace": name.namespace, "uid": name.uid, "attempt": name.attempt},
            "labels": config.labels,
            "annotations": config.annotations,
        },
        "linux": {
            "cpu": _cpu(usage),
            "memory": _memory(usage.memory, usage),
            "network": _network(stats),
            "process": {"timestamp": usage.timestamp, "process_count": {"value": stats.process_count}},
            "containers": [_container(each) for each in stats.containers],
            "io": _io(usage),
        },
    }
    return api.PodSandboxStats(**fields)


def _cpu(usage: Usage) -> Fields | None:
    if usage.cpu_ns is None:
        return None
    return {
        "timestamp": usage.timestamp,
        "usage_core_nano_seconds": {"value": usage.cpu_ns},
        "usage_nano_cores": _value(usage.nano_cores),
        "psi": _psi(usage.cpu_psi),
    }


def _memory(memory: MemoryUsage | None, usage: Usage) -> Fields | None:
    if memory is None:
        return None
    return {
        "timestamp": usage.timestamp,
        "working_set_bytes": {"value": memory.working_set_bytes},
        "available_bytes": _value(memory.available_bytes),
        "usage_bytes": {"value": memory.usage_bytes},
        "rss_bytes": {"value": memory.rss_bytes},
        "page_faults": {"value": memory.page_faults},
        "major_page_faults": {"value": memory.major_page_faults},
        "psi": _psi(usage.memory_psi),
    }


def _swap(swap: SwapUsage | None, timestamp: int) -> Fields | None:
    if swap is None:
        return None
    return {
        "timestamp": timestamp,
        "swap_available_bytes": _value(swap.available_bytes),
        "swap_usage_bytes": {"value": swap.usage_bytes},
    }


def _io(usage: Usage) -> Fields | None:
    return None if usage.io_psi is None else {"timestamp": usage.timestamp, "psi": _psi(usage.io_psi)}


def _layer(layer: LayerUsage | None, mountpoint: str) -> Fields | None:
    if layer is None:
        return None
    return {
        "timestamp": layer.timestamp,
        "fs_id": {"mountpoint": mountpoint},
        "used_bytes": {"value": layer.used_bytes},
        "inodes_used": {"value": layer.inodes},
    }


def _psi(stats: Stalls | None) -> Fields | None:
    return None if stats is None else {"Full": _psi_data(stats.full), "Some": _psi_data(stats.some)}


def _psi_data(data: StallTimes) -> Fields:
    return {"Total": data.total_ns, "Avg10": data.avg10, "Avg60": data.avg60, "Avg300": data.avg300}


def _network(stats: SandboxStats) -> Fields | None:
    """None for a pod without interfaces, and for a pod on the host's network: its numbers would be the node's.

    The default interface is always set. A kubelet 1.36 dereferences it without a check (criInterfaceToSummary) and
    crashes without it. If a pod renamed or lost its own, the first of the other interfaces takes its place.
    """
    if not stats.interfaces:
        return None
    attachment = stats.sandbox.attachment
    name = attachment.interface if attachment is not None else DEFAULT_INTERFACE
    default = next((each for each in stats.interfaces if each.name == name), stats.interfaces[0])
    return {
        "timestamp": stats.usage.timestamp,
        "default_interface": _interface(default),
        "interfaces": [_interface(each) for each in stats.interfaces if each is not default],
    }


def _interface(usage: InterfaceUsage) -> Fields:
    return {
        "name": usage.name,
        "rx_bytes": {"value": usage.rx_bytes},
        "rx_errors": {"value": usage.rx_errors},
        "tx_bytes": {"value": usage.tx_bytes},
        "tx_errors": {"value": usage.tx_errors},
    }


def _value(number: int | None) -> Fields | None:
    return None if number is None else {"value": number}


def descriptor(described: MetricDescriptor) -> api.MetricDescriptor:
    """CRI's MetricDescriptor."""
    return api.MetricDescriptor(name=described.name, help=described.help, label_keys=described.label_keys)


def metrics(found: SandboxMetrics) -> api.PodSandboxMetrics:
    """CRI's PodSandboxMetrics."""
    fields: Fields = {
        "pod_sandbox_id": found.sandbox.id,
        "metrics": [_metric(sample, found.labels) for sample in found.samples],
        "container_metrics": [
            {"container_id": each.container.id, "metrics": [_metric(sample, each.labels) for sample in each.samples]}
            for each in found.containers
        ],
    }
    return api.PodSandboxMetrics(**fields)


def _metric(sample: MetricSample, base: tuple[str, ...]) -> Fields:
    return {
        "name": sample.name,
        "timestamp": sample.timestamp,
        "metric_type": api.COUNTER if DESCRIPTORS[sample.name].is_counter else api.GAUGE,
        "label_values": base + sample.labels,
        "value": {"value": sample.value},
    }


def container_matches(candidate: Container, wanted: api.ContainerStatsFilter) -> bool:
    """Whether the filter lets the container through. Ids may be prefixes."""
    return (
        candidate.id.startswith(wanted.id)
        and candidate.sandbox_id.startswith(wanted.pod_sandbox_id)
        and _has_labels(candidate.config.labels, wanted)
    )


def sandbox_matches(candidate: Sandbox, wanted: api.PodSandboxStatsFilter) -> bool:
    """Whether the filter lets the sandbox through. The id may be a prefix."""
    return candidate.id.startswith(wanted.id) and _has_labels(candidate.config.labels, wanted)


def _has_labels(labels: dict[str, str], wanted: api.ContainerStatsFilter | api.PodSandboxStatsFilter) -> bool:
    return all(labels.get(key) == value for key, value in wanted.label_selector.items())
