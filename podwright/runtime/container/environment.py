"""What the steps of a container's life work with: the services beside and below, the settings, and the records."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from podwright.linux.cgroup import CgroupHost
from podwright.runtime import config as configuration
from podwright.runtime.cdi import Cdi
from podwright.runtime.container import logs
from podwright.runtime.container.apparmor import AppArmor
from podwright.runtime.container.paths import ContainerPaths, container_paths
from podwright.runtime.container.spec import resources
from podwright.runtime.container.spec.builder import HostFacts
from podwright.runtime.handlers.conmon import Monitored
from podwright.runtime.handlers.oci import OciHandler
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.image import ImageService
from podwright.runtime.model.base import Resources
from podwright.runtime.model.container import Container
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.sandbox.service import SandboxService
from podwright.runtime.state import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEnvironment:
    """Made once by the service."""

    root: str
    state: str
    settings: configuration.Containers
    host: HostFacts
    cgroups: CgroupHost
    default_profile: dict[str, Any] | None
    store: Store[Container]
    sandboxes: SandboxService
    images: ImageService
    handlers: Handlers
    cdi: Cdi
    apparmor: AppArmor
    criu_directory: str

    @property
    def systemd(self) -> bool:
        """Whether systemd makes the cgroups."""
        return self.settings.cgroup_driver == "systemd"

    def paths(self, container_id: ContainerId) -> ContainerPaths:
        """Where a container keeps its things."""
        return container_paths(self.root, self.state, container_id)

    def handler_of(self, container: Container) -> OciHandler:
        """The handler of the container's sandbox."""
        sandbox = self.sandboxes.store.get(container.sandbox_id)
        return self.handlers.get(sandbox.handler)

    def handler_of_record(self, container: Container) -> OciHandler:
        """As `handler_of`, for taking the container down: the handler may be configured no more."""
        return self.handlers.of_record(self.sandboxes.store.get(container.sandbox_id).handler)

    def user_on_host(self, container: Container) -> tuple[int, int]:
        """The user and the group, on the host, that the container's processes run as."""
        uid, gid = container.user.uid, container.user.gid
        own = self.sandboxes.store.get(container.sandbox_id).config.security.namespaces.own_user
        return own.on_host(uid, gid) if own is not None else (uid, gid)

    def limits(self, handler: OciHandler, wanted: Resources) -> Resources:
        """What a container of that handler gets. Raises InvalidArgument and FailedPrecondition."""
        resources.check_floor(wanted, handler.memory_floor_bytes, handler.name)
        return resources.granted(wanted, self.host.cgroups, lowest_oom_score_adj=self.host.oom_score_adj)

    def monitored(self, container: Container) -> Monitored:
        """The container as its monitor knows it."""
        paths = self.paths(container.id)
        return Monitored(
            id=container.id,
            name=container.config.name,
            directory=paths.bundle,
            exits=paths.exits,
            log_path=logs.conmon_path(paths.bundle, container.log_path),
            terminal=container.config.tty,
            stdin=container.config.stdin,
            stdin_once=container.config.stdin_once,
            images=paths.checkpoint if container.is_restored else "",
            criu_directory=self.criu_directory,
        )
