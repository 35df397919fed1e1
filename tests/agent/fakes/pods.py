"""Pods for tests, in few words."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from podwright.agent.pods.identity import CONFIG_SOURCE
from podwright.k8s.objects import Container, ObjectMeta, Pod, PodSpec, PodStatus

IMAGE = "registry.example/app:1"


def container(name: str = "main", **fields: Any) -> Container:
    """A container of the usual image."""
    return Container(name=name, **{"image": IMAGE, "image_pull_policy": "IfNotPresent", **fields})


def pod(
    name: str = "web",
    *,
    uid: str = "",
    source: str = "api",
    phase: str = "Pending",
    deleted: datetime | None = None,
    grace_s: int | None = None,
    containers: tuple[Container, ...] = (),
    labels: dict[str, str] | None = None,
    **spec: Any,
) -> Pod:
    """A pod with one container, unless others are given; `spec` are fields of its PodSpec."""
    return Pod(
        metadata=ObjectMeta(
            name=name,
            namespace="default",
            uid=uid or f"uid-{name}",
            annotations={CONFIG_SOURCE: source},
            labels=labels or {},
            deletion_timestamp=deleted,
            deletion_grace_period_seconds=grace_s,
        ),
        spec=PodSpec(
            **{
                "containers": containers or (container(),),
                "restart_policy": "Always",
                "termination_grace_period_seconds": 30,
                **spec,
            }
        ),
        status=PodStatus(phase=phase),
    )
