"""The messages of events about a resize, with the wanted resources as JSON (pkg/kubelet/events/resize.go). Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from podwright.k8s.codec import to_document
from podwright.k8s.objects import Container, Pod

STARTED, COMPLETED, FAILED = "Pod resize started", "Pod resize completed", "Pod resize error"


def pending(reason: str) -> str:
    """The begin of the message about a resize that is not accepted."""
    return f"Pod resize {reason}"


def resize_message(begin: str, pod: Pod, generation: int, error: str = "") -> str:
    """`begin`, then the wanted resources, the generation of the spec that wants them, and the error."""
    summary: dict[str, Any] = {
        "initContainers": _resources(pod.spec.init_containers),
        "containers": _resources(pod.spec.containers),
        "generation": generation,
        "error": error,
    }
    shown = {name: value for name, value in summary.items() if value or name == "generation"}
    return f"{begin}: {msgspec.json.encode(shown).decode()}"


def _resources(containers: Iterable[Container]) -> list[dict[str, Any]]:
    return [{"name": each.name, "resources": to_document(each.resources)} for each in containers]
