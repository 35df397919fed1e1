"""The node under load: a runtime, an agent and an API server of its own, with little of everything."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from podwright.agent.node.machine import read_machine
from podwright.k8s.objects import Node, Pod
from tests.agent.api_pods import NODE, delete, event_documents, pod
from tests.agent.load.pods import LoadPod
from tests.harness.agent import AgentProcess
from tests.harness.apiserver.documents import read_filter
from tests.harness.apiserver.thread import ApiServerThread
from tests.harness.podwright import Podwright
from tests.harness.scratch import Scratch

MIB = 1 << 20
PODS_MIB, DISK_MIB, KEPT_DISK_MIB, KEPT_MEMORY_MIB = 300, 96, 40, 100
MAX_PODS, MAX_PIDS = 40, 60
RUNNING, FAILED, SUCCEEDED = "Running", "Failed", "Succeeded"


class LoadedNode:
    """What the load does to the node, and sees of it."""

    def __init__(self, agent: AgentProcess, api: ApiServerThread, runtime: Podwright) -> None:
        self.agent = agent
        self.api = api
        self.runtime = runtime

    def is_ready(self) -> bool:
        """Whether the node takes pods."""
        return self._condition("Ready") == "True"

    def pressures(self) -> list[str]:
        """The pressures that the node shows."""
        names = ("MemoryPressure", "DiskPressure", "PIDPressure")
        return [name for name in names if self._condition(name) == "True"]

    def _condition(self, type_: str) -> str:
        node: Node | None = self.api.get(Node, NODE)
        conditions = node.status.conditions if node is not None else ()
        return next((each.status for each in conditions if each.type == type_), "")

    def add(self, name: str, wanted: LoadPod) -> None:
        """Bind a pod to the node."""
        document = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "namespace": "default", "labels": {"kind": wanted.kind.replace(" ", "-")}},
            "spec": {"nodeName": NODE, **wanted.spec},
        }
        self.api.call(lambda server: server.put_document(document))

    def remove(self, name: str, grace_s: int | None = None) -> None:
        """Have a pod end."""
        if pod(self.api, name) is not None:
            delete(self.api, name, grace_s=grace_s)

    def find(self, name: str) -> Pod | None:
        """A pod as the API shows it."""
        return pod(self.api, name)

    def names(self) -> list[str]:
        """Of all pods."""
        found: list[dict[str, Any]] = self.api.call(
            lambda server: server.store.list("v1/pods", read_filter("", "", ""))
        )
        return [each["metadata"]["name"] for each in found]

    def reasons(self) -> list[str]:
        """Of the node's own events."""
        return [each["reason"] for each in event_documents(self.api, NODE)]

    def resident_bytes(self) -> int:
        """The agent's memory."""
        text = Path(f"/proc/{self.agent.pid}/statm").read_text()
        return int(text.split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """How many files the agent has open."""
        return len(os.listdir(f"/proc/{self.agent.pid}/fd"))

    def cpu_s(self) -> float:
        """CPU time of the agent."""
        fields = Path(f"/proc/{self.agent.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def leftovers(self) -> list[str]:
        """What is left of pods when there is none any more."""
        pods = self.agent.root / "pods"
        folders = [str(path) for path in pods.iterdir()] if pods.exists() else []
        logs = [str(path) for path in self.agent.logs.iterdir()] if self.agent.logs.exists() else []
        return [*folders, *logs, *map(str, self.runtime.leftover_files())]


@contextlib.contextmanager
def loaded_node(scratch: Scratch, runtime: Podwright, api: ApiServerThread, folder: Path) -> Iterator[LoadedNode]:
    """The node on a small disk, whose pods together may have little memory. Nothing of the machine is filled."""
    config = {
        "systemReserved": {"memory": str(read_machine().memory_bytes - PODS_MIB * MIB)},
        "evictionHard": {"memory.available": f"{KEPT_MEMORY_MIB}Mi", "nodefs.available": f"{KEPT_DISK_MIB}Mi"},
        "evictionPressureTransitionPeriod": "1s",
        "volumeStatsAggPeriod": "1s",
        "nodeStatusUpdateFrequency": "1s",
        "podPidsLimit": MAX_PIDS,
        "maxPods": MAX_PODS,
        "containerLogMaxSize": "1Mi",
    }
    flags = [f"--kubeconfig={api.kubeconfig(str(folder))}", f"--hostname-override={NODE}"]
    agent = AgentProcess(scratch.part("agent"), runtime.endpoint, config, flags=flags)
    agent.root.mkdir()
    options = f"size={DISK_MIB}m,mode=0755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "small", str(agent.root)], check=True)
    try:
        with agent:
            yield LoadedNode(agent, api, runtime)
    finally:
        if agent.root.is_mount():  # the harness takes the agent's own mount of its root away, which this may be
            subprocess.run(["umount", str(agent.root)], check=True)
