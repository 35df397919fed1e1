"""Eviction and preemption by a real agent on a real runtime, with little of everything.

The agent's root is a small tmpfs, and all its pods together may have 200 MiB: nothing of the machine is filled.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from podwright.agent.node.machine import read_machine
from podwright.k8s.objects import Node, PodStatus
from tests.agent.api_pods import NODE, bind, delete_all, event_documents, pod
from tests.harness.agent import AgentProcess
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch

pytestmark = [pytest.mark.root]

MIB = 1 << 20
DISK_MIB, PODS_MIB, KEPT_FREE_MIB = 64, 200, 100
SLEEP = "trap exit TERM; sleep 1000 & wait"


@pytest.fixture(scope="module")
def api() -> Iterator[ApiServerThread]:
    with ApiServerThread() as server:
        yield server


@pytest.fixture(scope="module")
def agent(
    podwright_server: Podwright, scratch: Scratch, api: ApiServerThread, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AgentProcess]:
    kubeconfig = api.kubeconfig(str(tmp_path_factory.mktemp("api")))
    reserved = read_machine().memory_bytes - PODS_MIB * MIB
    config = {
        "systemReserved": {"memory": str(reserved), "cpu": "100m"},
        "evictionHard": {"memory.available": f"{KEPT_FREE_MIB}Mi", "nodefs.available": "30Mi"},
        "evictionPressureTransitionPeriod": "1s",
        "volumeStatsAggPeriod": "1s",
        "nodeStatusUpdateFrequency": "1s",
    }
    flags = [f"--kubeconfig={kubeconfig}", f"--hostname-override={NODE}"]
    process = AgentProcess(scratch.part("agent"), podwright_server.endpoint, config, flags=flags)
    mount_small(process.root)
    try:
        with process:
            process.until(lambda: has_condition(api, "Ready", "True"), "the node is ready")
            yield process
            delete_all(process, api)
    finally:
        if process.root.is_mount():  # the harness takes the agent's own mount of its root away, which this may be
            subprocess.run(["umount", str(process.root)], check=True)


def mount_small(path: Path) -> None:
    path.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m,mode=0755", "small", str(path)], check=True)


def has_condition(api: ApiServerThread, type_: str, status: str) -> bool:
    node: Node | None = api.get(Node, NODE)
    return node is not None and any(each.type == type_ and each.status == status for each in node.status.conditions)


def status_of(api: ApiServerThread, name: str) -> PodStatus:
    found = pod(api, name)
    return found.status if found is not None else PodStatus()


def log_of(agent: AgentProcess, name: str) -> str:
    return "".join(path.read_text() for path in agent.logs.glob(f"default_{name}_*/main/*.log"))


def until_failed(agent: AgentProcess, api: ApiServerThread, name: str, reason: str) -> PodStatus:
    def has_failed() -> bool:
        status = status_of(api, name)
        return (status.phase, status.reason) == ("Failed", reason)

    agent.until(has_failed, f"{name} has failed: {reason}")
    return status_of(api, name)


def runs(api: ApiServerThread, name: str) -> bool:
    return status_of(api, name).phase == "Running"


def spec(image: str, script: str, *, requests: str = "{}", limits: str = "{}", volume: str = "{}") -> str:
    return f"""
containers:
- name: main
  image: {image}
  command: [sh, -c, {script!r}]
  resources: {{requests: {requests}, limits: {limits}}}
  volumeMounts: [{{name: data, mountPath: /data}}]
volumes: [{{name: data, emptyDir: {volume}}}]
terminationGracePeriodSeconds: 0
"""


GUARANTEED = "{cpu: 10m, memory: 20Mi}"


def test_a_full_disk_ends_who_filled_it(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    bind(api, "quiet", spec(image, SLEEP, requests=GUARANTEED, limits=GUARANTEED))
    bind(api, "writer", spec(image, f"dd if=/dev/zero of=/data/big bs=1M count=40; {SLEEP}"))
    status = until_failed(agent, api, "writer", "Evicted")
    assert status.message.startswith("The node was low on resource: ephemeral-storage. Threshold quantity: 30Mi, ")
    [disruption] = [each for each in status.conditions if each.type == "DisruptionTarget"]
    assert (disruption.status, disruption.reason) == ("True", "TerminationByKubelet")
    assert disruption.message == status.message
    assert disruption.last_transition_time is not None
    agent.until(lambda: event_documents(api, "writer", "Evicted"), "the event is written")
    [event] = event_documents(api, "writer", "Evicted")
    assert event["metadata"]["annotations"]["starved_resource"] == "ephemeral-storage"
    assert (event["type"], event["message"]) == ("Warning", status.message)
    agent.until(lambda: event_documents(api, NODE, "NodeHasDiskPressure"), "the node shows the pressure")
    agent.until(lambda: event_documents(api, NODE, "EvictionThresholdMet"), "the event is written")
    agent.until(lambda: has_condition(api, "DiskPressure", "False"), "the pressure is over")
    assert runs(api, "quiet")
    assert b'kubelet_evictions{eviction_signal="nodefs.available"} 1' in agent.get("/metrics")


def test_memory_that_runs_short_ends_who_uses_it(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    bind(api, "modest", spec(image, SLEEP, requests=GUARANTEED, limits=GUARANTEED))
    bind(api, "hungry", spec(image, "dd if=/dev/zero bs=120M count=1 | sleep 1000"))
    status = until_failed(agent, api, "hungry", "Evicted")
    assert status.message.startswith("The node was low on resource: memory. Threshold quantity: 100Mi, available: ")
    assert "Container main was using" in status.message
    agent.until(lambda: has_condition(api, "MemoryPressure", "False"), "the pressure is over")
    assert runs(api, "modest")


def test_limits_of_storage_and_room_for_critical_pods(agent: AgentProcess, api: ApiServerThread, image: str) -> None:
    bind(api, "beyond", spec(image, f"dd if=/dev/zero of=/data/big bs=1M count=3; {SLEEP}", volume="{sizeLimit: 1Mi}"))
    bind(api, "victim", spec(image, "trap 'exit 3' TERM; echo trapped; sleep 1000 & wait", requests="{cpu: 700m}"))
    bind(api, "polite", spec(image, "trap 'exit 0' TERM; echo trapped; sleep 1000 & wait", requests="{cpu: 700m}"))
    agent.until(lambda: "trapped" in log_of(agent, "victim"), "the victim's trap decides how it ends")
    agent.until(lambda: "trapped" in log_of(agent, "polite"), "and so does the polite one's")
    manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "critical", "namespace": "default"},
        "spec": yaml.safe_load(spec(image, SLEEP, requests="{cpu: 1500m}")),
    }
    agent.write("critical.yaml", yaml.safe_dump(manifest))
    status = until_failed(agent, api, "victim", "Preempting")
    assert status.message == "Preempted in order to admit critical pod"
    assert "DisruptionTarget" in [each.type for each in status.conditions]
    agent.until(
        lambda: status_of(api, "polite").phase == "Succeeded", "a victim whose containers ended well succeeded"
    )
    assert "DisruptionTarget" in [each.type for each in status_of(api, "polite").conditions]
    agent.until(lambda: runs(api, f"critical-{NODE}"), "the critical pod runs")
    status = until_failed(agent, api, "beyond", "Evicted")
    assert status.message == 'Usage of EmptyDir volume "data" exceeds the limit "1Mi". '
    assert "DisruptionTarget" not in [each.type for each in status.conditions]
    agent.remove("critical.yaml")
