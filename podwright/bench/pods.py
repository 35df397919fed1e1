"""Pods made to be measured: one container each, timed call by call, and swept away afterwards by their label."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable
from typing import TypeVar

import msgspec

from podwright.bench.options import BenchOptions
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import Internal, PodwrightError

Response = TypeVar("Response")

LABEL = "podwright.bench"
NAMESPACE = "podwright-bench"
# Ends at once on SIGTERM, as a well-behaved server does; a bare `sleep` as process 1 would wait for SIGKILL.
COMMAND = ("sh", "-c", "trap 'exit 0' TERM; sleep 86400 & wait")
EXEC_COMMAND = ("true",)
SWEEP_LIMIT_S = 120.0
SWEEP_PAUSE_S = 0.3


class StartTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long each call took, in milliseconds."""

    sandbox_ms: float
    create_ms: float
    start_ms: float

    @property
    def sum_ms(self) -> float:
        """From nothing to a running container."""
        return self.sandbox_ms + self.create_ms + self.start_ms


class StopTimes(msgspec.Struct, frozen=True, kw_only=True):
    """How long each call took, in milliseconds."""

    stop_ms: float
    remove_ms: float

    @property
    def sum_ms(self) -> float:
        """From a running pod to nothing."""
        return self.stop_ms + self.remove_ms


class StartedPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod that runs, and how it got there."""

    sandbox_id: str
    container_id: str
    times: StartTimes


class PodMaker:
    """Makes, measures and removes the pods of one run on one endpoint. Every pod carries the run's label."""

    def __init__(self, cri: CriClient, *, options: BenchOptions, log_root: str) -> None:
        self._cri = cri
        self._options = options
        self._log_root = log_root
        self._run_id = secrets.token_hex(4)
        self._made = 0

    def _sandbox_config(self) -> api.PodSandboxConfig:
        """A pod as the kubelet makes it: own network, PID namespace per container."""
        self._made += 1
        name = f"bench-{self._run_id}-{self._made}"
        config = api.PodSandboxConfig(
            metadata=api.PodSandboxMetadata(name=name, namespace=NAMESPACE, uid=name),
            hostname=name,
            log_directory=f"{self._log_root}/{name}",
            labels={LABEL: self._run_id},
        )
        config.linux.cgroup_parent = self._options.cgroup_parent
        config.linux.security_context.namespace_options.pid = api.CONTAINER
        return config

    def _container_config(self) -> api.ContainerConfig:
        config = api.ContainerConfig(
            metadata=api.ContainerMetadata(name="main"),
            image=api.ImageSpec(image=self._options.image),
            command=COMMAND,
            labels={LABEL: self._run_id},
            log_path="main.log",
        )
        config.linux.security_context.namespace_options.pid = api.CONTAINER
        return config

    async def start(self) -> StartedPod:
        """RunPodSandbox, CreateContainer, StartContainer. Raises a PodwrightError."""
        runtime, config = self._cri.runtime, self._sandbox_config()
        sandbox_request = api.RunPodSandboxRequest(config=config, runtime_handler=self._options.handler)
        sandbox, sandbox_ms = await timed_ms(self._cri.call(runtime.RunPodSandbox, sandbox_request))
        create_request = api.CreateContainerRequest(
            pod_sandbox_id=sandbox.pod_sandbox_id, config=self._container_config(), sandbox_config=config
        )
        container, create_ms = await timed_ms(self._cri.call(runtime.CreateContainer, create_request))
        start_request = api.StartContainerRequest(container_id=container.container_id)
        _, start_ms = await timed_ms(self._cri.call(runtime.StartContainer, start_request))
        return StartedPod(
            sandbox_id=sandbox.pod_sandbox_id,
            container_id=container.container_id,
            times=StartTimes(sandbox_ms=sandbox_ms, create_ms=create_ms, start_ms=start_ms),
        )

    async def execute(self, pod: StartedPod) -> float:
        """Milliseconds of one ExecSync of `true`. Raises a PodwrightError."""
        request = api.ExecSyncRequest(container_id=pod.container_id, cmd=EXEC_COMMAND, timeout=60)
        response, taken_ms = await timed_ms(self._cri.call(self._cri.runtime.ExecSync, request))
        if response.exit_code != 0:
            raise Internal(f"`true` ended with {response.exit_code} in container {pod.container_id}")
        return taken_ms

    async def stop(self, pod: StartedPod) -> StopTimes:
        """StopPodSandbox and RemovePodSandbox, the container inside. Raises a PodwrightError."""
        runtime = self._cri.runtime
        stop_request = api.StopPodSandboxRequest(pod_sandbox_id=pod.sandbox_id)
        _, stop_ms = await timed_ms(self._cri.call(runtime.StopPodSandbox, stop_request))
        remove_request = api.RemovePodSandboxRequest(pod_sandbox_id=pod.sandbox_id)
        _, remove_ms = await timed_ms(self._cri.call(runtime.RemovePodSandbox, remove_request))
        return StopTimes(stop_ms=stop_ms, remove_ms=remove_ms)

    async def sweep(self) -> None:
        """Remove every pod of this run, also those whose making was interrupted.

        A sandbox in the making is listed only when it is ready, so an empty list counts when it is seen twice.
        Raises DeadlineExceeded and what the endpoint raised last.
        """
        selector = api.PodSandboxFilter(label_selector={LABEL: self._run_id})
        request = api.ListPodSandboxRequest(filter=selector)
        deadline = time.monotonic() + SWEEP_LIMIT_S
        empty_seen = 0
        while empty_seen < 2:
            listed = await self._cri.call(self._cri.runtime.ListPodSandbox, request)
            empty_seen = 0 if listed.items else empty_seen + 1
            for pod in listed.items:
                await self._discard(pod.id, last_try=time.monotonic() > deadline)
            await asyncio.sleep(SWEEP_PAUSE_S)

    async def _discard(self, sandbox_id: str, *, last_try: bool) -> None:
        """Stop and remove one sandbox; a failure is for the next round, unless this is the last."""
        with contextlib.suppress(*(() if last_try else (PodwrightError,))):
            await self._cri.call(
                self._cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=sandbox_id)
            )
            request = api.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id)
            await self._cri.call(self._cri.runtime.RemovePodSandbox, request)


async def timed_ms(work: Awaitable[Response]) -> tuple[Response, float]:
    """The result, and the milliseconds until it came."""
    started_ns = time.perf_counter_ns()
    result = await work
    return result, (time.perf_counter_ns() - started_ns) / 1e6
