"""What outlives the daemon: records in SQLite (`database`) with a copy in memory (`store`)."""

from podwright.runtime.state.boots import BOOT_ID, Boots
from podwright.runtime.state.clock import RecordClock
from podwright.runtime.state.database import Database, RecordTable
from podwright.runtime.state.lock import hold
from podwright.runtime.state.store import Store

__all__ = ["BOOT_ID", "Boots", "Database", "RecordClock", "RecordTable", "Store", "hold"]
