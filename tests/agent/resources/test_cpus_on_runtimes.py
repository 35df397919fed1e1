"""CPUs of one's own on this machine, with Podwright and containerd: what the kernel says of containers that run."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator

import pytest

from podwright.linux import cgroup
from podwright.linux.cpu_lists import spelt
from tests.harness.agent import AgentProcess
from tests.harness.scratch import Scratch
from tests.harness.server import CriServer

CPUS = sorted(os.sched_getaffinity(0))
SHARED, WHOLE, OWN = f"{CPUS[0]}", spelt(CPUS), spelt(CPUS[1:])
SETTINGS = {
    "cpuManagerPolicy": "static",
    "cpuManagerReconcilePeriod": "1s",
    "reservedSystemCPUs": str(CPUS[0]),
    "topologyManagerPolicy": "best-effort",
}
# No agent with these starts again here: the memory of a virtual machine's NUMA node may change at any time, and then
# the next agent does not go on with the checkpoint.
OF_MEMORY = {
    "memoryManagerPolicy": "Static",
    "systemReserved": {"memory": "100Mi"},
    "evictionHard": {"memory.available": "100Mi"},
    "reservedMemory": [{"numaNode": 0, "limits": {"memory": "200Mi"}}],
}
MANIFEST = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 2
  containers:
  - name: main
    image: {image}
    command: [sh, -c, 'trap exit TERM; sleep 1000 & wait']
    resources: {{limits: {limits}}}
"""


@pytest.fixture
def agent(any_server: CriServer, scratch: Scratch) -> Iterator[AgentProcess]:
    with AgentProcess(scratch.part("agent"), any_server.endpoint, SETTINGS) as process:
        yield process


def start(agent: AgentProcess, name: str, image: str, limits: str = "{}") -> None:
    agent.write(f"{name}.yaml", MANIFEST.format(name=name, image=image, limits=limits))


def allowed(agent: AgentProcess, name: str) -> str:
    """The CPUs that the kernel lets the process of a pod's container run on. Empty while it does not run."""
    pod = agent.pods().get(f"{name}-{os.uname().nodename.lower()}")
    uid = pod["metadata"]["uid"] if pod is not None else ""
    for pid in pids(agent, uid) if uid else ():
        try:
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                status = dict(line.split(":", 1) for line in file)
            if status["Name"].strip() == "sh":  # a sandbox's first process runs anywhere
                return status["Cpus_allowed_list"].strip()
        except FileNotFoundError:
            continue
    return ""


def pids(agent: AgentProcess, uid: str) -> list[int]:
    """The processes in the cgroups of a pod's containers, which are in a pod's own."""
    host = cgroup.detect()
    found = []
    for top in host.directories(agent.part.pod_parent):
        for directory, _, files in os.walk(top):
            if uid.replace("-", "_") in directory.replace("-", "_") and "cgroup.procs" in files:
                with open(f"{directory}/cgroup.procs", encoding="ascii") as file:
                    found += [int(word) for word in file.read().split()]
    return sorted(set(found))


def test_a_guaranteed_pod_has_its_cpus_to_itself(agent: AgentProcess, busybox_image: str) -> None:
    """The others leave them, an agent that is killed and started again changes nothing, and they come back."""
    start(agent, "shared", busybox_image)
    agent.until(lambda: allowed(agent, "shared") == WHOLE, "the first pod may use all CPUs")
    start(agent, "own", busybox_image, f"{{cpu: {len(CPUS) - 1}, memory: 64Mi}}")
    agent.until(lambda: allowed(agent, "own") == OWN, "the guaranteed pod has its CPUs")
    agent.until(lambda: allowed(agent, "shared") == SHARED, "the other one has left them")
    state = json.loads((agent.root / "cpu_manager_state").read_text())
    assert (state["policyName"], state["defaultCpuSet"]) == ("static", SHARED)
    agent.kill9()
    agent.start()
    start(agent, "second", busybox_image)
    agent.until(lambda: allowed(agent, "second") == SHARED, "a later pod shares what is left")
    assert (allowed(agent, "own"), allowed(agent, "shared")) == (OWN, SHARED)
    start(agent, "more", busybox_image, f"{{cpu: {len(CPUS) - 1}, memory: 64Mi}}")
    agent.until(lambda: reason(agent, "more") == "UnexpectedAdmissionError", "nobody else gets them")
    agent.remove("own.yaml")
    agent.until(lambda: allowed(agent, "shared") == allowed(agent, "second") == WHOLE, "they are free again")


def test_a_guaranteed_pod_has_its_memory_on_a_node(
    any_server: CriServer, scratch: Scratch, busybox_image: str
) -> None:
    with AgentProcess(scratch.part("agent"), any_server.endpoint, SETTINGS | OF_MEMORY) as agent:
        start(agent, "own", busybox_image, f"{{cpu: {len(CPUS) - 1}, memory: 64Mi}}")
        agent.until(lambda: allowed(agent, "own") == OWN, "the guaranteed pod has its CPUs")
        memory = json.loads((agent.root / "memory_manager_state").read_text())
        assert [each["main"] for each in memory["entries"].values()] == [
            [{"type": "memory", "size": 64 << 20, "numaAffinity": [0]}]
        ]


def reason(agent: AgentProcess, name: str) -> str:
    found: str = agent.pods().get(f"{name}-{os.uname().nodename.lower()}", {}).get("status", {}).get("reason", "")
    return found
