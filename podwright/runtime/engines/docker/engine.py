"""The services of an engine on a Docker Engine, tied together."""

from __future__ import annotations

import contextlib
import logging
import os
from typing import Any

import msgspec

from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost
from podwright.linux.cgroup_lock import WarmCgroupLock
from podwright.process import ProcessRunner
from podwright.runtime import host as host_facts
from podwright.runtime.config import Config
from podwright.runtime.container.requests import open_store as open_containers
from podwright.runtime.engines.docker import settings
from podwright.runtime.engines.docker.api.client import EngineClient
from podwright.runtime.engines.docker.container_environment import EngineEnvironment
from podwright.runtime.engines.docker.containers import EngineContainers
from podwright.runtime.engines.docker.facts import EngineFacts
from podwright.runtime.engines.docker.feed import EventFeed
from podwright.runtime.engines.docker.host import EngineHost
from podwright.runtime.engines.docker.image_tools import EngineImageTools
from podwright.runtime.engines.docker.images import EngineImages
from podwright.runtime.engines.docker.logs.copies import LogCopies
from podwright.runtime.engines.docker.missing import NoCheckpoints, NoRestores
from podwright.runtime.engines.docker.node import EngineNode
from podwright.runtime.engines.docker.pause import pause_image
from podwright.runtime.engines.docker.reconciling import Reconciler
from podwright.runtime.engines.docker.sandbox_steps import EngineSandboxEnvironment
from podwright.runtime.engines.docker.sandboxes import EngineSandboxes
from podwright.runtime.events.hub import EventHub
from podwright.runtime.model.container import Container
from podwright.runtime.model.sandbox import Sandbox
from podwright.runtime.network import NetworkService
from podwright.runtime.oci_spec.builder import HostAbilities
from podwright.runtime.pods.service import PodService
from podwright.runtime.registry.logins import DaemonLogins
from podwright.runtime.sandbox.base_cgroup import BaseCgroup
from podwright.runtime.sandbox.parents import Parents
from podwright.runtime.sandbox.requests import open_store as open_sandboxes
from podwright.runtime.security.profiles import load_profile
from podwright.runtime.state import Boots, Database, Store
from podwright.runtime.stats.service import StatsService
from podwright.runtime.streaming.service import StreamingService
from podwright.runtime.streaming.tls import server_context

log = logging.getLogger(__name__)

DAEMON_JSON = "/etc/docker/daemon.json"


class DockerEngine(msgspec.Struct, frozen=True, kw_only=True):
    """All services, made by `make`. They accept calls after `recover`."""

    cgroup_lock: WarmCgroupLock
    host: EngineHost
    feed: EventFeed
    reconciler: Reconciler
    logs: LogCopies
    network: NetworkService
    node: EngineNode
    images: EngineImages
    image_tools: EngineImageTools
    sandboxes: EngineSandboxes
    containers: EngineContainers
    pods: PodService
    events: EventHub
    stats: StatsService
    streaming: StreamingService
    checkpoints: NoCheckpoints
    restores: NoRestores

    async def recover(self, database: Database) -> None:
        """Compare the records with the Engine and correct them."""
        await self.network.start()
        boots = Boots(database)
        await self.pods.recover(rebooted=boots.is_new)
        await self.reconciler.remove_unknown()
        boots.recovered()
        self.feed.start()
        self.images.start()
        self.streaming.start()

    def end_streams(self) -> None:
        """End the streams of events and of pull progress."""
        self.events.close()
        self.images.end_watches()

    async def close(self, grace_s: float) -> None:
        """End work in progress, within `grace_s` for each service. Containers keep running."""
        async with contextlib.AsyncExitStack() as stack:  # in reverse order; a failure does not skip the others
            stack.push_async_callback(self.host.client.close)
            stack.push_async_callback(self.logs.close)
            stack.push_async_callback(self.images.close)
            stack.push_async_callback(self.stats.close)
            stack.push_async_callback(self.network.close)
            stack.push_async_callback(self.pods.close, grace_s)
            stack.push_async_callback(self.streaming.close)
            stack.push_async_callback(self.reconciler.close)
            stack.push_async_callback(self.feed.close)


class _DockerBase(msgspec.Struct, frozen=True, kw_only=True):
    """What the services are made of: the configuration, this host and its Engine."""

    config: Config
    runner: ProcessRunner
    host: EngineHost
    cgroups: CgroupHost
    abilities: HostAbilities
    images: EngineImages
    default_seccomp: dict[str, Any] | None  # None: the Engine's own


