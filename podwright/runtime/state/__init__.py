"""What outlives the daemon: records in SQLite (`database`), and the same in memory (`store`)."""

from podwright.runtime.state.boots import Boots
from podwright.runtime.state.clock import Clock
from podwright.runtime.state.database import Database, Table
from podwright.runtime.state.lock import hold
from podwright.runtime.state.store import Store

__all__ = ["Boots", "Clock", "Database", "Store", "Table", "hold"]
