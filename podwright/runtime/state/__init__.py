"""What outlives the daemon: records in SQLite. See `database`."""

from podwright.runtime.state.database import Database, Table

__all__ = ["Database", "Table"]
