"""Ends containers and whole pods: the preStop hook, the order of sidecars, the grace, then the runtime's stop."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import math
from collections.abc import AsyncIterator, Sequence

from podwright.agent.decisions.termination import MIN_STOP_S, TerminationOrder, termination_grace_s
from podwright.agent.pods.containers import find_container
from podwright.agent.probes.outcomes import ProbeKind
from podwright.agent.runtime.records import CriContainerStatus, ObservedPod
from podwright.agent.workers.hooks import Hooks
from podwright.agent.workers.ports import SyncerPorts
from podwright.errors import Internal, PodwrightError
from podwright.k8s.objects import Container, LifecycleHandler, Pod
from podwright.timeline import Step

log = logging.getLogger(__name__)


class Killer:
    """Ends containers and sandboxes, and records events about it."""

    def __init__(self, ports: SyncerPorts, hooks: Hooks) -> None:
        self._runtime, self._events, self._clock = ports.runtime, ports.events, ports.clock
        self._hooks = hooks

    async def kill_pod(self, pod: Pod, observed: ObservedPod, grace_s: int | None) -> None:
        """End all containers, then stop all sandboxes.

        Also stops sandboxes that are not ready, since they may hold addresses and ports. `grace_s` replaces the
        containers' own grace. Tries to end everything, then raises Internal for what failed.
        """
        failures = []
        steps = (
            functools.partial(self.kill_containers, pod, observed, observed.running(), grace_s),
            functools.partial(self.stop_sandboxes, observed),
        )
        for step in steps:
            try:
                await step()
            except PodwrightError as failure:
                failures.append(failure)
        if failures:
            raise Internal("; ".join(str(failure) for failure in failures)) from failures[0]

    async def stop_sandboxes(self, observed: ObservedPod) -> None:
        """Stop every sandbox of the pod. Raises Internal."""
        stops = (self._runtime.stop_sandbox(sandbox.id) for sandbox in observed.sandboxes)
        _raise_failures("stop the sandboxes", await asyncio.gather(*stops, return_exceptions=True))

    async def kill_containers(
        self, pod: Pod, observed: ObservedPod, statuses: Sequence[CriContainerStatus], grace_s: int | None
    ) -> None:
        """End these containers concurrently, sidecars after the regular ones. Raises Internal."""
        if not statuses:
            return
        order = TerminationOrder(pod, [status.name for status in statuses])
        kills = (self._kill_in_turn(pod, observed, status, grace_s, order) for status in statuses)
        _raise_failures("stop the containers", await asyncio.gather(*kills, return_exceptions=True))

    async def _kill_in_turn(
        self, pod: Pod, observed: ObservedPod, status: CriContainerStatus, grace_s: int | None, order: TerminationOrder
    ) -> None:
        try:
            await self.kill(pod, observed, status, grace_s=grace_s, order=order)
        finally:
            order.has_ended(status.name)

    async def kill(
        self,
        pod: Pod,
        observed: ObservedPod,
        status: CriContainerStatus,
        *,
        message: str = "",
        probe: ProbeKind | None = None,
        grace_s: int | None = None,
        order: TerminationOrder | None = None,
    ) -> None:
        """End one container. Its preStop hook, and the wait for its turn, count against the grace.

        Raises PodwrightError if the runtime cannot end the container.
        """
        left_s = float(termination_grace_s(pod, status.name, probe) if grace_s is None else grace_s)
        text = message or f"Stopping container {status.name}"
        self._events.pod(pod, "Normal", "Killing", text, container=status.name)
        began = self._clock.monotonic()
        with Step(f"end of container {status.name}"):
            async with self._after_pre_stop(pod, observed, status, left_s):
                if order is not None and left_s > 0:
                    with Step("its turn"):
                        await order.turn(status.name, left_s - (self._clock.monotonic() - began))
                left_s -= math.floor(self._clock.monotonic() - began)
                await self._runtime.stop_container(status.id, max(int(left_s), MIN_STOP_S))

    @contextlib.asynccontextmanager
    async def _after_pre_stop(
        self, pod: Pod, observed: ObservedPod, status: CriContainerStatus, limit_s: float
    ) -> AsyncIterator[None]:
        """Run the preStop hook, then the block. After `limit_s` the block runs even if the hook has not ended.

        The hook's program then ends with the container, as with a kubelet: to end it sooner would cut its last
        seconds.
        """
        container = find_container(pod, status.name)
        lifecycle = container.lifecycle if isinstance(container, Container) else None
        handler = lifecycle.pre_stop if lifecycle is not None else None
        if not isinstance(container, Container) or handler is None or limit_s <= 0:
            yield
            return
        work = self._run_pre_stop(pod, observed, container, handler, status)
        hook = asyncio.create_task(work, name=f"preStop hook of {pod.metadata.name}/{status.name}")
        try:
            _, running = await asyncio.wait({hook}, timeout=limit_s)
            if running:
                log.info(
                    "a preStop hook takes longer than the grace: pod=%s container=%s", pod.metadata.name, status.name
                )
            yield
        finally:
            hook.cancel()
            await asyncio.wait({hook})

    async def _run_pre_stop(
        self,
        pod: Pod,
        observed: ObservedPod,
        container: Container,
        handler: LifecycleHandler,
        status: CriContainerStatus,
    ) -> None:
        try:
            await self._hooks.run(handler, pod, container, status.id, observed)
        except PodwrightError as failure:
            log.warning("a preStop hook failed: pod=%s container=%s error=%s", pod.metadata.name, status.name, failure)
            # The event has no details, like a kubelet's: many can read events, and the hook's output may be secret.
            self._events.pod(pod, "Warning", "FailedPreStopHook", "PreStopHook failed", container=status.name)


def _raise_failures(what: str, outcomes: Sequence[object]) -> None:
    """Raise Internal with all failures among the outcomes, if there are any."""
    failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    for failure in failures:
        if isinstance(failure, asyncio.CancelledError):
            raise failure
    if failures:
        raise Internal(f"cannot {what}: " + "; ".join(str(failure) for failure in failures)) from failures[0]
