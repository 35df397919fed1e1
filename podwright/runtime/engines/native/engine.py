"""The services of the native engine: construction, recovery at the daemon's start, and the end.

Called by `app`. Knows nothing of gRPC.
"""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec

from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost
from podwright.linux.cgroup_lock import WarmCgroupLock
from podwright.process import ProcessRunner
from podwright.runtime import host
from podwright.runtime.cdi import Cdi
from podwright.runtime.checkpoint.criu import Criu
from podwright.runtime.checkpoint.restoring import RestoreService
from podwright.runtime.checkpoint.service import CheckpointService
from podwright.runtime.classes import ResourceClasses
from podwright.runtime.config import Config
from podwright.runtime.container import editing
from podwright.runtime.container.environment import ContainerEnvironment
from podwright.runtime.container.requests import open_store as open_containers
from podwright.runtime.container.service import ContainerService
from podwright.runtime.engines.native import listeners
from podwright.runtime.engines.native.listeners import Listeners
from podwright.runtime.engines.native.node import NativeNode
from podwright.runtime.events import EventHub
from podwright.runtime.handlers.registry import Handlers, find_handlers
from podwright.runtime.image import ImageService
from podwright.runtime.image.tools import ImageTools
from podwright.runtime.lifecycle import LifeCycles
from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.network import NetworkService
from podwright.runtime.oci_spec.builder import HostAbilities
from podwright.runtime.pods import PodService
from podwright.runtime.sandbox.base_cgroup import BaseCgroup
from podwright.runtime.sandbox.environment import SandboxEnvironment
from podwright.runtime.sandbox.first_process import FirstProcesses
from podwright.runtime.sandbox.parents import Parents
from podwright.runtime.sandbox.requests import open_store as open_sandboxes
from podwright.runtime.sandbox.service import SandboxService
from podwright.runtime.sandbox.userns import UserNamespaces
from podwright.runtime.security.apparmor import AppArmor
from podwright.runtime.security.confining import PodConfinement
from podwright.runtime.security.profiles import Profiles, load_profile
from podwright.runtime.state import Boots, Database, Store
from podwright.runtime.stats.service import StatsService
from podwright.runtime.streaming.service import StreamingService
from podwright.runtime.streaming.tls import server_context


class NativeEngine(msgspec.Struct, frozen=True, kw_only=True):
    """All services, made by `make`. They accept calls after `recover`."""

    cgroup_lock: WarmCgroupLock
    handlers: Handlers
    network: NetworkService
    node: NativeNode
    images: ImageService
    image_tools: ImageTools
    sandboxes: SandboxService
    containers: ContainerService
    pods: PodService
    events: EventHub
    stats: StatsService
    streaming: StreamingService
    checkpoints: CheckpointService
    restores: RestoreService
    listeners: Listeners

    async def recover(self, database: Database) -> None:
        """Compare the records with the host and correct them.

        Rooms recover in the order of their layers, the lowest first.
        """
        await self.handlers.end_abandoned()
        await self.network.start()
        await self.images.recover()
        boots = Boots(database)
        await self.pods.recover(rebooted=boots.is_new)
        await self.checkpoints.end_abandoned()
        self.restores.end_abandoned()
        boots.recovered()
        await self.listeners.start()
        self.streaming.start()

    def end_streams(self) -> None:
        """End the streams of events and of pull progress."""
        self.events.close()
        self.images.end_watches()

    async def close(self, grace_s: float) -> None:
        """End work in progress, within `grace_s` for each service. Containers keep running."""
        async with contextlib.AsyncExitStack() as stack:  # in reverse order; a failure does not skip the others
            stack.push_async_callback(self.handlers.close)
            stack.push_async_callback(self.listeners.close)
            stack.push_async_callback(self.images.close)
            stack.push_async_callback(self.stats.close)
            stack.push_async_callback(self.network.close)
            stack.push_async_callback(self.pods.close, grace_s)
            stack.push_async_callback(self.streaming.close)


class _NativeBase(msgspec.Struct, frozen=True, kw_only=True):
    """What the services are made of: the configuration and this host."""

    config: Config
    runner: ProcessRunner
    cgroups: CgroupHost
    handlers: Handlers
    facts: HostAbilities
    profiles: Profiles


