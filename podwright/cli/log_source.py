"""Finds a container's log: the runtime names a file of its own machine."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from podwright.cri.v1 import api_pb2 as api
from podwright.errors import FailedPrecondition, NotFound

if TYPE_CHECKING:
    from podwright.cri.client import CriClient

# The name of a container's log for one attempt, as in a kubelet and the agent.
_ATTEMPT_LOG = re.compile(r"(\d+)\.log", re.ASCII)


async def log_of(cri: CriClient, container_id: str, *, may_come: bool = False) -> str:
    """The path. Raises FailedPrecondition if the container has no log, NotFound if the file does not exist here.

    With `may_come`, its directory is enough, because the file is absent before the start and during a rotation.
    """
    path = (await _status(cri, container_id)).log_path
    if not path:
        raise FailedPrecondition(f"container {container_id[:13]} has no log", hint="its pod has no log directory")
    if not os.path.exists(os.path.dirname(path) if may_come else path):
        raise NotFound(f"the log {path} does not exist", hint="has the container started, on this machine?")
    return path


async def log_before(cri: CriClient, container_id: str) -> str:
    """The path of the log of the previous attempt. Only its log may still exist.

    Raises NotFound and FailedPrecondition.
    """
    status = await _status(cri, container_id)
    earlier = await _attempt_before(cri, container_id)
    if earlier is not None:
        return await log_of(cri, earlier)
    path = _log_file_before(status.log_path)
    if path is None:
        name = f"container {status.metadata.name} (attempt {status.metadata.attempt})"
        raise NotFound(f"{name} has no attempt before this one", hint="it was removed with its log, or did not exist")
    return path


async def is_over(cri: CriClient, container_id: str) -> bool:
    """Whether the container has ended and writes no more. Raises what the call raises, except NotFound."""
    try:
        return (await _status(cri, container_id)).state in (api.CONTAINER_EXITED, api.CONTAINER_UNKNOWN)
    except NotFound:
        return True


async def _status(cri: CriClient, container_id: str) -> api.ContainerStatus:
    request = api.ContainerStatusRequest(container_id=container_id)
    return (await cri.call(cri.runtime.ContainerStatus, request)).status


async def _attempt_before(cri: CriClient, container_id: str) -> str | None:
    """The id of the container that this one replaced."""
    listed = await cri.call(cri.runtime.ListContainers, api.ListContainersRequest())
    this = next((each for each in listed.containers if each.id == container_id), None)
    if this is None:
        raise NotFound(f"container {container_id[:13]} is gone")
    earlier = [
        each
        for each in listed.containers
        if each.pod_sandbox_id == this.pod_sandbox_id
        and each.metadata.name == this.metadata.name
        and each.metadata.attempt < this.metadata.attempt
    ]
    return max(earlier, key=lambda each: each.metadata.attempt).id if earlier else None


def _log_file_before(path: str) -> str | None:
    """The newest log of an earlier attempt in the same directory."""
    directory, name = os.path.split(path)
    this = _ATTEMPT_LOG.fullmatch(name)
    if this is None or not os.path.isdir(directory):
        return None
    found = (_ATTEMPT_LOG.fullmatch(each) for each in os.listdir(directory))
    earlier = [int(each[1]) for each in found if each is not None and int(each[1]) < int(this[1])]
    return os.path.join(directory, f"{max(earlier)}.log") if earlier else None
