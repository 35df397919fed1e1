"""Names of the cgroups of pods, for the cgroupfs and the systemd driver. Pure.

The tree is the kubelet's, because runtimes, monitors and other agents look for it: `kubepods`, in it `burstable` and
`besteffort`, and `pod<UID>` in one of the three.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from podwright.agent.pods.places import checked_uid
from podwright.agent.pods.qos import QosClass
from podwright.linux.slices import SLICE, nested

Driver = Literal["cgroupfs", "systemd"]

KUBEPODS = "kubepods"
POD = "pod"
BURSTABLE, BEST_EFFORT = "burstable", "besteffort"


class CgroupNames(msgspec.Struct, frozen=True, kw_only=True):
    """The tree below `root`, which has the parts of a cgroup's path. Paths are relative to a hierarchy's mount."""

    driver: Driver
    root: tuple[str, ...] = ()

    @property
    def top(self) -> str:
        """The cgroup that the configuration names as the root."""
        return self._path(self.root)

    @property
    def kubepods(self) -> str:
        """The cgroup of all pods, and the parent of guaranteed ones."""
        return self._path((*self.root, KUBEPODS))

    def of_class(self, qos: QosClass) -> str:
        """The parent of the pods of a class."""
        return self._path(self._class_parts(qos))

    def of_pod(self, qos: QosClass, uid: str) -> str:
        """A pod's cgroup. Raises InvalidArgument for a UID that cannot be a part of a name."""
        return self._path((*self._class_parts(qos), f"{POD}{checked_uid(uid)}"))

    def uid_of(self, parent: str, name: str) -> str:
        """The UID of the pod whose cgroup is `name` in the cgroup `parent`, empty for any other cgroup."""
        if self.driver == "systemd":
            stem = parent.rpartition("/")[2].removesuffix(SLICE)
            prefix = f"{stem}-{POD}"
            if not name.startswith(prefix) or not name.endswith(SLICE):
                return ""
            return name.removesuffix(SLICE).removeprefix(prefix).replace("_", "-")
        return name.removeprefix(POD) if name.startswith(POD) else ""

    def _class_parts(self, qos: QosClass) -> tuple[str, ...]:
        parts = (*self.root, KUBEPODS)
        return parts if qos == "Guaranteed" else (*parts, BURSTABLE if qos == "Burstable" else BEST_EFFORT)

    def _path(self, parts: tuple[str, ...]) -> str:
        if self.driver == "cgroupfs" or not parts:
            return "/" + "/".join(parts)
        return nested("-".join(part.replace("-", "_") for part in parts))


def names_of(driver: Driver, root: str) -> CgroupNames:
    """The names below the configured `cgroupRoot`, a path such as `/` or `/a/b`."""
    return CgroupNames(driver=driver, root=tuple(part for part in root.split("/") if part))
