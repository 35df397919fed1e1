"""Limits of pods' cgroups, and the files that they are written into."""

from __future__ import annotations

import msgspec
import pytest

from podwright.agent.resources import slices
from podwright.agent.resources.cgroup_writes import writes
from podwright.agent.resources.limits import (
    UNBOUNDED,
    CgroupLimits,
    LimitRules,
    limits_of_classes,
    limits_of_pod,
    limits_of_root,
)
from podwright.k8s.objects import Container, Pod, ResourceRequirements
from podwright.k8s.quantity import parse
from podwright.linux.cgroup import CgroupHost
from tests.agent.fakes.pods import container, pod

RULES = LimitRules(huge_page_sizes=("2MB", "1GB"))
NO_PAGES = {"2MB": 0, "1GB": 0}
GIB = 1 << 30


def of(requests: dict[str, str], limits: dict[str, str] | None = None) -> Container:
    return container(resources=ResourceRequirements(requests=requests, limits=limits or {}))


FULL = {"cpu": "1", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("pods", "limits"),
    [
        (pod(), CgroupLimits(cpu_shares=2)),
        (
            pod(containers=(of(FULL, FULL),)),
            CgroupLimits(cpu_shares=1024, cpu_quota_us=100_000, cpu_period_us=100_000, memory_bytes=GIB),
        ),
        (
            pod(containers=(of({"cpu": "500m"}, {"cpu": "1"}), of({}, {"cpu": "1", "memory": "1Gi"}))),
            CgroupLimits(cpu_shares=512, cpu_quota_us=200_000, cpu_period_us=100_000),
        ),
        (pod(containers=(of({"cpu": "1"}, FULL), of({"cpu": "1"}))), CgroupLimits(cpu_shares=2048)),
        (
            pod(containers=(of({"cpu": "1"}, {"memory": "1Gi"}),), overhead={"memory": "1Gi", "cpu": "1"}),
            CgroupLimits(cpu_shares=2048, memory_bytes=2 * GIB),
        ),
        (
            pod(containers=(of({"cpu": "1"}),), resources=ResourceRequirements(limits={"memory": "3Gi"})),
            CgroupLimits(cpu_shares=1024, memory_bytes=3 * GIB),
        ),
        (
            pod(containers=(of({"hugepages-2Mi": "4Mi"}, {"hugepages-2Mi": "4Mi"}),)),
            CgroupLimits(cpu_shares=2, huge_pages={"2MB": 4 << 20, "1GB": 0}),
        ),
    ],
    ids=["best effort", "guaranteed", "all have cpu", "one has none", "overhead", "the pod's own", "huge pages"],
)
def test_of_a_pod(pods: Pod, limits: CgroupLimits) -> None:
    expected = limits if limits.huge_pages else msgspec.structs.replace(limits, huge_pages=NO_PAGES)
    assert limits_of_pod(pods, RULES) == expected


def test_the_nodes_settings_for_pods() -> None:
    rules = LimitRules(enforces_cpu=False, max_pids=100, cpu_period_us=10_000)
    limits = limits_of_pod(pod(containers=(of(FULL, FULL),)), rules)
    assert (limits.cpu_quota_us, limits.cpu_period_us, limits.pids) == (-1, 10_000, 100)


def test_of_the_root() -> None:
    capacity = {name: parse(text) for name, text in {"cpu": "4", "memory": "8Gi", "pid": "1000", "pods": "9"}.items()}
    reserved = [{"cpu": parse("500m"), "memory": parse("1Gi")}, {"memory": parse("1Gi"), "pid": parse("2000")}]
    assert limits_of_root(capacity, reserved, RULES, "0-3") == CgroupLimits(
        cpu_shares=3584, memory_bytes=6 * GIB, pids=0, huge_pages=NO_PAGES, cpus="0-3"
    )
    assert limits_of_root({}, [], LimitRules()) == CgroupLimits(huge_pages={})


def test_of_classes() -> None:
    burstable = pod(containers=(of({"cpu": "500m"}),))
    pages = {"2MB": UNBOUNDED, "1GB": UNBOUNDED}
    assert limits_of_classes([burstable, burstable, pod(), pod(containers=(of(FULL, FULL),))], RULES) == {
        "Burstable": CgroupLimits(cpu_shares=1024, huge_pages=pages),
        "BestEffort": CgroupLimits(cpu_shares=2, huge_pages=pages),
    }
    assert limits_of_classes([], RULES)["Burstable"].cpu_shares == 2


