"""A new version of the daemon finds what runs since the old one: its database has the format of that time."""

from __future__ import annotations

import contextlib
import json
import signal
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from podwright.cri.v1 import api_pb2 as api
from tests.faults.node import Node

pytestmark = [pytest.mark.root]

SHARED_PID = api.NamespaceOption(pid=api.POD)


def _to_format_1(path: Path) -> None:
    """Write the records as the first version did."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE sandboxes RENAME TO sandboxs")
        for table, change in (("containers", _container_to_1), ("sandboxs", _sandbox_to_1)):
            for key, record in connection.execute(f"SELECT id, record FROM {table}").fetchall():
                changed = json.dumps(change(json.loads(record))).encode()
                connection.execute(f"UPDATE {table} SET record = ? WHERE id = ?", (changed, key))
        connection.execute("PRAGMA user_version=1")


def _container_to_1(record: dict[str, Any]) -> dict[str, Any]:
    task = record.pop("task", {})
    return record | {key: value for key, value in task.items() if key != "pid"}


def _sandbox_to_1(record: dict[str, Any]) -> dict[str, Any]:
    process = record.pop("process", {})
    record.pop("pid", None)
    return record | {f"infra_{key}": value for key, value in process.items()}


@pytest.mark.parametrize("namespaces", [api.NamespaceOption(pid=api.CONTAINER), SHARED_PID], ids=["own", "shared"])
async def test_pods_of_the_first_version_run_on(node: Node, namespaces: api.NamespaceOption) -> None:
    pod = await node.pod(namespaces=namespaces)
    running, created = await pod.run(name="running"), await pod.create(name="created")
    ended = await pod.run(("sh", "-c", "exit 4"), name="ended")
    await pod.exited(ended)
    node.server.kill9()
    _to_format_1(node.server.root / "state.db")
    await node.again()
    assert (await node.status(pod)).state == api.SANDBOX_READY
    assert (await pod.exec(running, "echo", "here")).stdout == b"here\n"
    assert (await pod.exited(ended)).exit_code == 4
    await pod.start(created)
    await pod.stop(running, timeout=0)
    assert (await pod.exited(running)).exit_code == 128 + signal.SIGKILL
    await node.audited()
    await node.emptied()
