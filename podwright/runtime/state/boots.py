"""Whether the host has been booted anew since the last recovery: then no PID on record means anything any more.

A process of before and one of after may share number and start time; only the kernel's boot id tells them apart.
"""

from __future__ import annotations

from podwright.runtime.model.base import Value
from podwright.runtime.state.database import Database, RecordTable

BOOT_ID = "/proc/sys/kernel/random/boot_id"
KEY = "last"


class Boot(Value, frozen=True, kw_only=True):
    """One run of the kernel, by the id that it gives itself."""

    id: str


class Boots:
    """The boot in which the daemon recovered last, on record."""

    def __init__(self, database: Database, path: str = BOOT_ID) -> None:
        """`path` is where the kernel tells its id."""
        self._table: RecordTable[Boot] = RecordTable(database, "boots", Boot)
        with open(path, encoding="ascii") as file:
            self._now = Boot(id=file.read().strip())
        last = self._table.load().get(KEY)
        self.is_new = last is not None and last != self._now

    def recovered(self) -> None:
        """Every record agrees with this boot now."""
        if self.is_new or not self._table.load():
            self._table.put(KEY, self._now)