async def make(config: Config, database: Database, runner: ProcessRunner) -> DockerEngine:
    """Ask the Engine what it is and load the records, but start nothing.

    Raises InvalidArgument for settings without a meaning, FailedPrecondition for an Engine that is too old, and
    Unavailable and DeadlineExceeded for one that does not answer.
    """
    settings.check(config)
    client = EngineClient(config.docker.socket, timeout_s=config.docker.request_timeout_s)
    try:
        return await _make(await _inspect(config, runner, EngineHost(client, config.root)), database)
    except BaseException:
        await client.close()
        raise


async def _inspect(config: Config, runner: ProcessRunner, host: EngineHost) -> _DockerBase:
    config = _on_engine(config, await host.learn())
    cgroups = cgroup.detect()
    images = EngineImages(host, config.images, DaemonLogins(config.registry, runner), pause_image(os.uname().machine))
    await images.refresh()
    seccomp = config.containers.seccomp_profile
    return _DockerBase(
        config=config,
        runner=runner,
        host=host,
        cgroups=cgroups,
        abilities=host_facts.host_facts(cgroups),
        images=images,
        default_seccomp=load_profile(seccomp) if seccomp else None,
    )


async def _make(base: _DockerBase, database: Database) -> DockerEngine:
    config, host, images = base.config, base.host, base.images
    network = NetworkService(config.network, database, base.runner)
    sandbox_store, container_store = open_sandboxes(database), open_containers(database)
    base_cgroup = BaseCgroup(config.containers, base.cgroups, database)
    sandboxes = await _make_sandboxes(base, base_cgroup, sandbox_store, network)
    logs = LogCopies(f"{config.root}/docker-logs")
    containers = _make_containers(base, container_store, sandboxes, logs)
    reconciler = Reconciler(host, sandboxes, containers, images)
    feed = EventFeed(host, reconciler.compare, reconciler.note)
    return DockerEngine(
        cgroup_lock=WarmCgroupLock(host_facts.own_procs_file(base.cgroups)),
        host=host,
        feed=feed,
        reconciler=reconciler,
        logs=logs,
        network=network,
        node=EngineNode(config, host, network, lambda: feed.trouble),
        images=images,
        image_tools=EngineImageTools(host, images, container_store),
        sandboxes=sandboxes,
        containers=containers,
        pods=PodService(sandboxes, containers),
        events=EventHub(sandbox_store, container_store),
        stats=StatsService(config, base.cgroups, containers=containers, sandboxes=sandboxes, images=images),
        streaming=StreamingService(config.streaming, server_context(config.streaming), containers, sandboxes),
        checkpoints=NoCheckpoints(),
        restores=NoRestores(),
    )


async def _make_sandboxes(
    base: _DockerBase, base_cgroup: BaseCgroup, store: Store[Sandbox], network: NetworkService
) -> EngineSandboxes:
    config = base.config
    return EngineSandboxes(
        EngineSandboxEnvironment(
            state=config.state,
            store=store,
            host=base.host,
            network=network,
            parents=Parents(config.containers, base_cgroup, base.cgroups, base.runner),
            pause_image=await base.images.ensure_pause(),
            shm_size_bytes=config.containers.shm_size_bytes,
            oom_score_adj=max(-998, base.abilities.oom_score_adj),
            default_seccomp=base.default_seccomp,
        )
    )


def _make_containers(
    base: _DockerBase, store: Store[Container], sandboxes: EngineSandboxes, logs: LogCopies
) -> EngineContainers:
    config = base.config
    return EngineContainers(
        EngineEnvironment(
            root=config.root,
            state=config.state,
            settings=config.containers,
            abilities=base.abilities,
            cgroups=base.cgroups,
            host=base.host,
            store=store,
            sandboxes=sandboxes,
            images=base.images,
            logs=logs,
            default_seccomp=base.default_seccomp,
        )
    )


def _on_engine(config: Config, facts: EngineFacts) -> Config:
    """The configuration with the Engine's cgroup driver."""
    if not facts.live_restore:
        log.warning(
            "the Docker Engine has no live-restore and ends all pods when it stops: daemon_json=%s", DAEMON_JSON
        )
    containers = msgspec.structs.replace(config.containers, cgroup_driver="systemd" if facts.systemd else "cgroupfs")
    return msgspec.structs.replace(config, containers=containers)
