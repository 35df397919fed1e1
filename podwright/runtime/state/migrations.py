"""Migrations of databases of earlier versions. `database` calls them when it opens one.

Each step changes the format by one version in one transaction, so a killed daemon leaves either format intact. A step
works on the JSON of its time and never imports today's model, because its result must never change.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from typing import Any

from podwright.errors import FailedPrecondition

FORMAT_VERSION = 2  # what this version writes

Document = dict[str, Any]


def migrate(connection: sqlite3.Connection, version: int) -> None:
    """Migrate a database of an earlier `version` to FORMAT_VERSION.

    Raises FailedPrecondition for an invalid record, and sqlite3.Error. In both cases nothing has changed.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        for step in STEPS[version - 1 :]:
            step(connection)
        connection.execute(f"PRAGMA user_version={FORMAT_VERSION}")
        connection.execute("COMMIT")
    except BaseException as failure:
        if connection.in_transaction:  # a full disk may already have rolled it back
            connection.execute("ROLLBACK")
        if isinstance(failure, ValueError):
            raise FailedPrecondition(
                f"cannot migrate the state database to this version's format: {failure}",
                hint="move it away to start empty, or use the version of Podwright that wrote it",
            ) from failure
        raise


def _to_2(connection: sqlite3.Connection) -> None:
    """Move what only handlers use into one part of a record, and rename the table of sandboxes."""
    _rewrite(connection, "containers", _container_to_2)
    _rewrite(connection, "sandboxs", _sandbox_to_2)
    if _has(connection, "sandboxs"):
        connection.execute("ALTER TABLE sandboxs RENAME TO sandboxes")


def _container_to_2(record: Document) -> Document:
    monitor = {key: record.pop(key) for key in ("monitor_pid", "monitor_start_time") if key in record}
    if not monitor.get("monitor_pid"):
        return record
    return record | {"task": monitor | ({"pid": record["pid"]} if record.get("pid") else {})}


def _sandbox_to_2(record: Document) -> Document:
    pid, start_time = record.pop("infra_pid", 0), record.pop("infra_start_time", 0)
    return record | {"pid": pid, "process": {"pid": pid, "start_time": start_time}} if pid else record


STEPS: tuple[Callable[[sqlite3.Connection], None], ...] = (_to_2,)


def _has(connection: sqlite3.Connection, table: str) -> bool:
    return bool(
        connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchall()
    )


def _rewrite(connection: sqlite3.Connection, table: str, change: Callable[[Document], Document]) -> None:
    if not _has(connection, table):
        return
    for key, record in connection.execute(f"SELECT id, record FROM {table}").fetchall():  # noqa: S608 # constant name
        changed = json.dumps(change(json.loads(record))).encode()
        connection.execute(f"UPDATE {table} SET record = ? WHERE id = ?", (changed, key))  # noqa: S608 # constant name
