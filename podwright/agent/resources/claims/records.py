"""The records of claims that pods of this node use. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class ClaimDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A prepared device of a claim. `requests` has the requests that it serves. None: all."""

    pool: str
    device: str
    cdi_names: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    share: str | None = None

    def serves(self, request: str) -> bool:
        """Whether a container with this request gets the device. An empty request gets all."""
        return not request or not self.requests or request in self.requests


class ClaimRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A claim in use. `drivers` has all drivers with devices in it, each with its prepared devices.

    `pods` has the UIDs of pods that use it. `is_prepared` is not kept over a restart: drivers are then called again.
    """

    uid: str
    name: str
    namespace: str
    pods: frozenset[str]
    drivers: Mapping[str, tuple[ClaimDevice, ...]]
    is_prepared: bool = False

    def cdi_names(self, request: str) -> tuple[str, ...]:
        """The CDI names that a container with this request gets."""
        return tuple(
            name
            for _, devices in sorted(self.drivers.items())
            for device in devices
            if device.serves(request)
            for name in device.cdi_names
        )
