"""Containers whose limits are below their scope, and sums of containers for pods without a cgroup of their own."""

from __future__ import annotations

from pathlib import Path

from podwright.linux.cgroup import CgroupHost
from podwright.linux.pressure import Stalls
from podwright.runtime.model.usage import UINT64_MAX, ContainerStats, MemoryUsage, Usage
from podwright.runtime.stats.collector import Collector, block_device_name, filesystem_of, total
from tests.runtime.stats.records import CONTAINER, container


def _usage(timestamp: int, cpu_ns: int | None, nano_cores: int | None, limit_bytes: int | None) -> Usage:
    return Usage(
        timestamp=timestamp,
        cpu_ns=cpu_ns,
        nano_cores=nano_cores,
        cpu_psi=Stalls(),
        memory=MemoryUsage(
            usage_bytes=10,
            working_set_bytes=8,
            rss_bytes=4,
            page_faults=2,
            major_page_faults=1,
            limit_bytes=limit_bytes,
        ),
    )


def test_a_sum() -> None:
    assert total([_usage(5, 100, 7, 64), _usage(9, 50, 3, 32)]) == Usage(
        timestamp=9,
        cpu_ns=150,
        nano_cores=10,
        memory=MemoryUsage(
            usage_bytes=20,
            working_set_bytes=16,
            rss_bytes=8,
            page_faults=4,
            major_page_faults=2,
            limit_bytes=96,
        ),
    )


def test_one_that_is_unlimited_makes_the_pod_unlimited() -> None:
    found = total([_usage(1, 1, 1, 64), _usage(1, 1, 1, None)])
    assert found.memory
    assert found.memory.available_bytes is None


def test_a_rate_needs_all_rates() -> None:
    assert total([_usage(1, 1, None, None), _usage(1, 1, 5, None)]).nano_cores is None


def test_a_pod_without_containers_uses_nothing() -> None:
    found = total([])
    assert (found.cpu_ns, found.nano_cores) == (0, 0)
    assert found.memory
    assert found.memory.usage_bytes == 0
    assert found.memory.available_bytes is None
    assert found.timestamp > 0


def test_sums_stay_within_64_bits() -> None:
    assert total([_usage(1, UINT64_MAX, UINT64_MAX, None)] * 2).cpu_ns == UINT64_MAX


def test_a_filesystem(tmp_path: Path) -> None:
    found = filesystem_of(str(tmp_path))
    assert found
    assert found.limit_bytes > 0
    assert filesystem_of(str(tmp_path / "gone")) is None


def test_a_device_without_a_name() -> None:
    assert block_device_name(4000, 1) == "4000:1"


def test_limits_and_waits_are_those_of_the_cgroup_below_a_scope(tmp_path: Path) -> None:
    scope = tmp_path / "a.slice/podwright-c.scope"
    (scope / "container").mkdir(parents=True)
    for folder, limit, throttled in ((scope, "max", 0), (scope / "container", "4096", 3)):
        (folder / "memory.current").write_text("1024\n")
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "pids.current").write_text("2\n")
        (folder / "pids.max").write_text(f"{limit}\n")
        (folder / "cpu.stat").write_text(f"usage_usec 5\nnr_throttled {throttled}\n")
    host = CgroupHost(layout="v2", unified=str(tmp_path), unified_controllers=frozenset({"memory", "pids", "cpu"}))
    collector = Collector(host, lambda _: "/a.slice/podwright-c.scope", systemd=True)
    try:
        usage = collector.containers([container()])[CONTAINER]
        details = collector.details(ContainerStats(container=container(), usage=usage))
    finally:
        collector.sweep(idle_s=-1.0)
    assert usage.memory
    assert usage.memory.available_bytes == 4096 - 1024
    assert details.pids
    assert details.pids.limit == 4096
    assert details.cpu
    assert details.cpu.throttled_periods == 3
