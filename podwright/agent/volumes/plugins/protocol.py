"""The interface of volume plug-ins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from podwright.agent.volumes import places
from podwright.agent.volumes.groups import fs_group
from podwright.agent.volumes.plans import EmptyDirPlan, FilesPlan, Medium, PayloadFile, Plan
from podwright.agent.volumes.storage.plans import StoredPlan
from podwright.agent.volumes.used import nested_mount_points
from podwright.k8s.objects import Pod, Volume

AnyPlan = Plan | StoredPlan


class VolumeRequest(msgspec.Struct, frozen=True, kw_only=True):
    """The volume of a pod to plan. `directory` is the pod's directory."""

    pod: Pod
    volume: Volume
    directory: str


class VolumePlugin(Protocol):
    """Plans volumes of one kind."""

    @property
    def follows_changes(self) -> bool:
        """Whether the content follows the pod and its objects while the pod runs."""

    async def plan(self, request: VolumeRequest) -> AnyPlan:
        """Plan the volume's present content.

        Raises NotProcessed if it cannot be planned yet, and other PodwrightErrors if it is impossible.
        """


def files_plan(
    request: VolumeRequest,
    plugin: str,
    files: Mapping[str, PayloadFile],
    medium: Medium,
    *,
    is_final: bool = False,
) -> FilesPlan:
    """A volume of files in an emptyDir of the agent's own."""
    name = request.volume.name
    return FilesPlan(
        directory=EmptyDirPlan(
            path=places.volume_directory(request.directory, plugin, name),
            ready=places.ready_directory(request.directory, name, is_wrapped=True),
            medium=medium,
            group=fs_group(request.pod),
        ),
        files=tuple(files.values()),
        mount_points=nested_mount_points(request.pod, name),
        is_final=is_final,
    )
