"""The health of devices in the status of a container. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.k8s.objects import ResourceHealth, ResourceStatus


def device_statuses(health: Mapping[str, Mapping[str, bool]]) -> tuple[ResourceStatus, ...]:
    """The statuses. `health` has by resource and device whether the device is healthy."""
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
