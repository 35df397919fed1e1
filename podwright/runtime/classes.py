"""Block I/O and RDT classes: names of limits that an administrator has defined, for OCI specs.

A Block I/O class comes from a file as containerd and CRI-O read it (goresctrl, pkg/blockio). An RDT class is a group
of the kernel's resctrl file system, which exists where the processor has such: it is used, not made. Pods name classes
in annotations, and NRI's plug-ins in their adjustments.
"""

from __future__ import annotations

import glob
import os
import re
import stat
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from podwright.errors import FailedPrecondition, InvalidArgument, reason
from podwright.linux.cgroup import CgroupHost

Spec = dict[str, Any]

FILE_LIMIT_BYTES = 1 << 20
RESCTRL = "/sys/fs/resctrl"
BLOCK_CONTROLLERS = ("io", "blkio")  # of cgroup v2 and v1
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
QUANTITY = re.compile(r"([0-9]+)(k|M|G|T|Ki|Mi|Gi|Ti)?")
UNITS = {None: 1, "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40}
Quantity = str | int


class _BlockioPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="pascal"):
    """A part of a class: what holds for some devices. Without devices, only the weight is allowed."""

    devices: tuple[str, ...] = ()
    weight: Quantity = ""
    throttle_read_bps: Quantity = ""
    throttle_write_bps: Quantity = ""
    throttle_read_iops: Quantity = msgspec.field(default="", name="ThrottleReadIOPS")
    throttle_write_iops: Quantity = msgspec.field(default="", name="ThrottleWriteIOPS")


class _BlockioFile(msgspec.Struct, frozen=True, rename="pascal"):
    classes: dict[str, tuple[_BlockioPart, ...]] = {}


THROTTLES = {
    "throttle_read_bps": "throttleReadBpsDevice",
    "throttle_write_bps": "throttleWriteBpsDevice",
    "throttle_read_iops": "throttleReadIOPSDevice",
    "throttle_write_iops": "throttleWriteIOPSDevice",
}


class WantedClasses(msgspec.Struct, frozen=True, kw_only=True):
    """The names of a container's classes. Empty: none."""

    blockio: str = ""
    rdt: str = ""

    def __bool__(self) -> bool:
        return bool(self.blockio or self.rdt)


def requested(name: str, pod: Mapping[str, str], container: Mapping[str, str]) -> WantedClasses:
    """The classes of the container `name` by annotations of its `pod` and its own, as containerd and CRI-O read them.

    A container's own annotation comes first, then the pod's for this container, then the pod's for all (goresctrl,
    pkg/kubernetes).
    """

    def wanted(kind: str) -> str:
        prefix = f"{kind}.resources.beta.kubernetes.io"
        for_all = pod.get(f"{prefix}/pod", "")
        return container.get(f"io.kubernetes.cri.{kind}-class", pod.get(f"{prefix}/container.{name}", for_all))

    return WantedClasses(blockio=wanted("blockio"), rdt=wanted("rdt"))


class ResourceClasses:
    """The classes of this host."""

    def __init__(self, blockio_file: str, cgroups: CgroupHost, *, resctrl: str = RESCTRL) -> None:
        """`blockio_file` is read each time, so that it can be changed. Empty: there are no such classes."""
        self._blockio_file = blockio_file
        self._cgroups = cgroups
        self._resctrl = resctrl

    def apply(self, spec: Spec, wanted: WantedClasses) -> None:
        """Put the classes into a spec. Blocks. Raises FailedPrecondition and InvalidArgument."""
        if wanted.blockio:
            spec["linux"].setdefault("resources", {})["blockIO"] = block_limits(self._parts(wanted.blockio))
        if wanted.rdt:
            self._check_rdt(wanted.rdt)
            spec["linux"]["intelRdt"] = {**(spec["linux"].get("intelRdt") or {}), "closID": wanted.rdt}

    def _check_rdt(self, name: str) -> None:
        if not NAME.fullmatch(name):
            raise InvalidArgument(f"{name[:80]!r} is not the name of an RDT class")
        if not os.path.isdir(self._resctrl):
            raise FailedPrecondition(
                f"RDT class {name} needs the kernel's resctrl, which is not mounted",
                hint=f"mount -t resctrl resctrl {self._resctrl}, if the processor has RDT",
            )
        if not os.path.isdir(f"{self._resctrl}/{name}"):
            raise FailedPrecondition(f"there is no RDT class {name} in {self._resctrl}", hint="make the group first")

    def _parts(self, name: str) -> tuple[_BlockioPart, ...]:
        if not self._blockio_file:
            raise FailedPrecondition(
                f"Block I/O class {name} is not known: no file is configured",
                hint="set [containers] blockio_config_file",
            )
        if not any(self._cgroups.has(controller) for controller in BLOCK_CONTROLLERS):
            raise FailedPrecondition(
                f"Block I/O class {name} needs a cgroup controller for it, and this host has none"
            )
        import yaml  # noqa: PLC0415 # 12 ms, and few hosts have such a file

        try:
            with open(self._blockio_file, "rb") as file:
                document = yaml.safe_load(file.read(FILE_LIMIT_BYTES))
            classes = msgspec.convert(document, _BlockioFile).classes
        except (OSError, yaml.YAMLError, msgspec.ValidationError, RecursionError) as failure:
            raise FailedPrecondition(
                f"Block I/O classes in {self._blockio_file}: {reason(failure, path=self._blockio_file)}"
            ) from failure
        if name not in classes:
            known = ", ".join(sorted(classes)) or "none"
            raise FailedPrecondition(f"there is no Block I/O class {name[:80]!r}", hint=f"known classes: {known}")
        return classes[name]


def block_limits(parts: Iterable[_BlockioPart]) -> Spec:
    """OCI's `blockIO` of a class: a later part overrides an earlier one for the same device."""
    limits: Spec = {}
    devices: dict[str, dict[tuple[int, int], Spec]] = {}
    for part in parts:
        numbers = _numbers(part.devices)
        if part.weight and not part.devices:
            limits["weight"] = amount(part.weight)
        for at in numbers:
            if part.weight:
                devices.setdefault("weightDevice", {})[at] = {"weight": amount(part.weight)}
            for field, key in THROTTLES.items():
                if rate := getattr(part, field):
                    devices.setdefault(key, {})[at] = {"rate": amount(rate)}
    for key, found in devices.items():
        limits[key] = [{"major": major, "minor": minor, **value} for (major, minor), value in found.items()]
    return limits


def amount(text: Quantity) -> int:
    """A number with a unit such as 10M or 4Ki. Raises FailedPrecondition."""
    matched = QUANTITY.fullmatch(str(text))
    if matched is None:
        raise FailedPrecondition(f"{str(text)[:40]!r} in the file of Block I/O classes is not a number with a unit")
    return int(matched[1]) * UNITS[matched[2]]


def _numbers(patterns: Iterable[str]) -> list[tuple[int, int]]:
    """The block devices that match. Patterns without one are no error: devices come and go."""
    found: dict[tuple[int, int], None] = {}
    for path in (path for pattern in patterns for path in sorted(glob.glob(pattern))):
        facts = os.stat(path)
        if stat.S_ISBLK(facts.st_mode):
            found[os.major(facts.st_rdev), os.minor(facts.st_rdev)] = None
    return list(found)
