"""Converts CRI's messages to the summary's values. Pure. Source: pkg/kubelet/stats/cri_stats_provider.go of 1.36.

A value that the runtime does not report is 0 for a container, as in a kubelet, and absent for a pod. If only the
runtime lacks pressure, but the kernel measures it, it is 0 for both: a kubelet gets it from cAdvisor, which has zeros
on cgroup v1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from podwright.agent.stats.records import (
    Interface,
    Io,
    Moment,
    Psi,
    SummaryContainer,
    SummaryCpu,
    SummaryMemory,
    SummaryNetwork,
    SummaryProcesses,
    SummaryPsi,
    Swap,
    moment,
)
from podwright.cri.v1 import api_pb2 as api

Part = TypeVar("Part", SummaryCpu, SummaryMemory, Swap)


def _value(message: api.UInt64Value, *, known: bool, missing: int | None) -> int | None:
    return message.value if known else missing


def cpu(message: api.CpuUsage, *, missing: int | None = None, with_pressure: bool = False) -> SummaryCpu:
    """The CPU usage. `missing` replaces absent numbers.

    An absent rate stays None. `with_pressure`: absent pressure is 0, because the kernel measures it.
    """
    return SummaryCpu(
        time=moment(message.timestamp),
        usage_nano_cores=_value(message.usage_nano_cores, known=message.HasField("usage_nano_cores"), missing=None),
        usage_core_nano_seconds=_value(
            message.usage_core_nano_seconds, known=message.HasField("usage_core_nano_seconds"), missing=missing
        ),
        psi=_psi(message, with_pressure=with_pressure),
    )


def memory(message: api.MemoryUsage, *, missing: int | None = None, with_pressure: bool = False) -> SummaryMemory:
    """See `cpu`. Without a limit, the available memory is None."""
    return SummaryMemory(
        time=moment(message.timestamp),
        available_bytes=_value(message.available_bytes, known=message.HasField("available_bytes"), missing=None),
        usage_bytes=_value(message.usage_bytes, known=message.HasField("usage_bytes"), missing=missing),
        working_set_bytes=_value(
            message.working_set_bytes, known=message.HasField("working_set_bytes"), missing=missing
        ),
        rss_bytes=_value(message.rss_bytes, known=message.HasField("rss_bytes"), missing=missing),
        page_faults=_value(message.page_faults, known=message.HasField("page_faults"), missing=missing),
        major_page_faults=_value(
            message.major_page_faults, known=message.HasField("major_page_faults"), missing=missing
        ),
        psi=_psi(message, with_pressure=with_pressure),
    )


def swap(message: api.SwapUsage) -> Swap:
    """Swap in use."""
    return Swap(
        time=moment(message.timestamp),
        swap_available_bytes=_value(
            message.swap_available_bytes, known=message.HasField("swap_available_bytes"), missing=None
        ),
        swap_usage_bytes=_value(message.swap_usage_bytes, known=message.HasField("swap_usage_bytes"), missing=None),
    )


def io(message: api.IoUsage) -> Io:
    """Pressure of I/O if the kernel measures it."""
    return Io(time=moment(message.timestamp), psi=_psi(message, with_pressure=True))


def _psi(message: api.CpuUsage | api.MemoryUsage | api.IoUsage, *, with_pressure: bool) -> Psi | None:
    if message.HasField("psi"):
        return Psi(full=_psi_data(message.psi.Full), some=_psi_data(message.psi.Some))
    return Psi() if with_pressure else None


def _psi_data(message: api.PsiData) -> SummaryPsi:
    return SummaryPsi(total=message.Total, avg10=message.Avg10, avg60=message.Avg60, avg300=message.Avg300)


def network(message: api.NetworkUsage, now: Moment) -> SummaryNetwork:
    """The default interface, and the others. `now` replaces an absent time (containerd 2.1)."""
    default = interface(message.default_interface)
    return SummaryNetwork(
        time=moment(message.timestamp) if message.timestamp else now,
        interfaces=tuple(interface(each) for each in (message.default_interface, *message.interfaces) if each.name),
        name=default.name,
        rx_bytes=default.rx_bytes,
        rx_errors=default.rx_errors,
        tx_bytes=default.tx_bytes,
        tx_errors=default.tx_errors,
    )


def interface(message: api.NetworkInterfaceUsage) -> Interface:
    """One interface."""
    return Interface(
        name=message.name,
        rx_bytes=message.rx_bytes.value,
        rx_errors=message.rx_errors.value,
        tx_bytes=message.tx_bytes.value,
        tx_errors=message.tx_errors.value,
    )


def processes(message: api.ProcessUsage) -> SummaryProcesses:
    """The number of processes."""
    return SummaryProcesses(process_count=message.process_count.value)


def container(message: api.ContainerStats, created_ns: int, now: Moment, *, with_pressure: bool) -> SummaryContainer:
    """A container without its files. Its start time is that of its creation."""
    zeros = Psi() if with_pressure else None
    return SummaryContainer(
        name=message.attributes.metadata.name,
        start_time=moment(created_ns),
        cpu=cpu(message.cpu, missing=0, with_pressure=with_pressure)
        if message.HasField("cpu")
        else SummaryCpu(time=now, usage_core_nano_seconds=0, psi=zeros),
        memory=memory(message.memory, missing=0, with_pressure=with_pressure)
        if message.HasField("memory")
        else SummaryMemory(time=now, usage_bytes=0, working_set_bytes=0, rss_bytes=0, psi=zeros),
        swap=swap(message.swap)
        if message.HasField("swap")
        else Swap(time=now, swap_available_bytes=0, swap_usage_bytes=0),
        io=_io(message, now) if with_pressure else None,
    )


def _io(message: api.ContainerStats, now: Moment) -> Io:
    return io(message.io) if message.HasField("io") else Io(time=now, psi=Psi())


def summed_cpu(containers: Iterable[SummaryContainer]) -> SummaryCpu | None:
    """A pod's CPU usage as the sum of its containers', if neither the runtime nor a cgroup has it."""
    return _summed((each.cpu for each in containers), "usage_nano_cores", "usage_core_nano_seconds")


def summed_memory(containers: Iterable[SummaryContainer]) -> SummaryMemory | None:
    """As `summed_cpu`, for memory."""
    names = ("usage_bytes", "working_set_bytes", "rss_bytes", "page_faults", "major_page_faults")
    return _summed((each.memory for each in containers), *names)


def summed_swap(containers: Iterable[SummaryContainer]) -> Swap | None:
    """The sum of the containers' swap: CRI has no swap of pods."""
    return _summed((each.swap for each in containers), "swap_available_bytes", "swap_usage_bytes")


def _summed(parts: Iterable[Part | None], *names: str) -> Part | None:
    """The sums of these fields, at the newest time. None without any part."""
    found = [part for part in parts if part is not None]
    if not found:
        return None
    sums = {name: sum(getattr(part, name) or 0 for part in found) for name in names}
    kind: Callable[..., Part] = type(found[0])
    return kind(time=max(part.time for part in found), **sums)
