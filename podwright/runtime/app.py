"""The wiring of the daemon: configuration to services to server, start and stop. Only this module knows all rooms."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from typing import Any

import msgspec

from podwright.linux import cgroup
from podwright.linux.cgroup_lock import WarmCgroupLock
from podwright.process import PosixProcessRunner, adopt_orphans, keep_descriptors_to_ourselves
from podwright.runtime import config as configuration
from podwright.runtime import host
from podwright.runtime.checkpoint.service import CheckpointService
from podwright.runtime.container.apparmor import AppArmor
from podwright.runtime.container.creation import load_profile
from podwright.runtime.container.profiles import Profiles
from podwright.runtime.container.service import ContainerService
from podwright.runtime.events import EventHub
from podwright.runtime.handlers import abandoned
from podwright.runtime.handlers.registry import find_handlers
from podwright.runtime.image import ImageService
from podwright.runtime.image.accounts import Accountant
from podwright.runtime.image.loading import Loader
from podwright.runtime.image.pushing import Pusher
from podwright.runtime.image.refetch import Refetcher
from podwright.runtime.image.saving import Saver
from podwright.runtime.image.verifying import Verifier
from podwright.runtime.network import NetworkService
from podwright.runtime.rpc.checkpoints import CheckpointRpcs
from podwright.runtime.rpc.containers import ContainerRpcs
from podwright.runtime.rpc.edge import Edge, request_id
from podwright.runtime.rpc.events import EventRpcs
from podwright.runtime.rpc.image_store import ImageStoreRpcs
from podwright.runtime.rpc.images import ImageRpcs
from podwright.runtime.rpc.pulls import PullRpcs
from podwright.runtime.rpc.resources import ResourceRpcs
from podwright.runtime.rpc.runtime import RuntimeRpcs
from podwright.runtime.rpc.sandboxes import SandboxRpcs
from podwright.runtime.rpc.server import listen, make_server
from podwright.runtime.rpc.stats import StatsRpcs
from podwright.runtime.rpc.streaming import StreamingRpcs
from podwright.runtime.sandbox.building import SandboxSettings
from podwright.runtime.sandbox.infra import InfraContainers
from podwright.runtime.sandbox.parents import Parents
from podwright.runtime.sandbox.service import SandboxService
from podwright.runtime.sandbox.userns import UserNamespaces
from podwright.runtime.state import Boots, Database, hold
from podwright.runtime.stats.service import StatsService
from podwright.runtime.streaming.service import StreamingService
from podwright.runtime.streaming.tls import server_context

log = logging.getLogger(__name__)

UMASK = 0o022  # whatever it was started with: modes of files, and of what containers make, do not depend on a shell
STOP_GRACE_S = 5.0  # for RPCs under way when the daemon is told to stop


async def serve(
    *,
    config_file: str | None = None,
    root: str | None = None,
    state: str | None = None,
    listen: str | None = None,
    log_level: str | None = None,
) -> int:
    """Run the daemon until SIGTERM or SIGINT; the exit code. Raises a PodwrightError when it cannot start.

    Arguments win over the file's values.
    """
    given = {"root": root, "state": state, "listen": listen, "log_level": log_level}
    config = configuration.load(config_file)
    changed = {key: value for key, value in given.items() if value is not None}
    config = configuration.parse({**msgspec.to_builtins(config), **changed}, "command line")
    set_up_logging(config.log_level)
    keep_descriptors_to_ourselves()
    os.umask(UMASK)
    adopt_orphans()
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with contextlib.AsyncExitStack() as stack:
        await start(config, stack)
        log.info("podwright serves: endpoint=%s root=%s", config.listen, config.root)
        await stopping.wait()
        log.info("podwright stops; containers go on running")
    return 0


async def start(config: configuration.Config, stack: contextlib.AsyncExitStack) -> None:
    """Build everything, answer UNAVAILABLE, recover, be ready. What `stack` holds undoes it in reverse."""
    database = Database(config.root)
    stack.callback(database.close)
    os.makedirs(config.state, mode=0o711, exist_ok=True)
    os.chdir(config.state)  # conmon leaves a file named "oom" in its working directory, which is ours
    stack.callback(os.close, hold(config.state, flag="--state"))  # a second daemon would tidy the first one's pods up
    runner = PosixProcessRunner()
    handlers = await find_handlers(config, runner)
    cgroups = cgroup.detect()
    facts = host.host_facts(cgroups)
    network = NetworkService(config.network, database, runner)
    images = ImageService(database, config.root, config.registry, config.images, config.signatures, runner)
    infra = InfraContainers(
        handlers,
        cgroups,
        root=f"{config.state}/pause",
        machine=facts.machine,
        oom_score_adj=max(-998, facts.oom_score_adj),
        systemd=config.containers.cgroup_driver == "systemd",
        selinux=facts.selinux,
    )
    lock = WarmCgroupLock(host.own_procs_file(cgroups))
    stack.callback(lock.close)
    users = UserNamespaces(runner, root=config.root, state=config.state)
    settings = SandboxSettings(
        state=config.state,
        containers=config.containers,
        parents=Parents(config.containers, cgroups, runner),
        users=users,
        selinux=facts.selinux,
    )
    sandboxes = SandboxService(database, settings, handlers, network, infra)
    containers = ContainerService(
        database,
        config,
        host=facts,
        cgroups=cgroups,
        profiles=Profiles(
            seccomp=default_profile(config.containers.seccomp_profile),
            apparmor=AppArmor(runner, supported=facts.apparmor, default=config.containers.apparmor_profile),
        ),
        sandboxes=sandboxes,
        images=images,
        handlers=handlers,
    )
    events = EventHub(sandboxes.store, containers.store)
    stats = StatsService(config, cgroups, containers=containers, sandboxes=sandboxes, images=images)
    streaming = StreamingService(config.streaming, server_context(config.streaming), containers, sandboxes)
    checkpoints = CheckpointService(config, containers, sandboxes, runner)
    refetcher = Refetcher(images.catalog.blobs, config.registry, runner)
    image_store = ImageStoreRpcs(
        loader=Loader(images, config.images, runner),
        saver=Saver(images.catalog, refetcher),
        pusher=Pusher(images.catalog, refetcher, config.registry, runner),
        verifier=Verifier(images.catalog, refetcher, keep_blobs=config.images.keep_blobs),
        accountant=Accountant(images.catalog),
        stats=stats,
    )
    edge = Edge()
    families = (
        RuntimeRpcs(config, handlers, network, users),
        SandboxRpcs(sandboxes, containers, lock.warm),
        ContainerRpcs(containers, start_comes_up=lock.warm, exec_comes_up=lock.warm_for_exec),
        StreamingRpcs(streaming),
        ResourceRpcs(containers, sandboxes),
        ImageRpcs(images),
        image_store,
        PullRpcs(images),
        StatsRpcs(stats),
        EventRpcs(events),
        CheckpointRpcs(checkpoints),
    )
    server = make_server(families, edge)
    path = await listen(server, config.listen)
    stack.callback(_unlink, path)
    stack.push_async_callback(images.close)
    stack.push_async_callback(stats.close)
    stack.push_async_callback(network.close)
    stack.push_async_callback(sandboxes.close, STOP_GRACE_S)
    stack.push_async_callback(containers.close, STOP_GRACE_S)
    stack.push_async_callback(streaming.close)
    stack.push_async_callback(server.stop, STOP_GRACE_S)
    stack.callback(images.end_watches)
    stack.callback(events.close)  # these first, for a server waits for its streams
    await asyncio.to_thread(abandoned.end_calls, handlers.state)
    await network.start()
    await images.reconcile()
    boots = Boots(database)
    await sandboxes.reconcile(rebooted=boots.is_new)
    await containers.reconcile(rebooted=boots.is_new)
    checkpoints.reconcile()
    boots.recovered()
    streaming.start()
    edge.ready = True


def default_profile(configured: str) -> dict[str, Any] | None:
    """The default seccomp profile; None when the host has none. Raises InvalidArgument for a broken file."""
    path = host.default_profile_path(configured)
    return load_profile(path) if path else None


def _unlink(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


class _RequestFilter(logging.Filter):
    """Puts the id of the RPC at hand on every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = request_id.get()
        return True


def set_up_logging(level: str) -> None:
    """One line per event on stderr, with time, level, RPC and the words."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_RequestFilter())
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(request)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("asyncio", "grpc"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
