"""Pod directories on this machine: claimed by a lock while a run lives, swept when their run and pod are gone.

A run that was killed cannot clean up; the next one on the same endpoint does. Blocking, but short.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from podwright.agent.seed.volumes.prepare import remove_pod_directory
from podwright.errors import FailedPrecondition, PodwrightError

log = logging.getLogger(__name__)

LOCK_NAME = "run.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlace:
    """One pod's directory; `endpoint` is where its sandbox lives."""

    directory: str
    log_directory: str
    endpoint: str


def pods_root(agent_root: str) -> str:
    """Where the pods' directories are."""
    return os.path.join(agent_root, "pods")


@contextlib.contextmanager
def claimed(place: PodPlace) -> Iterator[None]:
    """Make the directory and hold its lock. Raises FailedPrecondition, such as for a UID that is in use."""
    try:
        os.makedirs(place.directory, mode=0o750, exist_ok=True)
        descriptor = os.open(os.path.join(place.directory, LOCK_NAME), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as failure:
        raise FailedPrecondition(f"cannot use {place.directory}: {failure}", hint="run as root") from failure
    try:
        if not _locked(descriptor):
            raise FailedPrecondition(f"another run holds {place.directory}", hint="remove metadata.uid")
        facts = {"endpoint": place.endpoint, "log_directory": place.log_directory}
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(facts).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def remove(place: PodPlace) -> None:
    """Take down volumes, files and logs of a pod that is gone. Raises PodwrightError, OSError."""
    remove_pod_directory(place.directory)
    shutil.rmtree(place.log_directory, ignore_errors=True)


def sweep(agent_root: str, endpoint: str, known_uids: frozenset[str]) -> list[str]:
    """Remove what dead runs on `endpoint` left of pods that the runtime does not know any more; their UIDs."""
    removed = []
    for uid in _entries(pods_root(agent_root)):
        if uid in known_uids:
            continue
        directory = os.path.join(pods_root(agent_root), uid)
        place = abandoned(directory)
        if place is None or place.endpoint != endpoint:
            continue
        try:
            remove(place)
            removed.append(uid)
        except (PodwrightError, OSError) as failure:
            log.warning("left-over pod directory cannot be removed directory=%s error=%s", directory, failure)
    return removed


def _entries(root: str) -> list[str]:
    try:
        return sorted(os.listdir(root))
    except FileNotFoundError:
        return []


def abandoned(directory: str) -> PodPlace | None:
    """What the run wrote, if no run holds the directory (any more)."""
    try:
        descriptor = os.open(os.path.join(directory, LOCK_NAME), os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        if not _locked(descriptor):
            return None
        facts = json.loads(os.pread(descriptor, 65536, 0) or b"{}")
        return PodPlace(
            directory=directory,
            log_directory=str(facts.get("log_directory") or directory),
            endpoint=str(facts.get("endpoint") or ""),
        )
    except ValueError:
        return None
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
