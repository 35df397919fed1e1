"""The log is written back beside the event loop, and does not grow beyond the room that is kept for it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from podwright.runtime.model.base import Value
from podwright.runtime.state import Database, RecordTable
from podwright.runtime.state.database import RESERVE_BYTES
from podwright.runtime.state.wal import EVERY_COMMITS


class Thing(Value, frozen=True, kw_only=True):
    """A record."""

    size: int


def _without_log(root: Path, copy: Path) -> dict[str, Thing]:
    """What the database itself holds."""
    copy.mkdir()
    shutil.copy(root / "state.db", copy / "state.db")
    database = Database(str(copy))
    try:
        return RecordTable(database, "things", Thing).load()
    finally:
        database.close()


def test_the_log_is_written_back_long_before_sqlite_does_it(tmp_path: Path) -> None:
    root = tmp_path / "root"
    database = Database(str(root))
    try:
        table = RecordTable(database, "things", Thing)
        for number in range(EVERY_COMMITS - 10):
            table.put("a", Thing(size=number))
        assert _without_log(root, tmp_path / "early") == {}
        while database._writeback._thread is None:
            table.put("b", Thing(size=0))
        # No commit meanwhile: SQLite leaves out pages that change under it, and without them this is no database.
        database._writeback._thread.join()
        assert _without_log(root, tmp_path / "late") == {"a": Thing(size=EVERY_COMMITS - 11), "b": Thing(size=0)}
        table.put("b", Thing(size=1))
        assert table.load()["b"] == Thing(size=1)
    finally:
        database.close()


def test_the_log_stays_in_its_room(tmp_path: Path) -> None:
    database = Database(str(tmp_path))
    try:
        table = RecordTable(database, "things", Thing)
        for number in range(20 * EVERY_COMMITS):
            table.put(str(number % 50), Thing(size=number))
        assert os.path.getsize(tmp_path / "state.db-wal") <= RESERVE_BYTES
    finally:
        database.close()
