"""The kubelet's files `allocated_pods_state` and `actuated_pods_state`, which a kubelet and this agent can share.

A file holds JSON as text, with its checksum: FNV-1a of 32 bits over the text as Go's spew prints it
(pkg/kubelet/checkpointmanager of Kubernetes 1.36).
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

import msgspec

from podwright.agent.pods.allocation import PodAllocation
from podwright.agent.pods.hashes import fnv32a
from podwright.errors import InvalidArgument, PodwrightError
from podwright.k8s.codec import from_document, to_document
from podwright.k8s.objects import ResourceRequirements
from podwright.linux.files import replace_file

log = logging.getLogger(__name__)

ALLOCATED, ACTUATED = "allocated_pods_state", "actuated_pods_state"
SIZE_LIMIT_BYTES = 16 << 20

Allocations = dict[str, PodAllocation]


class _AllocationFile(msgspec.Struct):
    data: str
    checksum: int


class _AllocationEntry(msgspec.Struct):
    container_resources: dict[str, object] | None = msgspec.field(name="ContainerResources", default=None)
    pod_resources: object = msgspec.field(name="PodLevelResources", default=None)


class _Entries(msgspec.Struct, omit_defaults=True):
    entries: dict[str, _AllocationEntry] = {}


def checksum(text: str) -> int:
    """The checksum that belongs to the text."""
    return fnv32a(b"(string)" + text.encode())


def encode(allocations: Mapping[str, PodAllocation]) -> bytes:
    """The file's content. Pods are named by UID."""
    entries = {
        uid: _AllocationEntry(
            container_resources={name: to_document(each) for name, each in allocation.containers.items()},
            pod_resources=to_document(allocation.pod) if allocation.pod is not None else None,
        )
        for uid, allocation in allocations.items()
    }
    text = msgspec.json.encode(_Entries(entries=entries)).decode()
    return msgspec.json.encode(_AllocationFile(data=text, checksum=checksum(text)))


def decode(content: bytes) -> Allocations:
    """Parse a file. Raises InvalidArgument."""
    try:
        file = msgspec.json.decode(content, type=_AllocationFile)
        if file.checksum != checksum(file.data):
            raise InvalidArgument("the checksum does not match")
        entries = msgspec.json.decode(file.data, type=_Entries).entries
    except msgspec.MsgspecError as failure:
        raise InvalidArgument(str(failure)) from failure
    return {
        uid: PodAllocation(
            containers={
                name: from_document(each, ResourceRequirements)
                for name, each in (entry.container_resources or {}).items()
            },
            pod=from_document(entry.pod_resources, ResourceRequirements) if entry.pod_resources else None,
        )
        for uid, entry in entries.items()
    }


def read(path: str) -> Allocations:
    """Read the file. Empty if it is absent. Raises OSError.

    A damaged file is renamed, and pods count as allocated what they request. (A kubelet would not start, and no pod
    would be synced.)
    """
    try:
        with open(path, "rb") as file:
            content = file.read(SIZE_LIMIT_BYTES + 1)
    except FileNotFoundError:
        return {}
    try:
        if len(content) > SIZE_LIMIT_BYTES:
            raise InvalidArgument(f"it has more than {SIZE_LIMIT_BYTES} bytes")
        return decode(content)
    except PodwrightError as failure:
        os.replace(path, f"{path}.damaged")
        log.warning("a damaged record of pods' resources is set aside: file=%s.damaged error=%s", path, failure)
        return {}


def write(path: str, allocations: Mapping[str, PodAllocation]) -> None:
    """Replace the file. Raises OSError.

    It is not synced to disk: after a power cut no container runs, and pods are admitted again.
    """
    replace_file(path, encode(allocations), mode=0o600)
