"""Limits in the kernel and in the status, rejected limits, and kills for memory."""

from __future__ import annotations

from pathlib import Path

import pytest

from podwright.conformance.cgroups import cgroup_of
from podwright.conformance.messages import limited
from podwright.conformance.pods import SLEEP, CasePod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError
from podwright.linux import cgroup

MIB = 1024 * 1024


def _accounts_for_swap() -> bool:
    root = Path(cgroup.detect().directory("/", "memory") or "/none")
    return any(root.glob("*/memory.swap.max")) or (root / "memory.memsw.limit_in_bytes").exists()


SWAP = _accounts_for_swap()
LIMITS = api.LinuxContainerResources(
    cpu_shares=512,
    cpu_quota=50000,
    cpu_period=100000,
    memory_limit_in_bytes=64 * MIB,
    memory_swap_limit_in_bytes=64 * MIB if SWAP else 0,
    cpuset_cpus="0",
    cpuset_mems="0",
    oom_score_adj=500,
)


async def test_limits_reach_the_kernel(pod: CasePod) -> None:
    container_id = await pod.run(linux=api.LinuxContainerConfig(resources=LIMITS))
    files = await cgroup_of(pod, container_id)
    if "cpu" in files.host.controllers:
        assert files.read("cpu", "cpu.shares", "") == "512"
    else:  # runtimes differ in how they convert shares; the default is 100
        assert 1 < int(files.read("cpu", "", "cpu.weight")) < 100
    quota = files.read("cpu", "cpu.cfs_quota_us", "cpu.max"), files.read("cpu", "cpu.cfs_period_us", "cpu.max")
    assert quota in {("50000", "100000"), ("50000 100000", "50000 100000")}
    assert files.read("cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
    assert files.read("cpuset", "cpuset.mems", "cpuset.mems") == "0"
    assert files.read("memory", "memory.limit_in_bytes", "memory.max") == str(64 * MIB)
    assert Path(f"/proc/{files.pid}/oom_score_adj").read_text().strip() == "500"
    allowed = await pod.exec(container_id, "grep", "Cpus_allowed_list", "/proc/self/status")
    assert allowed.stdout.split()[-1] == b"0"


@pytest.mark.parametrize(("asked", "swap"), [({}, 0), ({"memory_swap_limit_in_bytes": 96 * MIB}, 32 * MIB)])
async def test_no_swap_unless_asked_for(pod: CasePod, asked: dict[str, int], swap: int) -> None:
    if not SWAP:
        pytest.skip("this host does not account for swap")
    container_id = await pod.run(linux=limited(memory_limit_in_bytes=64 * MIB, **asked))
    files = await cgroup_of(pod, container_id)
    limit = int(files.read("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"))
    assert limit in {swap, 64 * MIB + swap}  # v1 counts both together


@pytest.mark.deviates("containerd", "1.6 leaves huge pages unlimited")
@pytest.mark.deviates("podwright-docker", "the Engine has no such limits")
async def test_huge_pages(pod: CasePod) -> None:
    if not cgroup.detect().has("hugetlb"):
        pytest.skip("this host cannot limit huge pages")
    limits = [api.HugepageLimit(page_size="2MB", limit=4 * MIB)]
    files = await cgroup_of(pod, await pod.run(linux=limited(hugepage_limits=limits)))
    assert files.read("hugetlb", "hugetlb.2MB.limit_in_bytes", "hugetlb.2MB.max") == str(4 * MIB)


async def test_limits_are_reported(pod: CasePod) -> None:
    container_id = await pod.create(linux=api.LinuxContainerConfig(resources=LIMITS))
    assert (await pod.status(container_id)).resources.linux == LIMITS
    await pod.start(container_id)
    assert (await pod.status(container_id)).resources.linux == LIMITS


@pytest.mark.deviates("cri-o", "answers UNKNOWN, and takes some of it")
@pytest.mark.deviates("containerd", "leaves them to the OCI runtime, which fails with UNKNOWN or not at all")
@pytest.mark.parametrize(
    "fields",
    [
        {"memory_limit_in_bytes": -2},
        {"memory_limit_in_bytes": 1},
        {"cpu_shares": -1},
        {"cpu_period": 5},
        {"cpu_quota": 5},
        {"cpuset_cpus": "none"},
        {"memory_limit_in_bytes": 64 * MIB, "memory_swap_limit_in_bytes": 32 * MIB},
        {"memory_swap_limit_in_bytes": 32 * MIB},
        {"oom_score_adj": 2000},
        {"unified": {"../cgroup.procs": "1"}},
        {"unified": {"cgroup.kill": "1"}},
    ],
    ids=str,
)
async def test_impossible_limits(pod: CasePod, fields: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        await pod.create(linux=limited(**fields))


@pytest.mark.deviates("cri-o", "ignores them on cgroup v1")
async def test_files_of_v2(pod: CasePod) -> None:
    asked = limited(unified={"memory.high": str(48 * MIB)})
    if cgroup.detect().layout == "v2":
        files = await cgroup_of(pod, await pod.run(linux=asked))
        assert files.read("memory", "", "memory.high") == str(48 * MIB)
    else:
        with pytest.raises(PodwrightError):
            await pod.run(linux=asked)


@pytest.mark.deviates("cri-o", "ignores them")
@pytest.mark.deviates("containerd", "creates the container, and cannot start it")
async def test_files_of_v2_where_there_are_none(pod: CasePod) -> None:
    if cgroup.detect().layout == "v2":
        pytest.skip("this host has them")
    with pytest.raises(FailedPrecondition):
        await pod.create(linux=limited(unified={"memory.high": "1"}))


@pytest.mark.deviates("cri-o", "cannot create it")
@pytest.mark.deviates("podwright-docker", "the Engine refuses it at the creation")
async def test_a_processor_that_is_not_there(pod: CasePod) -> None:
    container_id = await pod.create(linux=limited(cpuset_cpus="4000"))
    with pytest.raises(PodwrightError, match="cpuset"):
        await pod.start(container_id)
    status = await pod.status(container_id)
    assert (status.state, status.reason) == (api.CONTAINER_EXITED, "StartError")


@pytest.mark.deviates("containerd", "its event of the kill may come after the exit")
async def test_out_of_memory(pod: CasePod) -> None:
    limits = limited(memory_limit_in_bytes=15 * MIB, memory_swap_limit_in_bytes=15 * MIB)
    status = await pod.exited(await pod.run(("dd", "if=/dev/zero", "of=/dev/null", "bs=40M"), linux=limits))
    assert (status.exit_code, status.reason) == (137, "OOMKilled")


@pytest.mark.deviates("cri-o", "takes every kill in the cgroup for the container's")
@pytest.mark.deviates("containerd", "takes every kill in the cgroup for the container's")
@pytest.mark.parametrize(("code", "reason"), [(0, "Completed"), (7, "Error")])
async def test_a_child_out_of_memory(pod: CasePod, code: int, reason: str) -> None:
    """Its parent, the container's first process, outlives it and ends by itself: that was not killed for memory."""
    limits = limited(memory_limit_in_bytes=15 * MIB, memory_swap_limit_in_bytes=15 * MIB)
    script = f"dd if=/dev/zero of=/dev/null bs=40M; exit {code}"
    status = await pod.exited(await pod.run(("sh", "-c", script), linux=limits))
    assert (status.exit_code, status.reason) == (code, reason)
    assert "memory" in status.message


@pytest.mark.deviates("cri-o", "takes every kill in the cgroup for the container's")
@pytest.mark.deviates("containerd", "takes every kill in the cgroup for the container's")
async def test_a_child_out_of_memory_long_before_a_stop(pod: CasePod) -> None:
    limits = limited(memory_limit_in_bytes=15 * MIB, memory_swap_limit_in_bytes=15 * MIB)
    script = "dd if=/dev/zero of=/dev/null bs=40M; trap 'exit 143' TERM; echo ready; while :; do sleep 0.1; done"
    container_id = await pod.run_ready(("sh", "-c", script), linux=limits)
    await pod.stop(container_id)
    status = await pod.status(container_id)
    assert (status.exit_code, status.reason) == (143, "Error")


async def test_a_group_out_of_memory(pod: CasePod) -> None:
    """memory.oom.group, which a kubelet sets on v2: all processes go with the one that took too much."""
    if cgroup.detect().layout != "v2":
        pytest.skip("v1 kills one process alone")
    limits = limited(
        memory_limit_in_bytes=15 * MIB, memory_swap_limit_in_bytes=15 * MIB, unified={"memory.oom.group": "1"}
    )
    script = "dd if=/dev/zero of=/dev/null bs=40M; exit 0"
    status = await pod.exited(await pod.run(("sh", "-c", script), linux=limits))
    assert (status.exit_code, status.reason) == (137, "OOMKilled")


async def test_a_container_is_limited_apart_from_its_neighbours(pod: CasePod) -> None:
    small = await cgroup_of(pod, await pod.run(linux=limited(memory_limit_in_bytes=64 * MIB)))
    free = await cgroup_of(pod, await pod.run(SLEEP))
    assert small.read("memory", "memory.limit_in_bytes", "memory.max") == str(64 * MIB)
    assert free.read("memory", "memory.limit_in_bytes", "memory.max") != str(64 * MIB)
