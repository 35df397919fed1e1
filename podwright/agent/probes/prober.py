"""One run of a probe: up to three attempts, and the events about it."""

from __future__ import annotations

import logging

from podwright.agent.clock import Clock
from podwright.agent.events.recorder import EventRecorder
from podwright.agent.metrics.probes import ProbeMetrics
from podwright.agent.probes.attempt import Attempt, AttemptResult, Target
from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.probes.probers import Probers
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod, Probe

log = logging.getLogger(__name__)

ATTEMPTS = 3  # while the probe cannot be run
RESULTS = {ProbeResult.SUCCESS: "successful", ProbeResult.FAILURE: "failed", None: "unknown"}  # in metrics


class Prober:
    """Runs probes. The events' texts are the kubelet's (pkg/kubelet/prober)."""

    def __init__(self, probers: Probers, events: EventRecorder, metrics: ProbeMetrics, clock: Clock) -> None:
        self._probers = probers
        self._events = events
        self._metrics = metrics
        self._clock = clock

    async def run(self, kind: ProbeKind, probe: Probe, target: Target) -> ProbeResult | None:
        """Run the probe.

        Returns SUCCESS or FAILURE, or None if it could not be run, which says nothing about the container.
        """
        began = self._clock.monotonic()
        finding = await self._run(kind, probe, target)
        pod, container = target.pod.metadata, target.container.name
        self._metrics.probes.add(kind.value, RESULTS[finding], container, pod.name, pod.namespace, pod.uid)
        if finding is ProbeResult.SUCCESS:
            took_s = self._clock.monotonic() - began
            self._metrics.durations.observe(took_s, kind.value, container, pod.name, pod.namespace)
        return finding

    def forget(self, pod: Pod) -> None:
        """Forget a pod that is not probed any more."""
        self._metrics.forget(pod.metadata.uid, pod.metadata.name, pod.metadata.namespace)

    async def _run(self, kind: ProbeKind, probe: Probe, target: Target) -> ProbeResult | None:
        try:
            attempt = await self._attempts(probe, target)
        except PodwrightError as failed:
            text = f"{kind.value.title()} probe errored and resulted in unknown state: {failed}"
            self._note(target, "Unhealthy", text)
            return None
        match attempt.verdict:
            case AttemptResult.WARNING:
                self._note(target, "ProbeWarning", f"{kind.value.title()} probe warning: {attempt.output}")
            case AttemptResult.FAILURE:
                self._note(target, "Unhealthy", f"{kind.value.title()} probe failed: {attempt.output}")
                return ProbeResult.FAILURE
            case AttemptResult.SUCCESS:
                pass
        return ProbeResult.SUCCESS

    async def _attempts(self, probe: Probe, target: Target) -> Attempt:
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._probers.attempt(probe, target)
            except PodwrightError as failed:
                log.debug("a probe could not be run: container=%s error=%s", target.container_id, failed)
        return await self._probers.attempt(probe, target)

    def _note(self, target: Target, reason: str, message: str) -> None:
        self._events.pod(target.pod, "Warning", reason, message, container=target.container.name)