async def make(
    config: Config, database: Database, runner: ProcessRunner, handlers: Handlers | None = None
) -> NativeEngine:
    """Inspect the host and load the records, but start nothing. Without `handlers`, use those of the configuration.

    Raises FailedPrecondition if the host lacks something that is required.
    """
    base = await _inspect(config, runner, handlers)
    network = NetworkService(config.network, database, runner)
    cdi = Cdi(config.containers.cdi_spec_dirs)
    classes = ResourceClasses(config.containers.blockio_config_file, base.cgroups)
    edits = editing.edits(classes, cdi, config.containers.hooks_dirs)
    heard = listeners.make(config, runner, cdi, classes)
    images = ImageService(
        database, config.image_root, config.registry, config.images, config.signatures, runner, heard.life
    )
    sandbox_store, container_store = open_sandboxes(database), open_containers(database)
    base_cgroup = BaseCgroup(config.containers, base.cgroups, database)
    sandboxes = _make_sandboxes(base, base_cgroup, sandbox_store, network, heard.life)
    containers = _make_containers(base, container_store, sandboxes, images, edits, heard.life)
    heard.attach(sandboxes, containers)
    pods = PodService(sandboxes, containers, heard.life)
    criu = Criu(config.checkpoint.criu_dir, runner)
    return NativeEngine(
        cgroup_lock=WarmCgroupLock(host.own_procs_file(base.cgroups)),
        handlers=base.handlers,
        network=network,
        node=NativeNode(config, base.handlers, network, sandboxes.users),
        images=images,
        image_tools=ImageTools(images, config, runner),
        sandboxes=sandboxes,
        containers=containers,
        pods=pods,
        events=EventHub(sandbox_store, container_store),
        stats=StatsService(
            config,
            base.cgroups,
            containers=containers,
            sandboxes=sandboxes,
            images=images,
            layers_folder=f"{config.root}/containers" if config.images.store else "",
        ),
        streaming=StreamingService(config.streaming, server_context(config.streaming), containers, sandboxes),
        checkpoints=CheckpointService(config, containers, sandboxes, criu),
        restores=RestoreService(config, containers, sandboxes, pods, images, criu, runner),
        listeners=heard,
    )


async def _inspect(config: Config, runner: ProcessRunner, handlers: Handlers | None) -> _NativeBase:
    cgroups = cgroup.detect()
    handlers = handlers or await find_handlers(config, runner, cgroups)
    facts = host.host_facts(cgroups)
    return _NativeBase(
        config=config,
        runner=runner,
        cgroups=cgroups,
        handlers=handlers,
        facts=facts,
        profiles=_profiles(config, facts, runner),
    )


def _make_sandboxes(
    base: _NativeBase, base_cgroup: BaseCgroup, store: Store[Sandbox], network: NetworkService, life: LifeCycles
) -> SandboxService:
    config, facts = base.config, base.facts
    environment = SandboxEnvironment(
        state=config.state,
        shm_size_bytes=config.containers.shm_size_bytes,
        store=store,
        handlers=base.handlers,
        network=network,
        first_processes=FirstProcesses(
            handlers=base.handlers,
            oom_score_adj=max(-998, facts.oom_score_adj),
            systemd=config.containers.cgroup_driver == "systemd",
            confinement=PodConfinement(facts, base.profiles),
            selinux=facts.selinux,
        ),
        parents=Parents(config.containers, base_cgroup, base.cgroups, base.runner),
        users=UserNamespaces(base.runner, root=config.root, state=config.state),
        selinux=facts.selinux,
        life=life,
    )
    return SandboxService(environment)


def _make_containers(
    base: _NativeBase,
    store: Store[Container],
    sandboxes: SandboxService,
    images: ImageService,
    edits: tuple[editing.SpecEdit, ...],
    life: LifeCycles,
) -> ContainerService:
    config = base.config
    environment = ContainerEnvironment(
        root=config.root,
        state=config.state,
        settings=config.containers,
        host=base.facts,
        cgroups=base.cgroups,
        default_profile=base.profiles.seccomp,
        apparmor=base.profiles.apparmor,
        store=store,
        sandboxes=sandboxes,
        images=images,
        handlers=base.handlers,
        edits=edits,
        life=life,
    )
    return ContainerService(environment)


def _profiles(config: Config, facts: HostAbilities, runner: ProcessRunner) -> Profiles:
    return Profiles(
        seccomp=_default_profile(config.containers.seccomp_profile),
        apparmor=AppArmor(runner, supported=facts.apparmor, default=config.containers.apparmor_profile),
    )


def _default_profile(configured: str) -> dict[str, Any] | None:
    """The default seccomp profile, or None if the host has none. Raises InvalidArgument for an invalid file."""
    path = host.default_profile_path(configured)
    return load_profile(path) if path else None
