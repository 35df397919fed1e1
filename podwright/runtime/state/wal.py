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
AGAIN_COMMITS = 25  # after one that others wrote behind: the log starts anew only where all of it is written back
AHEAD_COMMITS = 40  # that may be made while one is under way; SQLite's own cannot be then, and the log has an end
END_TIMEOUT_S = 10.0


class WalWriteback:
    """One thread now and then, with a connection of its own."""

    def __init__(self, path: str) -> None:
        """`path` is the database's."""
        self._path = path
        self._commits = 0
        self._thread: threading.Thread | None = None

    def note_commit(self) -> None:
        """One more; returns at once, but on a disk so slow that the log grows faster than it is written back."""
        self._commits += 1
        if self._thread is not None and self._thread.is_alive():
            if self._commits >= AHEAD_COMMITS:
                self.finish()
        elif self._commits >= EVERY_COMMITS:
            self._commits = 0
            self._thread = threading.Thread(target=self._run, name="checkpoint", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        try:
            with contextlib.closing(sqlite3.connect(self._path, isolation_level=None)) as connection:
                # It waits for no lock.
                [(_, log_pages, written_pages)] = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            if written_pages < log_pages:
                self._commits = EVERY_COMMITS - AGAIN_COMMITS
        except sqlite3.Error as failure:  # a full disk; SQLite will try it, too
            log.info("the state database's log stays long: error=%s", failure)

    def finish(self) -> None:
        """Wait for the one under way."""
        if self._thread is not None:
            self._thread.join(END_TIMEOUT_S)
