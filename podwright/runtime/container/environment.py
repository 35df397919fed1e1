"""What the steps of a container's life share: the other services, the settings and the records."""

from __future__ import annotations

from typing import Any

import msgspec

from podwright.errors import FailedPrecondition
from podwright.linux.cgroup import CgroupHost
from podwright.runtime.config import ContainerSettings
from podwright.runtime.container.editing import SpecEdit
from podwright.runtime.container.filesystem.paths import ContainerPaths, container_paths
from podwright.runtime.handlers.protocol import Bundle, Handler, Task
from podwright.runtime.handlers.registry import Handlers
from podwright.runtime.image import ImageService
from podwright.runtime.lifecycle import LifeCycles
from podwright.runtime.model.base import NamespaceMode, Resources
from podwright.runtime.model.container import Container, ContainerState
from podwright.runtime.model.ids import ContainerId
from podwright.runtime.oci_spec import resources
from podwright.runtime.oci_spec.builder import HostAbilities
from podwright.runtime.sandbox.service import SandboxService
from podwright.runtime.security.apparmor import AppArmor
from podwright.runtime.state import Store

SHARED_PID_MODES = frozenset({NamespaceMode.POD, NamespaceMode.NODE, NamespaceMode.TARGET})


class ContainerEnvironment(msgspec.Struct, frozen=True, kw_only=True):
    """Made once by the service."""

    root: str
    state: str
    settings: ContainerSettings
    host: HostAbilities
    cgroups: CgroupHost
    default_profile: dict[str, Any] | None
    store: Store[Container]
    sandboxes: SandboxService
    images: ImageService
    handlers: Handlers
    edits: tuple[SpecEdit, ...]  # applied to every container's spec, in this order
    apparmor: AppArmor
    life: LifeCycles
    tasks: dict[ContainerId, Task] = msgspec.field(default_factory=dict)  # of running and exited containers

    @property
    def systemd(self) -> bool:
        """Whether systemd creates the cgroups."""
        return self.settings.cgroup_driver == "systemd"

    def paths(self, container_id: ContainerId) -> ContainerPaths:
        """The container's paths on the host."""
        return container_paths(self.root, self.state, container_id)

    def task(self, container: Container) -> Task:
        """The task of a running container. Raises FailedPrecondition if it does not run."""
        task = self.tasks.get(container.id)
        if task is None or container.state is not ContainerState.RUNNING:
            raise FailedPrecondition(f"container {container.id[:12]} is not running ({container.state})")
        return task

    def handler_of(self, container: Container) -> Handler:
        """The handler of the container's sandbox."""
        sandbox = self.sandboxes.record(container.sandbox_id)
        return self.handlers.get(sandbox.handler)

    def handler_of_record(self, container: Container) -> Handler:
        """As `handler_of`, but also works for a handler that is no longer configured, to take the container down."""
        return self.handlers.of_record(self.sandboxes.record(container.sandbox_id).handler)

    def user_on_host(self, container: Container) -> tuple[int, int]:
        """The user and group on the host that the container's processes run as."""
        uid, gid = container.user.uid, container.user.gid
        own = self.sandboxes.record(container.sandbox_id).config.security.namespaces.own_user
        return own.on_host(uid, gid) if own is not None else (uid, gid)

    def limits(self, handler: Handler, wanted: Resources) -> Resources:
        """The limits for a container of that handler. Raises InvalidArgument and FailedPrecondition."""
        resources.check_floor(wanted, handler.capabilities.memory_floor_bytes, handler.name)
        return resources.granted(wanted, self.host.cgroups, lowest_oom_score_adj=self.host.oom_score_adj)

    def bundle(self, container: Container) -> Bundle:
        """The container in the form that its handler gets."""
        paths = self.paths(container.id)
        return Bundle(
            id=container.id,
            name=container.config.name,
            directory=paths.bundle,
            cgroup=container.cgroup,
            owner=self.user_on_host(container),
            oom_score_adj=container.resources.oom_score_adj,
            log_path=container.log_path,
            terminal=container.config.tty,
            stdin=container.config.stdin,
            stdin_once=container.config.stdin_once,
            shares_pid_namespace=container.config.security.namespaces.pid in SHARED_PID_MODES,
            checkpoint=paths.checkpoint if container.is_restored else "",
        )
