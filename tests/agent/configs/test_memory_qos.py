"""Memory that is kept for containers, and where they are slowed down, by cgroup v2."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.configs.memory_qos import PAGE_BYTES, MemoryQos, memory_files
from podwright.agent.configs.node import memory_qos_of
from podwright.agent.configs.resources import container_resources
from podwright.agent.resources.cgroup_writes import writes
from podwright.agent.resources.limits import CgroupLimits, LimitRules, limits_of_classes, limits_of_pod
from podwright.k8s.objects import Pod, ResourceRequirements
from podwright.linux.cgroup import CgroupHost
from tests.agent.configs.build import facts, settings
from tests.agent.fakes.pods import container, pod

MIB = 1 << 20
TIERED = MemoryQos(is_tiered=True)


def asking(request: str = "", limit: str = "", cpu: str = "") -> Pod:
    requests = {name: text for name, text in (("memory", request), ("cpu", cpu)) if text}
    limits = {name: text for name, text in (("memory", limit), ("cpu", cpu)) if text}
    return pod(containers=(container(resources=ResourceRequirements(requests=requests, limits=limits)),))


def paged(size: float) -> str:
    return str(int(size) // PAGE_BYTES * PAGE_BYTES)


@pytest.mark.parametrize(
    ("asked", "rules", "files"),
    [
        (asking("100Mi", "100Mi", "1"), TIERED, {"memory.min": str(100 * MIB)}),
        (
            asking("100Mi", "200Mi"),
            TIERED,
            {"memory.low": str(100 * MIB), "memory.high": paged(190 * MIB)},
        ),
        (
            asking("100Mi", "200Mi"),
            MemoryQos(throttling=0.5),
            {"memory.min": "0", "memory.low": "0", "memory.high": paged(150 * MIB)},
        ),
        (asking("100Mi"), TIERED, {"memory.low": str(100 * MIB), "memory.high": paged(910 * MIB)}),
        (asking(), TIERED, {"memory.min": "0", "memory.low": "0"}),
    ],
    ids=["guaranteed", "burstable", "nothing is kept", "up to what the node has", "best effort"],
)
def test_files_of_a_container(asked: Pod, rules: MemoryQos, files: dict[str, str]) -> None:
    assert memory_files(asked, asked.spec.containers[0], rules, 1000 * MIB) == files


def test_only_cgroup_v2_gets_them() -> None:
    asked = asking("100Mi", "100Mi", "1")

    def unified(*, is_cgroup_v2: bool) -> dict[str, str]:
        on = facts(is_cgroup_v2=is_cgroup_v2)
        found = container_resources(asked, asked.spec.containers[0], on, settings(memory_qos=TIERED))
        return {name: text for name, text in found.unified.items() if name != "memory.oom.group"}

    assert unified(is_cgroup_v2=True) == {"memory.min": str(100 * MIB)}
    assert unified(is_cgroup_v2=False) == {}


def test_what_is_kept_is_kept_above_as_well() -> None:
    rules = LimitRules(memory_qos=TIERED)
    sure, usual = asking("100Mi", "100Mi", "1"), asking("50Mi")
    assert limits_of_pod(sure, rules).memory_min_bytes == 100 * MIB
    assert limits_of_pod(usual, rules).memory_low_bytes == 50 * MIB
    classes = limits_of_classes([sure, usual], rules)
    assert classes["Guaranteed"] == CgroupLimits(memory_min_bytes=150 * MIB)
    assert classes["Burstable"].memory_low_bytes == 50 * MIB
    off = limits_of_classes([sure, usual], replace(rules, memory_qos=MemoryQos()))
    assert (off["Guaranteed"].memory_min_bytes, off["Burstable"].memory_low_bytes) == (0, 0)
    assert "Guaranteed" not in limits_of_classes([sure, usual], LimitRules())


def test_files_of_a_cgroup() -> None:
    host = CgroupHost(layout="v2", unified="/cg", unified_controllers=frozenset({"memory"}))
    found = writes(CgroupLimits(memory_min_bytes=1, memory_low_bytes=2), host, "/a")
    assert [(each.path, each.text) for each in found] == [("/cg/a/memory.min", "1"), ("/cg/a/memory.low", "2")]
    v1 = CgroupHost(layout="v1", controllers={"memory": "/cg/memory"})
    assert writes(CgroupLimits(memory_min_bytes=1), v1, "/a") == ()


def test_the_gate() -> None:
    usual = AgentConfig()
    assert memory_qos_of(usual) is None
    cgroups = replace(usual.cgroups, memory_reservation_policy="TieredReservation", memory_throttling_factor=0.8)
    on = replace(usual, cgroups=cgroups, feature_gates={**usual.feature_gates, "MemoryQoS": True})
    assert memory_qos_of(on) == MemoryQos(is_tiered=True, throttling=0.8)
