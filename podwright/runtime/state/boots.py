"""Whether the host rebooted since the last recovery. If so, no recorded PID is valid.

A process before and one after a reboot may share PID and start time. Only the kernel's boot id distinguishes them.
"""

from __future__ import annotations

from podwright.linux.machine_files import BOOT_ID
from podwright.runtime.model.base import Value
from podwright.runtime.state.database import Database, RecordTable

KEY = "last"


class Boot(Value, frozen=True, kw_only=True):
    """One boot of the kernel, by its boot id."""

    id: str


def this_boot(path: str = BOOT_ID) -> Boot:
    """The present boot. `path` is the kernel's file with the boot id."""
    with open(path, encoding="ascii") as file:
        return Boot(id=file.read().strip())


class Boots:
    """The boot of the daemon's last recovery."""

    def __init__(self, database: Database, path: str = BOOT_ID) -> None:
        """`path` is the kernel's file with the boot id."""
        self._table: RecordTable[Boot] = RecordTable(database, "boots", Boot)
        self._now = this_boot(path)
        last = self._table.load().get(KEY)
        self.is_new = last is not None and last != self._now

    def recovered(self) -> None:
        """Note that every record agrees with this boot."""
        if self.is_new or not self._table.load():
            self._table.put(KEY, self._now)
