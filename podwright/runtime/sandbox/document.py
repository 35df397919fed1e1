"""The document of a verbose PodSandboxStatus. Pure."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.sandbox.runtime_spec import runtime_spec


def document(sandbox: Sandbox, pins: dict[str, str]) -> dict[str, Any]:
    """JSON with the keys that crictl and other tools read. `pins` are the sandbox's namespaces by kind."""
    return {
        "pid": sandbox.pid,
        "handler": sandbox.handler,
        "netns": sandbox.netns,
        "namespaces": pins,
        "network": dict(sandbox.attachment.detail) if sandbox.attachment else {},
        "cgroupParent": sandbox.cgroup_parent,
        "config": msgspec.to_builtins(sandbox.config),
        "runtimeSpec": runtime_spec(sandbox, pins),
        **_limits(sandbox),
    }


def _limits(sandbox: Sandbox) -> dict[str, Any]:
    """The limits of the pod as a whole: as last updated, otherwise as requested."""
    current = {
        "overhead": sandbox.overhead or sandbox.config.overhead,
        "resources": sandbox.resources or sandbox.config.resources,
    }
    return {name: msgspec.to_builtins(value) for name, value in current.items() if value is not None}
