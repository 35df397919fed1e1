"""Keeps the health of claimed devices over a restart of the agent, in the kubelet's file `dra_health_state`.

A restarted agent shows the last reports until drivers report again (pkg/kubelet/cm/dra/healthinfo.go of Kubernetes
1.36). The file is JSON without a checksum.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from podwright.agent.clock import Clock, utc_now
from podwright.agent.resources.claims.health import (
    DEFAULT_TIMEOUT_S,
    DeviceHealths,
    HealthReport,
    KnownHealth,
    Place,
    claim_status,
)
from podwright.agent.resources.claims.records import ClaimRecord
from podwright.agent.resources.state_files import read_state, write_state
from podwright.errors import FailedPrecondition
from podwright.k8s.objects import ResourceStatus

FILE_NAME = "dra_health_state"
SECOND_NS = 10**9

log = logging.getLogger(__name__)


class _SavedHealth(msgspec.Struct, frozen=True, rename="pascal"):
    pool_name: str
    device_name: str
    health: str
    last_updated: datetime
    health_check_timeout: int = 0  # nanoseconds, 0 for the default
    message: str = ""


class _SavedDriver(msgspec.Struct, frozen=True, rename="pascal"):
    devices: dict[str, _SavedHealth] | None = None


class SavedHealths:
    """DeviceHealths with the file."""

    def __init__(self, root: str, clock: Clock) -> None:
        """`root` is the agent's own directory."""
        self._path = f"{root}/{FILE_NAME}"
        self._clock = clock
        self._healths = DeviceHealths()

    def start(self) -> None:
        """Take over the saved reports. An invalid file is only logged, because drivers report again."""
        try:
            content = read_state(self._path)
            known = decode(content, utc_now(self._clock)) if content is not None else {}
        except FailedPrecondition as failure:
            log.warning("the health of claimed devices is unknown until their drivers report it: error=%s", failure)
            return
        self._healths.restore(known, self._clock.monotonic())

    def update(self, driver: str, reports: Iterable[HealthReport]) -> frozenset[Place]:
        return self._kept(self._healths.update(driver, reports, self._clock.monotonic()))

    def lose(self, driver: str) -> frozenset[Place]:
        return self._kept(self._healths.lose(driver))

    def status(self, entry: str, request: str, record: ClaimRecord) -> ResourceStatus:
        return claim_status(entry, request, record, self._healths, self._clock.monotonic())

    def _kept(self, changed: frozenset[Place]) -> frozenset[Place]:
        if changed:
            content = encode(self._healths.known(self._clock.monotonic()), utc_now(self._clock))
            try:
                write_state(self._path, content)
            except OSError as failure:
                log.warning("the health of claimed devices is not saved: error=%s", failure)
        return changed


def encode(known: Mapping[str, Iterable[KnownHealth]], now: datetime) -> bytes:
    """The file's bytes. `known` is by driver."""
    return msgspec.json.encode(
        {
            driver: _SavedDriver(devices=dict(_entry(each, now) for each in found))
            for driver, found in sorted(known.items())
        }
    )


def decode(content: bytes, now: datetime) -> dict[str, list[KnownHealth]]:
    """Parse the file. Raises FailedPrecondition if it is invalid."""
    try:
        found = msgspec.json.decode(content, type=dict[str, _SavedDriver])
    except (msgspec.DecodeError, UnicodeError) as failure:
        raise FailedPrecondition(f"{FILE_NAME} cannot be read: {failure}") from failure
    return {name: [_known(each, now) for each in (driver.devices or {}).values()] for name, driver in found.items()}


def _entry(known: KnownHealth, now: datetime) -> tuple[str, _SavedHealth]:
    report = known.report
    pool, device = report.place
    return f"{pool}/{device}", _SavedHealth(
        pool_name=pool,
        device_name=device,
        health=report.health,
        last_updated=now - timedelta(seconds=known.age_s),
        health_check_timeout=int(report.timeout_s * SECOND_NS),
        message=report.message,
    )


def _known(device: _SavedHealth, now: datetime) -> KnownHealth:
    at = device.last_updated if device.last_updated.tzinfo is not None else device.last_updated.replace(tzinfo=UTC)
    report = HealthReport(
        place=(device.pool_name, device.device_name),
        health=device.health,
        message=device.message,
        timeout_s=device.health_check_timeout / SECOND_NS or DEFAULT_TIMEOUT_S,
    )
    return KnownHealth(report=report, age_s=max((now - at).total_seconds(), 0.0))
