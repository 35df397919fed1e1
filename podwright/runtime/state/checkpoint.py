"""Writing SQLite's log back into the database beside the event loop, before SQLite does it in the middle of a commit.

SQLite does so with the commit that makes the log a thousand pages long, and waits for the disk three times: some
milliseconds on a good one, of every thirtieth pod's start. Used by `database` alone.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading

log = logging.getLogger(__name__)

EVERY_COMMITS = 250  # at two or three pages each, well before SQLite's own
END_TIMEOUT_S = 10.0


class Checkpoints:
    """One thread now and then, with a connection of its own."""

    def __init__(self, path: str) -> None:
        """`path` is the database's."""
        self._path = path
        self._commits = 0
        self._thread: threading.Thread | None = None

    def note_commit(self) -> None:
        """One more; returns at once."""
        self._commits += 1
        if self._commits >= EVERY_COMMITS and (self._thread is None or not self._thread.is_alive()):
            self._commits = 0
            self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()  # waits for no lock
        except sqlite3.Error as failure:  # a full disk; SQLite will try it, too
            log.info("the state database's log stays long: error=%s", failure)

    def finish(self) -> None:
        """Wait for the one under way."""
        if self._thread is not None:
            self._thread.join(END_TIMEOUT_S)
