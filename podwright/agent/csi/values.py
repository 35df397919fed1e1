"""The arguments and answers of calls to a CSI driver, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import msgspec

from podwright.cri.status import rpc_error
from podwright.errors import Unavailable

# After these the volume may be in any state, because the driver may still work on it (pkg/volume/csi.isFinalError).
UNFINISHED = frozenset({"CANCELLED", "DEADLINE_EXCEEDED", "UNAVAILABLE", "RESOURCE_EXHAUSTED", "ABORTED"})
INFEASIBLE = frozenset({"INVALID_ARGUMENT", "OUT_OF_RANGE", "NOT_FOUND"})
MESSAGE_MAX = 2048


class CsiFailed(Unavailable):
    """A driver's call has failed. `code` is gRPC's name of the failure."""

    def __init__(self, code: str, details: str) -> None:
        super().__init__(rpc_error(code, details[:MESSAGE_MAX]))
        self.code = code

    @property
    def is_final(self) -> bool:
        """Whether the failure is final: the driver has stopped its work, and nothing of it is left."""
        return self.code not in UNFINISHED

    @property
    def is_infeasible(self) -> bool:
        """Whether a repetition cannot succeed."""
        return self.code in INFEASIBLE


class DriverCapability(Enum):
    """The optional capabilities of a driver's node service, by the specification's names."""

    STAGE_UNSTAGE_VOLUME = 1
    GET_VOLUME_STATS = 2
    EXPAND_VOLUME = 3
    VOLUME_CONDITION = 4
    SINGLE_NODE_MULTI_WRITER = 5
    VOLUME_MOUNT_GROUP = 6


Capabilities = frozenset[DriverCapability]


class NodeInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A driver's facts about this node. `max_volumes` 0 leaves the limit to the cluster."""

    node_id: str
    max_volumes: int = 0
    topology: Mapping[str, str] = msgspec.field(default_factory=dict)


class VolumeAccess(msgspec.Struct, frozen=True, kw_only=True):
    """How a volume is used. `mode` is one of Kubernetes' access modes, `group` the group to give the files to."""

    mode: str
    is_block: bool = False
    fs_type: str = ""
    flags: tuple[str, ...] = ()
    group: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeCall:
    """What stage and publish have in common. `secrets` are never logged."""

    handle: str
    access: VolumeAccess
    publish_context: Mapping[str, str]
    attributes: Mapping[str, str]
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)


class Amounts(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes or inodes of a volume."""

    total: int
    available: int
    used: int


class VolumeStats(msgspec.Struct, frozen=True, kw_only=True):
    """A volume's usage. `problem` is empty for a healthy volume, None if the driver does not report its health."""

    bytes: Amounts | None = None
    inodes: Amounts | None = None
    problem: str | None = None
