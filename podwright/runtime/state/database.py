"""Records in SQLite: one table per kind, one JSON document per row, decoded into frozen structs. Not for blobs.

Each service owns its table and keeps the decoded records in memory. A change is committed here before the RPC that
made it answers. The database uses WAL without fsync per commit. `kill -9` loses nothing. A power cut loses the last
moments at most, and recovery at the next start repairs that.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from collections.abc import Iterator
from typing import Generic, TypeVar

import msgspec

from podwright.errors import FailedPrecondition, Internal, ResourceExhausted
from podwright.linux.files import remove_file
from podwright.runtime.state.clock import RecordClock
from podwright.runtime.state.lock import hold
from podwright.runtime.state.migrations import FORMAT_VERSION, migrate
from podwright.runtime.state.wal import WalWriteback
from podwright.timeline import Step

# SQLite restarts its log when it reaches 1000 pages. With that space always allocated, small changes (the end of
# a container, its removal) succeed on a full disk.
RESERVE_BYTES = 4608 * 1024
FREE_BYTES = 512 * 1024  # and this much in the database itself, into which the log is written back
Record = TypeVar("Record", bound=msgspec.Struct)


class Database:
    """The daemon's database. Whoever has it open owns the root, so a second daemon is rejected."""

    def __init__(self, root: str) -> None:
        """Open or create `root`/state.db. Raises FailedPrecondition if another daemon owns this root."""
        self._lock = hold(root, flag="--root")
        self._path = f"{root}/state.db"
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        remove_file(self._spare)
        self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        self._writeback = WalWriteback(self._path)
        self._depth = 0
        self.clock = RecordClock()  # for the times of all records
        self._open()
        _reserve(f"{self._path}-wal")
        with contextlib.suppress(sqlite3.OperationalError):  # the disk is full
            self._keep_free_pages()

    @property
    def _spare(self) -> str:
        """Reserves disk space for the log until the next start, because SQLite deletes the log when it closes."""
        return f"{self._path}-spare"

    def _open(self) -> None:
        try:
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=5000"):
                self._connection.execute(f"PRAGMA {pragma}")
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._connection.execute(f"PRAGMA user_version={FORMAT_VERSION}")
            elif version < FORMAT_VERSION:
                migrate(self._connection, version)
        except sqlite3.DatabaseError as failure:
            if failure.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise self._full() from failure
            raise FailedPrecondition(
                f"cannot read the state database {self._path}: {failure}", hint="move it away to start empty"
            ) from failure
        if version > FORMAT_VERSION:
            raise FailedPrecondition(
                f"the state database {self._path} has format {version}, newer than this version's {FORMAT_VERSION}",
                hint="use the version of Podwright that wrote it",
            )

    def _keep_free_pages(self) -> None:
        """Allocate pages and free them. Free pages stay in the file and are used again."""
        run = self._connection.execute
        (pages,), (page_bytes,) = run("PRAGMA freelist_count").fetchone(), run("PRAGMA page_size").fetchone()
        if pages * page_bytes < FREE_BYTES // 2:
            run("CREATE TABLE IF NOT EXISTS room (filler BLOB)")
            run("INSERT INTO room VALUES (zeroblob(?))", (FREE_BYTES,))
            run("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            run("DROP TABLE room")

    def _full(self) -> ResourceExhausted:
        return ResourceExhausted(f"the disk that holds {self._path} is full", hint="free some disk space")

    def execute(self, statement: str, *parameters: object) -> list[tuple[object, ...]]:
        """Run one statement. Raises ResourceExhausted if the disk is full, and Internal for other failures."""
        try:
            with Step("state"):
                rows = self._connection.execute(statement, parameters).fetchall()
        except sqlite3.OperationalError as failure:
            if failure.sqlite_errorcode == sqlite3.SQLITE_FULL:
                raise self._full() from failure
            raise Internal(f"state database: {failure}") from failure
        if not self._connection.in_transaction:
            self._writeback.note_commit()
        return rows

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all statements inside at once, or none if it raises. May be nested."""
        outermost = self._depth == 0
        if outermost:
            self.execute("BEGIN IMMEDIATE")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._depth -= 1
            if outermost and self._connection.in_transaction:  # a full disk may already have rolled it back
                self.execute("ROLLBACK")
            raise
        self._depth -= 1
        if outermost:
            self.execute("COMMIT")

    def close(self) -> None:
        """Close the database and release the root."""
        self._writeback.finish()
        self._connection.close()
        _reserve(self._spare)
        os.close(self._lock)


class RecordTable(Generic[Record]):
    """Records of one kind by id. Calls take tens of microseconds and run on the event loop."""

    def __init__(self, database: Database, name: str, kind: type[Record]) -> None:
        """`name` must be a constant, never input."""
        self._database = database
        self._name = name
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(kind)
        database.execute(
            f"CREATE TABLE IF NOT EXISTS {name} (id TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID"
        )

    def put(self, key: str, record: Record) -> None:
        """Insert or replace."""
        self._database.execute(
            f"INSERT INTO {self._name} VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET record = excluded.record",  # noqa: S608 # constant name
            key,
            self._encoder.encode(record),
        )

    def delete(self, key: str) -> None:
        """Delete the record. An absent key succeeds."""
        self._database.execute(f"DELETE FROM {self._name} WHERE id = ?", key)  # noqa: S608 # constant name

    def load(self) -> dict[str, Record]:
        """All records. Raises Internal if a record does not decode."""
        rows = self._database.execute(f"SELECT id, record FROM {self._name}")  # noqa: S608 # constant name
        try:
            return {str(key): self._decoder.decode(record) for key, record in rows}  # type: ignore[arg-type] # a BLOB column
        except msgspec.DecodeError as failure:
            raise Internal(f"table {self._name}: a record does not decode: {failure}") from failure


def _reserve(path: str) -> None:
    """Allocate RESERVE_BYTES for a file, or less if the disk is full. SQLite reads zeros as the end of the log."""
    fd = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, RESERVE_BYTES)
    except OSError as failure:
        if failure.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EOPNOTSUPP):
            raise
    finally:
        os.close(fd)
