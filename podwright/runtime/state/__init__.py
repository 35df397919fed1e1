"""What outlives the daemon: records in SQLite with a copy in memory.

`store` has the records of one kind, `database` the tables, with `migrations` from earlier versions and `wal` for
SQLite's log. `lock` allows one daemon for a directory, `boots` notices a reboot, `clock` gives times.
"""

from podwright.runtime.state.boots import Boot, Boots, this_boot
from podwright.runtime.state.clock import RecordClock
from podwright.runtime.state.database import Database, RecordTable
from podwright.runtime.state.lock import hold
from podwright.runtime.state.store import Store

__all__ = ["Boot", "Boots", "Database", "RecordClock", "RecordTable", "Store", "hold", "this_boot"]
