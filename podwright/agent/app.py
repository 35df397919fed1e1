"""`podwright agent`: runs the node agent, from its configuration to its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal

from msgspec.structs import replace

from podwright import daemon_log
from podwright.agent.api_access import connect, keep_serving_certificate
from podwright.agent.assembly.agent import Agent, assemble
from podwright.agent.assembly.dependencies import Dependencies
from podwright.agent.clock import Clock, SystemClock
from podwright.agent.cluster.api_cluster import ApiServers
from podwright.agent.config.agent_config import AgentConfig
from podwright.agent.embedded import EmbeddedRuntime
from podwright.agent.engine.ports import PodSource
from podwright.agent.lock_file import hold_file
from podwright.agent.metrics.kubelet import KubeletMetrics
from podwright.agent.metrics.runtime import RuntimeMetrics
from podwright.agent.node.addresses import node_addresses
from podwright.agent.node.machine import Machine, node_name, read_machine
from podwright.agent.pods.identity import is_of_run
from podwright.agent.resources import swap
from podwright.agent.resources.system_cgroups import SystemCgroups
from podwright.agent.root_lock import hold_root
from podwright.agent.runtime.client import ImagesClient, RuntimeClient
from podwright.agent.runtime.measured import MeasuredCriClient
from podwright.agent.runtime.scope import OwnRuntime
from podwright.agent.runtime.watch import START_IT, RuntimeWatch
from podwright.agent.server.early_ports import EarlyPorts
from podwright.agent.server.setup import ShownConfig, serve
from podwright.agent.sources.changes import FILE, HTTP
from podwright.agent.sources.file import FileSource
from podwright.agent.sources.manifest import read_pod
from podwright.cri.client import CriClient
from podwright.cri.endpoint import normalise
from podwright.errors import FailedPrecondition
from podwright.linux import cgroup, libc
from podwright.process import PosixProcessRunner, ProcessRunner, keep_descriptors_to_ourselves
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

UMASK = 0o022
OWN_RUNTIME_IS_AWAY = "it is the agent's own, and its lines in this log say why it does not start"
DEBUG_VERBOSITY = 4  # the least verbosity with debug lines, as in the kubelet
SUPPORT_ENDS = "1.37.0"  # of runtimes without RuntimeConfig, as a kubelet's metrics say
LARGE_BYTES = 1024 * 1024  # larger blocks of memory are given back to the kernel at once


async def run(config: AgentConfig, shown: ShownConfig, ports: EarlyPorts) -> int:
    """Run the agent until SIGTERM or SIGINT. Returns the exit code. Raises PodwrightError if it cannot start."""
    daemon_log.set_up(logging.DEBUG if config.process.verbosity >= DEBUG_VERBOSITY else logging.INFO)
    keep_descriptors_to_ourselves()
    os.umask(UMASK)
    libc.give_back_blocks(LARGE_BYTES)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with contextlib.AsyncExitStack() as stack:
        starting = asyncio.create_task(start(config, shown, ports, stack, stopping), name="start")
        await _first(starting, stopping)
        if stopping.is_set():
            starting.cancel()
            await asyncio.wait({starting})
            return 0
        agent = await starting
        await _first(asyncio.create_task(agent.engine.failed(), name="engine"), stopping)
        if not stopping.is_set():
            raise FailedPrecondition("the agent's sync loop has ended", hint="the log says why; start the agent again")
        log.info("podwright agent stops; pods run on")
    return 0


async def start(
    config: AgentConfig,
    shown: ShownConfig,
    ports: EarlyPorts,
    stack: contextlib.AsyncExitStack,
    stopping: asyncio.Event,
) -> Agent:
    """Connect, assemble, serve, start. Closing `stack` undoes it in reverse."""
    await _take_turn(config, stack, stopping)
    stack.enter_context(hold_root(config.process.root_dir))
    await _keep_house(config, stack)
    clock, runner, machine = SystemClock(), PosixProcessRunner(), read_machine()
    name = node_name(machine, config.node.hostname_override)
    machine = replace(machine, addresses=await node_addresses(config.node.ips, name, machine.addresses))
    endpoint = await _endpoint(config, runner, stack)
    metrics = KubeletMetrics()
    cri, images = await _cri_clients(config, endpoint, metrics.runtime, clock, stack)
    whole_runtime = RuntimeClient(cri, config.runtime.request_timeout_s)
    remedy = OWN_RUNTIME_IS_AWAY if config.runtime.embedded else START_IT
    watch = RuntimeWatch(whole_runtime, clock, waits=ports.close, remedy=remedy)
    await watch.first_answer(endpoint)
    driver = await watch.insisted(whole_runtime.cgroup_driver, endpoint)
    servers = await connect(config, runner, stack, name, clock, metrics.calls)
    dependencies = Dependencies(
        runtime=OwnRuntime(cri, is_own, config.runtime.request_timeout_s),
        whole_runtime=whole_runtime,
        is_own=is_own,
        images=ImagesClient(images, config.runtime.request_timeout_s),
        watch=watch,
        machine=machine,
        node_name=name,
        clock=clock,
        runner=runner,
        servers=servers,
        metrics=metrics,
        cgroup_driver=_cgroup_driver(driver, config, metrics.runtime),
        endpoint=endpoint,
    )
    sources = make_sources(config, name)
    agent = await assemble(config, dependencies, sources)
    stack.push_async_callback(agent.close)
    # Before the agent starts: if another program has its ports, it must not touch a pod.
    await serve(config, agent, shown, ports, stack)
    await agent.start()
    if servers is not None:
        _keep_serving_certificate(config, servers, agent, stack)
    _log_start(agent, endpoint, machine)
    if servers is None and not sources:
        log.warning("no source of pods is configured, so set staticPodPath or staticPodURL, or give a --kubeconfig")
    return agent


def _keep_serving_certificate(
    config: AgentConfig, servers: ApiServers, agent: Agent, stack: contextlib.AsyncExitStack
) -> None:
    tasks = Tasks()
    stack.push_async_callback(tasks.close)
    keep_serving_certificate(config, servers.heartbeats, agent.node.current, agent.dependencies.runner, tasks)


def is_own(uid: str) -> bool:
    """Whether the pod with this UID belongs to this agent, which then syncs and ends it."""
    return not is_of_run(uid)


async def _take_turn(config: AgentConfig, stack: contextlib.AsyncExitStack, stopping: asyncio.Event) -> None:
    """Wait for the lock file, if configured, and stop when another process wants it."""
    path = config.process.lock_file

    def contended() -> None:
        if not stopping.is_set():
            log.info("another process wants the lock file: path=%s", path)
        stopping.set()

    if path:
        await stack.enter_async_context(hold_file(path, contended if config.process.exit_on_lock_contention else None))


async def _keep_house(config: AgentConfig, stack: contextlib.AsyncExitStack) -> None:
    """Apply the configuration to this process and to the system's cgroups, before anything uses much memory."""
    swap.check(fail_swap_on=config.cgroups.fail_swap_on)
    kept = SystemCgroups(
        cgroup.detect(),
        agent=config.cgroups.kubelet,
        system=config.cgroups.system,
        oom_score_adj=config.process.oom_score_adj,
    )
    await kept.start()
    tasks = Tasks()
    stack.push_async_callback(tasks.close)
    tasks.start(kept.run(), name="cgroups of the system")


