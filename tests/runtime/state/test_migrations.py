"""Databases of earlier versions: what their records become."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from podwright.errors import FailedPrecondition
from podwright.runtime.state import Database

TABLE = "CREATE TABLE {} (id TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID"


def _write(root: Path, version: int, tables: dict[str, dict[str, Any]]) -> None:
    with closing(sqlite3.connect(root / "state.db")) as connection, connection:
        connection.execute(f"PRAGMA user_version={version}")
        for table, records in tables.items():
            connection.execute(TABLE.format(table))
            for key, record in records.items():
                connection.execute(f"INSERT INTO {table} VALUES (?, ?)", (key, json.dumps(record).encode()))


def _read(root: Path, table: str) -> dict[str, Any]:
    with closing(sqlite3.connect(root / "state.db")) as connection:
        return {key: json.loads(record) for key, record in connection.execute(f"SELECT id, record FROM {table}")}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(
            {"id": "c", "pid": 7, "monitor_pid": 5, "monitor_start_time": 99},
            {"id": "c", "pid": 7, "task": {"monitor_pid": 5, "monitor_start_time": 99, "pid": 7}},
            id="running",
        ),
        pytest.param(
            {"id": "c", "monitor_pid": 5, "monitor_start_time": 99},
            {"id": "c", "task": {"monitor_pid": 5, "monitor_start_time": 99}},
            id="being started",
        ),
        pytest.param({"id": "c"}, {"id": "c"}, id="never started"),
    ],
)
def test_what_the_handler_knows_of_a_container_is_one_part_of_its_record(
    tmp_path: Path, before: dict[str, Any], after: dict[str, Any]
) -> None:
    _write(tmp_path, 1, {"containers": {"c": before}})
    Database(str(tmp_path)).close()
    assert _read(tmp_path, "containers") == {"c": after}


def test_sandboxes_keep_their_first_processes_in_a_table_of_the_right_name(tmp_path: Path) -> None:
    with_process = {"id": "a", "infra_pid": 8, "infra_start_time": 4}
    _write(tmp_path, 1, {"sandboxs": {"a": with_process, "b": {"id": "b"}}})
    Database(str(tmp_path)).close()
    assert _read(tmp_path, "sandboxes") == {
        "a": {"id": "a", "pid": 8, "process": {"pid": 8, "start_time": 4}},
        "b": {"id": "b"},
    }


def test_an_empty_database_of_an_earlier_version(tmp_path: Path) -> None:
    _write(tmp_path, 1, {})
    Database(str(tmp_path)).close()
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (2,)


def test_a_record_that_is_spoiled_changes_nothing(tmp_path: Path) -> None:
    _write(tmp_path, 1, {"containers": {"c": {"id": "c", "monitor_pid": 5}}})
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection, connection:
        connection.execute("INSERT INTO containers VALUES ('d', ?)", (b"not JSON",))
    with pytest.raises(FailedPrecondition, match="cannot migrate the state database to this version's format"):
        Database(str(tmp_path))
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (1,)
        assert json.loads(connection.execute("SELECT record FROM containers WHERE id = 'c'").fetchone()[0]) == {
            "id": "c",
            "monitor_pid": 5,
        }


def test_a_later_version_is_refused(tmp_path: Path) -> None:
    _write(tmp_path, 99, {})
    with pytest.raises(FailedPrecondition, match="has format 99"):
        Database(str(tmp_path))
