"""What is kept of the claims that pods of this node use. Pure."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec


class ClaimDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device of a claim, as its driver has prepared it. `requests` are those that it serves. None: all."""

    pool: str
    device: str
    cdi_names: tuple[str, ...] = ()
    requests: tuple[str, ...] = ()
    share: str | None = None

    def serves(self, request: str) -> bool:
        """Whether a container that names this request gets the device. One that names none gets all."""
        return not request or not self.requests or request in self.requests


class ClaimRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A claim in use. `drivers` are all that have devices in it, with those that they have prepared.

    `pods` are the UIDs of those that use it. `is_prepared` is not kept over a restart: drivers are asked again then.
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
