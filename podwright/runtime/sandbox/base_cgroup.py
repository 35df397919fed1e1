"""The base cgroup, which holds the pods whose request names no parent: whether we made it.

An OCI runtime creates it with the first such pod. It may be another program's too: the cgroup root of a node agent, or
a slice that an administrator limits. Such a one stays.
"""

from __future__ import annotations

import os

from podwright.linux.cgroup import CgroupHost
from podwright.linux.machine_files import BOOT_ID
from podwright.linux.slices import nested
from podwright.runtime.config import ContainerSettings
from podwright.runtime.oci_spec.cgroups import slice_name
from podwright.runtime.state import Boot, Database, RecordTable, this_boot


class BaseCgroup:
    """The configured base cgroup. It is ours if it was absent at a start of the daemon in this boot."""

    def __init__(
        self, settings: ContainerSettings, cgroups: CgroupHost, database: Database, boot_id_path: str = BOOT_ID
    ) -> None:
        """Look whether it is there. `boot_id_path` is the kernel's file with the boot id."""
        self.name = settings.cgroup_parent
        systemd = settings.cgroup_driver == "systemd"
        self._directories = cgroups.directories(nested(slice_name(self.name)) if systemd else self.name)
        now = this_boot(boot_id_path)  # cgroups do not survive a reboot
        table: RecordTable[Boot] = RecordTable(database, "base_cgroups", Boot)  # when one was absent, by its path
        self._ours = table.load().get(self.name) == now
        if not self._ours and not any(os.path.isdir(directory) for directory in self._directories):
            table.put(self.name, now)
            self._ours = True

    def is_removable(self) -> bool:
        """Whether we made it and no cgroup is below it in any hierarchy."""
        return self._ours and not any(map(_has_children, self._directories))


def _has_children(directory: str) -> bool:
    try:
        with os.scandir(directory) as entries:
            return any(entry.is_dir() for entry in entries)
    except FileNotFoundError:
        return False
