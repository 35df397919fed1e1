"""The health of claimed devices, from drivers' reports to the status of a container. Without I/O.

A report is valid for a while. After that, or when the driver is gone, the health is unknown
(pkg/kubelet/cm/dra/healthinfo.go of Kubernetes 1.36).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from podwright.agent.resources.claims.records import ClaimDevice, ClaimRecord
from podwright.k8s.objects import ResourceHealth, ResourceStatus

HEALTHY, UNHEALTHY, UNKNOWN = "Healthy", "Unhealthy", "Unknown"
DEFAULT_TIMEOUT_S = 30.0
MESSAGE_MAX = 1024
Place = tuple[str, str]  # pool and device


class HealthReport(msgspec.Struct, frozen=True, kw_only=True):
    """A driver's report about a device, which is valid for `timeout_s`."""

    place: Place
    health: str
    message: str = ""
    timeout_s: float = DEFAULT_TIMEOUT_S


class KnownHealth(msgspec.Struct, frozen=True, kw_only=True):
    """A report and its age."""

    report: HealthReport
    age_s: float


class DeviceHealths:
    """The health of all devices. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._known: dict[str, dict[Place, tuple[HealthReport, float]]] = {}

    def update(self, driver: str, reports: Iterable[HealthReport], now: float) -> frozenset[Place]:
        """Take a driver's reports. Returns the devices whose health has changed."""
        known = self._known.setdefault(driver, {})
        changed = set()
        for report in reports:
            before = known.get(report.place)
            if before is None or before[0] != report:
                changed.add(report.place)
            known[report.place] = (report, now)
        for place in [place for place, (report, at) in known.items() if now - at > report.timeout_s]:
            del known[place]
            changed.add(place)
        return frozenset(changed)

    def lose(self, driver: str) -> frozenset[Place]:
        """Note that the driver reports nothing any more. Returns the devices whose health is now unknown."""
        return frozenset(self._known.pop(driver, {}))

    def known(self, now: float) -> dict[str, list[KnownHealth]]:
        """All valid reports, by driver."""
        return {
            driver: [KnownHealth(report=report, age_s=now - at) for report, at in found.values()]
            for driver, found in self._known.items()
        }

    def restore(self, known: Mapping[str, Iterable[KnownHealth]], now: float) -> None:
        """Take over the reports of an earlier agent."""
        for driver, found in known.items():
            self._known[driver] = {each.report.place: (each.report, now - each.age_s) for each in found}

    def of(self, driver: str, device: ClaimDevice, now: float) -> ResourceHealth:
        """The health of a device. It is known by its first CDI name if it has one."""
        identity = device.cdi_names[0] if device.cdi_names else f"{driver}/{device.pool}/{device.device}"
        found = self._known.get(driver, {}).get((device.pool, device.device))
        if found is None or now - found[1] > found[0].timeout_s:
            return ResourceHealth(resource_id=identity, health=UNKNOWN)
        report = found[0]
        return ResourceHealth(resource_id=identity, health=report.health, message=report.message or None)


def claim_status(entry: str, request: str, record: ClaimRecord, healths: DeviceHealths, now: float) -> ResourceStatus:
    """The health of the devices that a container gets by one entry of its claims. Each device appears once."""
    base = request.partition("/")[0]  # of a request with alternatives
    found = {
        health.resource_id: health
        for driver, devices in sorted(record.drivers.items())
        for device in devices
        if device.serves(base)
        for health in (healths.of(driver, device, now),)
    }
    name = f"claim:{entry}/{request}" if request else f"claim:{entry}"
    return ResourceStatus(name=name, resources=tuple(found.values()))


def shortened(message: str) -> str:
    """The message, cut to the API's limit."""
    return message if len(message) <= MESSAGE_MAX else f"{message[: MESSAGE_MAX - 3]}..."
