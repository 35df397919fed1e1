"""The health of devices as the status of a container shows it. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.k8s.objects import ResourceHealth, ResourceStatus


def device_statuses(health: Mapping[str, Mapping[str, bool]]) -> tuple[ResourceStatus, ...]:
    """`health` says by resource and device whether it is healthy."""
    return tuple(
        ResourceStatus(
            name=resource,
            resources=tuple(
                ResourceHealth(resource_id=device, health="Healthy" if is_healthy else "Unhealthy")
                for device, is_healthy in devices.items()
            ),
        )
        for resource, devices in health.items()
    )
