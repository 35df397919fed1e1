"""A container's usage, from the message in which a shim reports it. Pure."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError

from podwright.runtime.handlers.shim.api import usage_pb2 as pb
from podwright.runtime.model.usage import MemoryUsage, SwapUsage, Usage

V1, V2 = "io.containerd.cgroups.v1.Metrics", "io.containerd.cgroups.v2.Metrics"
# No limit: the kernel's largest number of whole pages (v1), or the largest number (v2, as shims write "max").
UNLIMITED = 0x7FFFFFFFFFFFF000


def usage(reported: AnyMessage, now_ns: int) -> Usage | None:
    """The usage. None for a type that we do not know, or that cannot be read."""
    name = reported.type_url.rpartition("/")[2]
    try:
        if name == V1:
            return _v1(pb.MetricsV1.FromString(reported.value), now_ns)
        if name == V2:
            return _v2(pb.MetricsV2.FromString(reported.value), now_ns)
    except DecodeError:
        return None
    return None


def _v1(metrics: pb.MetricsV1, now_ns: int) -> Usage:
    memory = metrics.memory
    swap_limit = _limit(memory.swap.limit)
    swapped = max(0, memory.swap.usage - memory.usage.usage)
    return Usage(
        timestamp=now_ns,
        cpu_ns=metrics.cpu.usage.total if metrics.HasField("cpu") else None,
        memory=MemoryUsage(
            usage_bytes=memory.usage.usage,
            working_set_bytes=max(0, memory.usage.usage - memory.total_inactive_file),
            rss_bytes=memory.total_rss,
            page_faults=memory.total_page_faults,
            major_page_faults=memory.total_major_page_faults,
            limit_bytes=_limit(memory.usage.limit),
        )
        if metrics.HasField("memory")
        else None,
        swap=SwapUsage(
            usage_bytes=swapped,
            available_bytes=None if swap_limit is None else max(0, swap_limit - memory.swap.usage),
        )
        if memory.HasField("swap")
        else None,
    )


def _v2(metrics: pb.MetricsV2, now_ns: int) -> Usage:
    memory = metrics.memory
    swap_limit = _limit(memory.swap_limit)
    return Usage(
        timestamp=now_ns,
        cpu_ns=metrics.cpu.usage_usec * 1000 if metrics.HasField("cpu") else None,
        memory=MemoryUsage(
            usage_bytes=memory.usage,
            working_set_bytes=max(0, memory.usage - memory.inactive_file),
            rss_bytes=memory.anon,
            page_faults=memory.page_faults,
            major_page_faults=memory.major_page_faults,
            limit_bytes=_limit(memory.usage_limit),
        )
        if metrics.HasField("memory")
        else None,
        swap=SwapUsage(
            usage_bytes=memory.swap_usage,
            available_bytes=None if swap_limit is None else max(0, swap_limit - memory.swap_usage),
        )
        if metrics.HasField("memory")
        else None,
    )


def _limit(value: int) -> int | None:
    return None if value == 0 or value >= UNLIMITED else value
