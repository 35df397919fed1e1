"""The manifests of a run's pods, and what `/pods` reports about them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from podwright.bench.targets.base import IDLE_COMMAND, LABEL, NAMESPACE
from podwright.errors import Internal

POD_LABEL = "podwright.bench.pod"  # an agent adds the node to the name of a static pod, but keeps its labels
GRACE_S = 5
RUNNING = "Running"


class _Metadata(msgspec.Struct, frozen=True):
    labels: dict[str, str] = {}


class _State(msgspec.Struct, frozen=True):
    running: dict[str, Any] | None = None


class _Container(msgspec.Struct, frozen=True, rename="camel"):
    state: _State = _State()
    container_id: str = msgspec.field(default="", name="containerID")


class _ListedStatus(msgspec.Struct, frozen=True, rename="camel"):
    phase: str = ""
    container_statuses: list[_Container] | None = None


class _ListedPod(msgspec.Struct, frozen=True):
    metadata: _Metadata = _Metadata()
    status: _ListedStatus = _ListedStatus()


class _PodList(msgspec.Struct, frozen=True):
    items: list[_ListedPod] | None = None


def manifest(name: str, *, image: str, run_id: str) -> bytes:
    """A pod with one container that sleeps, like that of `BenchTarget.start_pod`."""
    container = {"name": "main", "image": image, "imagePullPolicy": "IfNotPresent", "command": IDLE_COMMAND}
    document = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": NAMESPACE, "labels": {LABEL: run_id, POD_LABEL: name}},
        "spec": {"terminationGracePeriodSeconds": GRACE_S, "containers": [container]},
    }
    return msgspec.json.encode(document)


def running_in(pod_list: bytes, run_id: str) -> Mapping[str, str]:
    """The run's running pods in a PodList, by the names in their manifests, with the id of their container.

    Raises Internal for an invalid PodList.
    """
    try:
        pods = msgspec.json.decode(pod_list, type=_PodList).items or []
    except msgspec.DecodeError as failure:
        raise Internal(f"/pods did not answer with a PodList: {failure}") from failure
    ours = [pod for pod in pods if pod.metadata.labels.get(LABEL) == run_id]
    found = {pod.metadata.labels.get(POD_LABEL, ""): _running_container(pod.status) for pod in ours}
    return {name: container for name, container in found.items() if container}


def _running_container(status: _ListedStatus) -> str:
    """The id of its running container without the runtime's prefix, or ""."""
    containers = status.container_statuses or []
    if status.phase != RUNNING or not containers or any(each.state.running is None for each in containers):
        return ""
    return containers[0].container_id.rpartition("//")[2]
