"""What CRIU says, as it is understood, and what archives say of their containers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podwright.runtime.checkpoint import documents
from podwright.runtime.checkpoint.capture import dump_error
from podwright.runtime.checkpoint.criu import parse_version
from tests.runtime.events.records import container

DUMP_LOG = """\
(00.059) Warn  (criu/kerndat.c:1103): $XDG_RUNTIME_DIR not set.
(00.151) Error (criu/sk-inet.c:191): inet: Connected TCP socket, consider using --tcp-established option.
(00.152) Unlock network
(00.168) Error (criu/cr-dump.c:2098): Dumping FAILED.
"""


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Version: 3.17.1\nGitID: v3.17.1", (3, 17)),
        ("Version: 4.1", (4, 1)),
        ("Warn: something\nVersion: 3.16\n", (3, 16)),
        ("criu 4", (0, 0)),
        ("", (0, 0)),
    ],
)
def test_versions(text: str, version: tuple[int, int]) -> None:
    assert parse_version(text) == version


def test_the_errors_of_a_dump(tmp_path: Path) -> None:
    log = tmp_path / "dump.log"
    assert dump_error(str(log)) == ""
    log.write_text(DUMP_LOG)
    assert dump_error(str(log)) == "inet: Connected TCP socket, consider using --tcp-established option."
    log.write_text("(00.168) Error (criu/cr-dump.c:2098): Dumping FAILED.\n")
    assert dump_error(str(log)) == "Dumping FAILED."
    log.write_text("(00.1) Dumping finished successfully\n")
    assert dump_error(str(log)) == ""


def test_the_documents_of_a_container() -> None:
    record = container()
    named = documents.of_container(record, b'{"ociVersion": "1.0.2"}', handler="crun", now=1_700_000_000_000_000_001)
    config, status = json.loads(named["config.dump"]), json.loads(named["status.dump"])
    assert named["spec.dump"] == b'{"ociVersion": "1.0.2"}'
    assert config["checkpointedTime"] == "2023-11-14T22:13:20.000000001Z"
    assert (config["id"], config["name"], config["restored"]) == (record.id, record.config.name, False)
    assert status["metadata"]["name"] == record.config.name
    assert json.loads(named["status"])["Pid"] == record.pid
