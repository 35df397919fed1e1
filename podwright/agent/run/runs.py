"""Keeps records of runs on this machine, so that a later command finds the pods of an earlier one.

`runs/ID.json` is the record of a run, and `runs/ID/` the root directory of its agent: each run has its own, because an
agent removes the directories of all unknown pods. A run holds the lock of its record while it runs. A record without a
lock is of a detached or killed run. Calls block, but not for long.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
from collections.abc import Iterator

import msgspec

from podwright.agent.gc.dead import uid_of_log_directory
from podwright.agent.volumes.shared_root import undo_shared
from podwright.errors import FailedPrecondition
from podwright.linux.files import remove_file, replace_file

log = logging.getLogger(__name__)

FOLDER = "runs"
SUFFIX = ".json"
PODS = "pods"
LIMIT_BYTES = 4 * 1024 * 1024
DEFAULT_LOG_ROOT = "/var/log/pods"


class RunPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod of a run. `owner` is its workload (`Job default/work`), `grace_s` the seconds that it may take to end."""

    namespace: str
    name: str
    uid: str
    owner: str
    grace_s: int = 30

    @property
    def full_name(self) -> str:
        """namespace/name, for people."""
        return f"{self.namespace}/{self.name}"


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a run makes at an endpoint. Written before its pods are made."""

    run_id: str
    endpoint: str
    pods: tuple[RunPod, ...] = ()
    detached: bool = False
    log_root: str = DEFAULT_LOG_ROOT


class RunLog:
    """The record of this run. `write` replaces it."""

    def __init__(self, path: str, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def write(self, record: RunRecord) -> None:
        """Replace the record. Raises FailedPrecondition."""
        data = msgspec.json.encode(record)
        try:
            os.pwrite(self._descriptor, data, 0)
            os.ftruncate(self._descriptor, len(data))
            os.fsync(self._descriptor)
        except OSError as failure:
            raise FailedPrecondition(f"cannot write {self._path}: {failure.strerror}") from failure

    def remove(self) -> None:
        """Remove the record, because nothing of the run is left."""
        remove_file(self._path)


def agent_root(root: str, run_id: str) -> str:
    """The root directory of the agent of a run."""
    return os.path.join(root, FOLDER, run_id)


def remove_root(path: str) -> None:
    """Remove the root directory of a run's agent, unless it has something of a pod. Raises OSError."""
    try:
        os.rmdir(os.path.join(path, PODS))
    except FileNotFoundError:
        pass
    except OSError as failure:
        if failure.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return
        raise
    with contextlib.suppress(FileNotFoundError):
        undo_shared(path)
        for entry in list(os.scandir(path)):
            if entry.is_file(follow_symlinks=False):  # state of the agent's managers
                os.unlink(entry.path)
        os.rmdir(path)


def log_directories(log_root: str, uid: str) -> list[str]:
    """The directories of a pod's logs."""
    try:
        names = os.listdir(log_root)
    except FileNotFoundError:
        return []
    return [os.path.join(log_root, name) for name in names if uid_of_log_directory(name) == uid]


@contextlib.contextmanager
def claimed(root: str, run_id: str) -> Iterator[RunLog]:
    """Make a record and hold its lock. `run_id` is hexadecimal. Raises FailedPrecondition."""
    folder = os.path.join(root, FOLDER)
    path = os.path.join(folder, f"{run_id}{SUFFIX}")
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as failure:
        raise FailedPrecondition(f"cannot use {folder}: {failure.strerror}", hint="run as root") from failure
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield RunLog(path, descriptor)
    finally:
        os.close(descriptor)


def abandoned(root: str, endpoint: str) -> list[RunRecord]:
    """The records of ended runs on the endpoint. Invalid ones are skipped."""
    return [record for path in _paths(root) if (record := _unheld(path)) is not None and record.endpoint == endpoint]


def held_pods(root: str, endpoint: str) -> frozenset[str]:
    """The UIDs of pods whose run still runs."""
    unheld = {record.run_id for record in abandoned(root, endpoint)}
    records = [record for path in _paths(root) if (record := _read(path)) is not None]
    return frozenset(pod.uid for each in records if each.run_id not in unheld for pod in each.pods)


def forget(root: str, record: RunRecord, uids: frozenset[str]) -> None:
    """Remove gone pods from the record.

    With the last one, remove the record and the agent's directory. Raises FailedPrecondition.
    """
    path = os.path.join(root, FOLDER, f"{record.run_id}{SUFFIX}")
    left = tuple(pod for pod in record.pods if pod.uid not in uids)
    try:
        if not left:
            remove_root(agent_root(root, record.run_id))
            os.unlink(path)
            return
        replace_file(path, msgspec.json.encode(msgspec.structs.replace(record, pods=left)), mode=0o600)
    except FileNotFoundError:
        return
    except OSError as failure:
        raise FailedPrecondition(f"cannot change {path}: {failure.strerror}") from failure


def _paths(root: str) -> list[str]:
    folder = os.path.join(root, FOLDER)
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [os.path.join(folder, name) for name in names if name.endswith(SUFFIX)]


def _unheld(path: str) -> RunRecord | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return None
    finally:
        os.close(descriptor)
    return _read(path)


def _read(path: str) -> RunRecord | None:
    try:
        with open(path, "rb") as file:
            return msgspec.json.decode(file.read(LIMIT_BYTES), type=RunRecord)
    except (OSError, msgspec.DecodeError) as failure:
        log.warning("a record of a run cannot be read: file=%s error=%s", path, failure)
        return None
