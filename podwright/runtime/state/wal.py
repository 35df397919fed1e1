"""Writes SQLite's log (WAL) back into the database beside the event loop. Used by `database` alone.

Otherwise SQLite does so during the commit that makes the log a thousand pages long, and waits for the disk three
times. On a good disk that adds some milliseconds to every thirtieth pod start.
"""

from __future__ import annotations

import contextlib
import logging
import sqlite3
import threading

log = logging.getLogger(__name__)

EVERY_COMMITS = 250  # of two or three pages each, well before SQLite does it by itself
AGAIN_COMMITS = 25  # after an incomplete write-back: the log restarts only when all of it is written back
AHEAD_COMMITS = 40  # allowed during a write-back, which blocks SQLite's own and would let the log grow without limit
END_TIMEOUT_S = 10.0


class WalWriteback:
    """One thread from time to time, with its own connection."""

    def __init__(self, path: str) -> None:
        """`path` is the path of the database."""
        self._path = path
        self._commits = 0
        self._thread: threading.Thread | None = None

    def note_commit(self) -> None:
        """Count a commit. Returns at once, unless a slow disk lets the log grow faster than it is written back."""
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
                # PASSIVE waits for no lock.
                [(_, log_pages, written_pages)] = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            if written_pages < log_pages:
                self._commits = EVERY_COMMITS - AGAIN_COMMITS
        except sqlite3.Error as failure:  # such as a full disk; SQLite tries again by itself
            log.info("state database log is not written back: error=%s", failure)

    def finish(self) -> None:
        """Wait for the write-back in progress."""
        if self._thread is not None:
            self._thread.join(END_TIMEOUT_S)
