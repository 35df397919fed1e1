"""A container's paths on the host."""

from __future__ import annotations

import msgspec

from podwright.runtime.model.ids import ContainerId


class ContainerPaths(msgspec.Struct, frozen=True, kw_only=True):
    """The paths of one container. A reboot deletes `bundle`, but not `storage`, which holds the writable layer."""

    bundle: str
    storage: str
    staging: str  # see `staging`: never delete it recursively

    @property
    def rootfs(self) -> str:
        """The mount point of the root's overlay."""
        return f"{self.bundle}/rootfs"

    @property
    def volumes(self) -> str:
        """The directory with a mount point for each image volume."""
        return f"{self.bundle}/volumes"

    @property
    def spec(self) -> str:
        """The OCI spec."""
        return f"{self.bundle}/config.json"

    @property
    def staging_plan(self) -> str:
        """The list of mounts to prepare in `staging` when the runtime creates the container."""
        return f"{self.bundle}/staging.json"

    @property
    def upper(self) -> str:
        """The writable layer of the root."""
        return f"{self.storage}/upper"

    @property
    def checkpoint(self) -> str:
        """CRIU's images of a restored container."""
        return f"{self.storage}/checkpoint"

    @property
    def work(self) -> str:
        """The work directory of overlayfs."""
        return f"{self.storage}/work"


def container_paths(root: str, state: str, container_id: ContainerId) -> ContainerPaths:
    """The paths of a container below the daemon's root and state directories."""
    return ContainerPaths(
        bundle=f"{state}/containers/{container_id}",
        storage=f"{root}/containers/{container_id}",
        staging=f"{state}/staging/{container_id}",
    )


def log_file(directory: str, log_path: str) -> str:
    """The path of a container's log. Empty without a directory or a log path: then the output is discarded."""
    return f"{directory.rstrip('/')}/{log_path}" if directory and log_path else ""
