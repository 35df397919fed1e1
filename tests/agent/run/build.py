"""Runs from YAML, in few words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from podwright.agent.run.documents import Objects, load_texts
from podwright.agent.run.expand import expand
from podwright.agent.run.plan import RunFacts, RunPlan
from podwright.errors import InvalidArgument
from podwright.k8s.objects import (
    ContainerState,
    ContainerStateTerminated,
    ContainerStatus,
    Pod,
    PodCondition,
    PodIP,
    PodStatus,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
CONTAINERS = "containers: [{name: c, image: r.example/i:1}]"
LABELS = "metadata: {labels: {app: web}}"
TEMPLATE = f"template: {{{LABELS}, spec: {{{CONTAINERS}}}}}"
SELECTOR = "selector: {matchLabels: {app: web}}"


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def load(*texts: str) -> Objects:
    """The objects of files `a.yaml`, `b.yaml` and so on."""
    return load_texts([(f"{chr(ord('a') + index)}.yaml", text.encode()) for index, text in enumerate(texts)])


def plan(*texts: str, now: bool = False, run_id: str = "run") -> RunPlan:
    situation = RunFacts(run_id=run_id, node_name="node1", claims_root="/claims", now=now)
    return expand(load(*texts), situation)


def faults(*texts: str) -> list[str]:
    """The lines of what is wrong."""
    with pytest.raises(InvalidArgument) as caught:
        plan(*texts)
    return str(caught.value).splitlines()


def pod_text(name: str = "web", spec: str = "", metadata: str = "", container: str = "") -> str:
    """A pod of one line; `container`, `spec` and `metadata` are the inner text of flow mappings."""
    inside = f"containers: [{{name: c, image: r.example/i:1{', ' + container if container else ''}}}]"
    more = f", {spec}" if spec else ""
    marks = f", {metadata}" if metadata else ""
    return f"{{apiVersion: v1, kind: Pod, metadata: {{name: {name}{marks}}}, spec: {{{inside}{more}}}}}\n"


def workload(kind: str, name: str = "web", spec: str = "", template: str = TEMPLATE) -> str:
    more = f", {spec}" if spec else ""
    return (
        f"{{apiVersion: apps/v1, kind: {kind}, metadata: {{name: {name}}}, spec: {{{SELECTOR}, {template}{more}}}}}\n"
    )


def job_text(spec: str = "", pod_spec: str = "restartPolicy: Never", name: str = "work", kind: str = "Job") -> str:
    more = f", {spec}" if spec else ""
    inner = f"template: {{spec: {{{CONTAINERS}, {pod_spec}}}}}{more}"
    if kind == "CronJob":
        inner = f"schedule: '0 4 * * *', jobTemplate: {{spec: {{{inner}}}}}"
    return f"{{apiVersion: batch/v1, kind: {kind}, metadata: {{name: {name}}}, spec: {{{inner}}}}}\n"


def service_text(name: str = "web", spec: str = "ports: [{port: 80}]", selector: str = "app: web") -> str:
    return (
        f"{{apiVersion: v1, kind: Service, metadata: {{name: {name}}}, spec: {{selector: {{{selector}}}, {spec}}}}}\n"
    )


def names(pods: tuple[Pod, ...] | list[Pod]) -> list[str]:
    return [pod.metadata.name for pod in pods]


def running(ip: str = "", *, ready: bool = False, restarts: int = 0) -> PodStatus:
    return PodStatus(
        phase="Running",
        pod_ip=ip,
        pod_ips=(PodIP(ip=ip),) if ip else (),
        start_time=START,
        conditions=(PodCondition(type="Ready", status="True" if ready else "False"),),
        container_statuses=(ContainerStatus(name="c", image="", image_id="", ready=ready, restart_count=restarts),),
    )


def ended(code: int = 0, seconds: float = 0, reason: str = "", message: str = "") -> PodStatus:
    """A pod whose one container ended that long after START."""
    state = ContainerStateTerminated(
        exit_code=code,
        finished_at=at(seconds),
        reason=reason or ("Error" if code else "Completed"),
        message=message,
    )
    return PodStatus(
        phase="Failed" if code else "Succeeded",
        start_time=START,
        container_statuses=(
            ContainerStatus(
                name="c", image="", image_id="", ready=False, restart_count=0, state=ContainerState(terminated=state)
            ),
        ),
    )
