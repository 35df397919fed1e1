"""Records of runs."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from podwright.agent.run.runs import RunPod, RunRecord, abandoned, claimed, forget, held_pods
from podwright.errors import FailedPrecondition

ENDPOINT = "unix:///x.sock"
PODS = tuple(RunPod(namespace="default", name=name, uid=f"uid-{name}", owner=f"Pod default/{name}") for name in "ab")
RECORD = RunRecord(run_id="aa", endpoint=ENDPOINT, pods=PODS, detached=True)


def test_a_run_that_lives_holds_its_record(tmp_path: Path) -> None:
    root = str(tmp_path)
    with claimed(root, "aa") as log:
        log.write(RECORD)
        assert abandoned(root, ENDPOINT) == []
        assert held_pods(root, ENDPOINT) == {"uid-a", "uid-b"}
        assert stat.S_IMODE(os.stat(tmp_path / "runs" / "aa.json").st_mode) == 0o600
        with pytest.raises(FailedPrecondition, match="cannot use"), claimed(root, "aa"):
            pass
    assert abandoned(root, ENDPOINT) == [RECORD]
    assert held_pods(root, ENDPOINT) == frozenset()
    assert abandoned(root, "unix:///other.sock") == []


def test_a_record_is_replaced_by_a_shorter_one(tmp_path: Path) -> None:
    with claimed(str(tmp_path), "aa") as log:
        log.write(RECORD)
        log.write(RunRecord(run_id="aa", endpoint=ENDPOINT))
    assert abandoned(str(tmp_path), ENDPOINT) == [RunRecord(run_id="aa", endpoint=ENDPOINT)]


def test_a_run_that_leaves_nothing_removes_its_record(tmp_path: Path) -> None:
    with claimed(str(tmp_path), "aa") as log:
        log.write(RECORD)
        log.remove()
        log.remove()
    assert abandoned(str(tmp_path), ENDPOINT) == []


def test_a_record_goes_with_its_last_pod(tmp_path: Path) -> None:
    root = str(tmp_path)
    with claimed(root, "aa") as log:
        log.write(RECORD)
    forget(root, RECORD, frozenset({"uid-a"}))
    (left,) = abandoned(root, ENDPOINT)
    assert [pod.name for pod in left.pods] == ["b"]
    forget(root, left, frozenset({"uid-b"}))
    forget(root, left, frozenset({"uid-b"}))
    assert os.listdir(tmp_path / "runs") == []


def test_records_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "bb.json").write_text('{"run_id": ')
    (tmp_path / "runs" / "cc.txt").write_text("")
    assert abandoned(str(tmp_path), ENDPOINT) == []
    assert abandoned(str(tmp_path / "none"), ENDPOINT) == []
