"""Records of runs."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from podwright.agent.run.runs import (
    RunPod,
    RunRecord,
    abandoned,
    agent_root,
    claimed,
    forget,
    held_pods,
    log_directories,
    remove_root,
)
from podwright.agent.volumes.shared_root import make_shared
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


def test_the_agent_s_directory_goes_with_the_last_pod(tmp_path: Path) -> None:
    root = str(tmp_path)
    with claimed(root, "aa") as log:
        log.write(RECORD)
    own = Path(agent_root(root, "aa"))
    (own / "pods" / "uid-b").mkdir(parents=True)
    forget(root, RECORD, frozenset({"uid-a"}))
    remove_root(str(own))
    assert own.is_dir()
    (own / "pods" / "uid-b").rmdir()
    (own / "cpu_manager_state").write_text("{}")  # a manager's file
    forget(root, RECORD, frozenset({"uid-a", "uid-b"}))
    assert os.listdir(tmp_path / "runs") == []
    remove_root(str(own))


@pytest.mark.root
def test_the_agent_s_directory_is_no_mount_any_more(tmp_path: Path) -> None:
    own = tmp_path / "runs" / "aa"
    (own / "pods").mkdir(parents=True)
    make_shared(str(own))
    remove_root(str(own))
    assert not own.exists()
    assert str(own) not in Path("/proc/self/mountinfo").read_text()


def test_the_logs_of_a_pod_are_found(tmp_path: Path) -> None:
    for name in ("default_web_uid1", "default_web_uid2", "uid1"):
        (tmp_path / name).mkdir()
    assert log_directories(str(tmp_path), "uid1") == [str(tmp_path / "default_web_uid1")]
    shutil.rmtree(tmp_path)
    assert log_directories(str(tmp_path), "uid1") == []
