"""Where a container keeps its things on the host."""

from __future__ import annotations

from dataclasses import dataclass

from podwright.runtime.model.ids import ContainerId


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPaths:
    """The paths of one container: `bundle` is gone after a reboot, `storage` (the writable layer) is not."""

    bundle: str
    storage: str
    staging: str  # see `staging`: never to be deleted with its contents

    @property
    def rootfs(self) -> str:
        """Where the overlay is mounted."""
        return f"{self.bundle}/rootfs"

    @property
    def volumes(self) -> str:
        """Where image volumes are mounted, each on a directory in here."""
        return f"{self.bundle}/volumes"

    @property
    def spec(self) -> str:
        """The OCI spec."""
        return f"{self.bundle}/config.json"

    @property
    def staging_plan(self) -> str:
        """What is to be made ready in `staging` for the runtime's create."""
        return f"{self.bundle}/staging.json"

    @property
    def upper(self) -> str:
        """What the container writes into its root."""
        return f"{self.storage}/upper"

    @property
    def checkpoint(self) -> str:
        """CRIU's images, of a container that begins with them."""
        return f"{self.storage}/checkpoint"

    @property
    def work(self) -> str:
        """overlayfs' own directory."""
        return f"{self.storage}/work"


def container_paths(root: str, state: str, container_id: ContainerId) -> ContainerPaths:
    """The paths of a container below the daemon's two directories."""
    return ContainerPaths(
        bundle=f"{state}/containers/{container_id}",
        storage=f"{root}/containers/{container_id}",
        staging=f"{state}/staging/{container_id}",
    )


def log_file(directory: str, log_path: str) -> str:
    """Where a container's log is; empty when either is, for output that nobody wants."""
    return f"{directory.rstrip('/')}/{log_path}" if directory and log_path else ""
