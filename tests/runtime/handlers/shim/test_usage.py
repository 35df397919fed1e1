"""What shims report of usage, as a table."""

from __future__ import annotations

from google.protobuf.any_pb2 import Any as AnyMessage

from podwright.runtime.handlers.shim.api import usage_pb2 as pb
from podwright.runtime.handlers.shim.usage import UNLIMITED, usage
from podwright.runtime.model.usage import MemoryUsage, SwapUsage, Usage


def _reported(version: str, message: pb.MetricsV1 | pb.MetricsV2) -> AnyMessage:
    return AnyMessage(type_url=f"io.containerd.cgroups.{version}.Metrics", value=message.SerializeToString())


def test_cgroup_v1() -> None:
    memory = pb.MemoryV1(
        total_rss=10,
        total_page_faults=2,
        total_major_page_faults=1,
        total_inactive_file=30,
        usage=pb.MemoryEntryV1(usage=100, limit=UNLIMITED),
        swap=pb.MemoryEntryV1(usage=140, limit=200),
    )
    metrics = pb.MetricsV1(cpu=pb.CpuV1(usage=pb.CpuTimeV1(total=7)), memory=memory)
    assert usage(_reported("v1", metrics), 5) == Usage(
        timestamp=5,
        cpu_ns=7,
        memory=MemoryUsage(
            usage_bytes=100, working_set_bytes=70, rss_bytes=10, page_faults=2, major_page_faults=1, limit_bytes=None
        ),
        swap=SwapUsage(usage_bytes=40, available_bytes=60),
    )


def test_cgroup_v2() -> None:
    memory = pb.MemoryV2(anon=10, inactive_file=200, usage=100, usage_limit=150, swap_usage=4, swap_limit=2**64 - 1)
    metrics = pb.MetricsV2(cpu=pb.CpuV2(usage_usec=7), memory=memory)
    assert usage(_reported("v2", metrics), 5) == Usage(
        timestamp=5,
        cpu_ns=7000,
        memory=MemoryUsage(
            usage_bytes=100, working_set_bytes=0, rss_bytes=10, page_faults=0, major_page_faults=0, limit_bytes=150
        ),
        swap=SwapUsage(usage_bytes=4, available_bytes=None),
    )


def test_what_is_not_known_is_left_out() -> None:
    assert usage(_reported("v1", pb.MetricsV1()), 5) == Usage(timestamp=5)
    assert usage(AnyMessage(type_url="some.Other", value=b""), 5) is None
    assert usage(AnyMessage(type_url="io.containerd.cgroups.v2.Metrics", value=b"\xff"), 5) is None