ALL = CgroupLimits(
    cpu_shares=1024,
    cpu_quota_us=50_000,
    cpu_period_us=100_000,
    memory_bytes=4096,
    pids=10,
    huge_pages={"2MB": 0},
    cpus="0-1",
)
V1 = CgroupHost(
    layout="v1", controllers={name: f"/c/{name}" for name in ("cpu", "memory", "pids", "hugetlb", "cpuset")}
)
V2 = CgroupHost(layout="v2", unified="/c")
HYBRID = CgroupHost(
    layout="hybrid", controllers={"cpu": "/c/cpu"}, unified="/c/unified", unified_controllers=frozenset({"hugetlb"})
)


@pytest.mark.parametrize(
    ("host", "limits", "expected"),
    [
        (
            V1,
            ALL,
            [
                "/c/cpu/p/cpu.shares=1024",
                "/c/cpu/p/cpu.cfs_period_us=100000",
                "/c/cpu/p/cpu.cfs_quota_us=50000",
                "/c/cpuset/p/cpuset.cpus=0-1",
                "/c/memory/p/memory.limit_in_bytes=4096",
                "/c/pids/p/pids.max=10",
                "/c/hugetlb/p/hugetlb.2MB.limit_in_bytes=0",
                "/c/hugetlb/p/hugetlb.2MB.rsvd.limit_in_bytes=0?",
            ],
        ),
        (
            V2,
            ALL,
            [
                "/c/p/cpu.weight=39",
                "/c/p/cpu.max=50000 100000",
                "/c/p/cpuset.cpus=0-1",
                "/c/p/memory.max=4096",
                "/c/p/pids.max=10",
                "/c/p/hugetlb.2MB.max=0",
                "/c/p/hugetlb.2MB.rsvd.max=0?",
            ],
        ),
        (
            HYBRID,
            ALL,
            [
                "/c/cpu/p/cpu.shares=1024",
                "/c/cpu/p/cpu.cfs_period_us=100000",
                "/c/cpu/p/cpu.cfs_quota_us=50000",
                "/c/unified/p/hugetlb.2MB.max=0",
                "/c/unified/p/hugetlb.2MB.rsvd.max=0?",
            ],
        ),
        (V1, CgroupLimits(cpu_quota_us=-1, pids=-1), ["/c/cpu/p/cpu.cfs_quota_us=-1", "/c/pids/p/pids.max=max"]),
        (V2, CgroupLimits(cpu_quota_us=0), ["/c/p/cpu.max=max 100000"]),
        (V2, CgroupLimits(memory_bytes=0), []),
        (V1, CgroupLimits(), []),
    ],
    ids=["v1", "v2", "hybrid", "no limit v1", "no limit v2", "no memory limit", "nothing"],
)
def test_writes(host: CgroupHost, limits: CgroupLimits, expected: list[str]) -> None:
    found = [f"{write.path}={write.text}{'?' if write.optional else ''}" for write in writes(limits, host, "/p")]
    assert found == expected


def test_slices_are_limited_before_they_start() -> None:
    path = "/kubepods.slice/kubepods-podx.slice"
    made = slices.make_commands(path, ALL, is_v2=True)
    assert made == (
        (
            "systemctl",
            "set-property",
            "--runtime",
            "kubepods-podx.slice",
            "CPUAccounting=yes",
            "MemoryAccounting=yes",
            "TasksAccounting=yes",
            "IOAccounting=yes",
            "CPUWeight=39",
            "CPUQuotaPeriodSec=100000us",
            "CPUQuota=50%",
            "MemoryMax=4096",
            "TasksMax=10",
            "AllowedCPUs=0-1",
        ),
        ("systemctl", "start", "kubepods-podx.slice"),
    )
    assert slices.properties(ALL, is_v2=False) == (
        "CPUShares=1024",
        "CPUQuotaPeriodSec=100000us",
        "CPUQuota=50%",
        "MemoryLimit=4096",
        "TasksMax=10",
    )
    kept = CgroupLimits(memory_min_bytes=4096, memory_low_bytes=0)
    assert slices.properties(kept, is_v2=True) == ("MemoryMin=4096", "MemoryLow=0")
    assert slices.properties(kept, is_v2=False) == ()
    assert slices.update_commands(path, CgroupLimits(), is_v2=True) == ()
    assert slices.stop_commands(path) == (("systemctl", "stop", "kubepods-podx.slice"),)
    assert slices.drop_ins(path) == "/run/systemd/system.control/kubepods-podx.slice.d"


@pytest.mark.parametrize(
    ("quota", "setting", "rounded"),
    [(1_500, "CPUQuota=2%", 2_000), (100_000, "CPUQuota=100%", 100_000), (-1, "CPUQuota=", -1), (0, "CPUQuota=", 0)],
)
def test_systemd_knows_whole_percents(quota: int, setting: str, rounded: int) -> None:
    limits = CgroupLimits(cpu_quota_us=quota)
    assert slices.properties(limits, is_v2=True)[-1] == setting
    assert slices.rounded(limits) == rounded