def _cgroup_driver(reported: str | None, config: AgentConfig, metrics: RuntimeMetrics) -> str:
    """The runtime's cgroup driver, or the configured one if the runtime does not report it."""
    if reported is None:
        metrics.losing_support.set(1, SUPPORT_ENDS)
    return reported or config.cgroups.driver


def make_sources(config: AgentConfig, name: str) -> dict[str, PodSource]:
    """The configured sources of pods."""
    sources, found = config.sources, dict[str, PodSource]()
    if sources.static_pod_path:
        found[FILE] = FileSource(sources.static_pod_path, name, read_pod, period_s=sources.file_check_frequency_s)
    if sources.static_pod_url:
        from podwright.agent.sources.http import HttpSource  # noqa: PLC0415 # aiohttp takes 10 MiB, and few need it

        found[HTTP] = HttpSource(
            sources.static_pod_url,
            sources.static_pod_url_headers,
            name,
            period_s=sources.http_check_frequency_s,
        )
    return found


async def _endpoint(config: AgentConfig, runner: ProcessRunner, stack: contextlib.AsyncExitStack) -> str:
    if not config.runtime.embedded:
        return normalise(config.runtime.endpoint)
    runtime = EmbeddedRuntime(config.process.root_dir, f"{os.path.dirname(config.process.socket)}/embedded", runner)
    stack.push_async_callback(runtime.close)
    await runtime.start()
    return runtime.endpoint


async def _cri_clients(
    config: AgentConfig, endpoint: str, metrics: RuntimeMetrics, clock: Clock, stack: contextlib.AsyncExitStack
) -> tuple[CriClient, CriClient]:
    """Clients of the runtime and of the image service: the same, unless --image-service-endpoint names another."""
    streams = config.feature_gates["CRIListStreaming"]
    runtime = await stack.enter_async_context(MeasuredCriClient(endpoint, metrics, clock, streams_lists=streams))
    images = config.runtime.image_endpoint
    if not images or normalise(images) == endpoint:
        return runtime, runtime
    own = MeasuredCriClient(images, metrics, clock, streams_lists=streams)
    return runtime, await stack.enter_async_context(own)


def _log_start(agent: Agent, endpoint: str, machine: Machine) -> None:
    log.info(
        "podwright agent runs: node=%s endpoint=%s root=%s cpus=%d memory_mib=%d",
        agent.dependencies.node_name,
        endpoint,
        agent.config.process.root_dir,
        machine.cpu_count,
        machine.memory_bytes >> 20,
    )


async def _first(task: asyncio.Task[object], stopping: asyncio.Event) -> None:
    """Wait until the task ends or the agent must stop."""
    stop = asyncio.create_task(stopping.wait(), name="wait for a signal")
    try:
        await asyncio.wait({task, stop}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.cancel()
