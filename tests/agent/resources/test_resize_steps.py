"""The order in which a pod's cgroup changes, and what is read from one."""

from __future__ import annotations

import pytest

from podwright.agent.configs.cpu import cpu_weight
from podwright.agent.resources.limits import CgroupLimits
from podwright.agent.resources.resize_steps import (
    CgroupSteps,
    cgroup_steps,
    current_limits,
    memory_decrease,
    shares_of,
)
from podwright.linux.cgroup import CgroupHost

GIB = 1 << 30


def cpu(shares: int, quota: int | None) -> CgroupLimits:
    return CgroupLimits(cpu_shares=shares, cpu_quota_us=quota, cpu_period_us=100_000 if quota is not None else None)


def quota(us: int) -> CgroupLimits:
    return CgroupLimits(cpu_quota_us=us, cpu_period_us=100_000)


def shares(number: int) -> CgroupLimits:
    return CgroupLimits(cpu_shares=number)


@pytest.mark.parametrize(
    ("current", "wanted", "expected"),
    [
        pytest.param(cpu(100, 1000), cpu(100, 1000), CgroupSteps(), id="nothing changes"),
        pytest.param(cpu(100, 1000), cpu(200, 2000), CgroupSteps(before=(quota(2000), shares(200))), id="more"),
        pytest.param(cpu(200, 2000), cpu(100, 1000), CgroupSteps(after=(shares(100), quota(1000))), id="less"),
        pytest.param(
            cpu(200, 1000), cpu(100, 2000), CgroupSteps(before=(quota(2000),), after=(shares(100),)), id="both ways"
        ),
        pytest.param(cpu(100, -1), cpu(100, 2000), CgroupSteps(after=(quota(2000),)), id="a limit is added"),
        pytest.param(cpu(100, 2000), cpu(100, -1), CgroupSteps(before=(quota(-1),)), id="a limit is lifted"),
        pytest.param(cpu(100, 2000), cpu(100, None), CgroupSteps(), id="a container without a limit"),
    ],
)
def test_cpu(current: CgroupLimits, wanted: CgroupLimits, expected: CgroupSteps) -> None:
    assert cgroup_steps(current, wanted, "cpu") == expected


@pytest.mark.parametrize(
    ("current", "wanted", "before", "after"),
    [
        pytest.param(GIB, GIB, (), (), id="nothing changes"),
        pytest.param(GIB, 2 * GIB, (2 * GIB,), (), id="more"),
        pytest.param(2 * GIB, GIB, (), (GIB,), id="less"),
        pytest.param(None, GIB, (), (GIB,), id="a limit is added"),
        pytest.param(GIB, None, (), (), id="a container without a limit"),
    ],
)
def test_memory(current: int | None, wanted: int | None, before: tuple[int, ...], after: tuple[int, ...]) -> None:
    has, wants = CgroupLimits(memory_bytes=current), CgroupLimits(memory_bytes=wanted)
    steps = cgroup_steps(has, wants, "memory")
    assert tuple(each.memory_bytes for each in steps.before) == before
    assert tuple(each.memory_bytes for each in steps.after) == after
    assert memory_decrease(has, wants) == (after[0] if after else None)


V1 = CgroupHost(layout="v1", unified=None, controllers={"cpu": "/c", "memory": "/m"}, unified_controllers=frozenset())
V2 = CgroupHost(layout="v2", unified="/u", controllers={}, unified_controllers=frozenset({"cpu", "memory"}))


@pytest.mark.parametrize(
    ("host", "files", "expected"),
    [
        pytest.param(
            V1,
            {
                "/c/p/cpu.shares": "512\n",
                "/c/p/cpu.cfs_quota_us": "-1\n",
                "/c/p/cpu.cfs_period_us": "100000\n",
                "/m/p/memory.limit_in_bytes": "9223372036854771712\n",
            },
            CgroupLimits(cpu_shares=512, cpu_quota_us=-1, cpu_period_us=100_000),
            id="v1",
        ),
        pytest.param(
            V2,
            {"/u/p/cpu.weight": "100\n", "/u/p/cpu.max": "5000 100000\n", "/u/p/memory.max": "4096\n"},
            CgroupLimits(cpu_shares=2597, cpu_quota_us=5000, cpu_period_us=100_000, memory_bytes=4096),
            id="v2",
        ),
        pytest.param(
            V2,
            {"/u/p/cpu.weight": "1\n", "/u/p/cpu.max": "max 100000\n", "/u/p/memory.max": "max\n"},
            CgroupLimits(cpu_shares=2, cpu_quota_us=-1, cpu_period_us=100_000),
            id="v2 without limits",
        ),
    ],
)
def test_what_a_cgroup_has(host: CgroupHost, files: dict[str, str], expected: CgroupLimits) -> None:
    assert current_limits(files.__getitem__, host, "/p") == expected


@pytest.mark.parametrize("weight", [1, 2, 39, 100, 9999, 10000])
def test_a_weight_that_is_read_is_written_again(weight: int) -> None:
    assert abs(cpu_weight(shares_of(weight)) - weight) <= 1
