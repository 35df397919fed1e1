"""One run of a probe: up to three attempts, and the events about it."""

from __future__ import annotations

import logging

from podwright.agent.events.recorder import EventRecorder
from podwright.agent.probes.attempt import Attempt, Target, Verdict
from podwright.agent.probes.outcomes import Finding, ProbeKind
from podwright.agent.probes.probers import Probers
from podwright.errors import PodwrightError
from podwright.k8s.objects import Probe

log = logging.getLogger(__name__)

ATTEMPTS = 3  # when the container could not be asked


class Prober:
    """Runs probes. The events' texts are the kubelet's (pkg/kubelet/prober)."""

    def __init__(self, probers: Probers, events: EventRecorder) -> None:
        self._probers = probers
        self._events = events

    async def run(self, kind: ProbeKind, probe: Probe, target: Target) -> Finding | None:
        """SUCCESS or FAILURE; None when the container could not be asked, which says nothing about it."""
        try:
            attempt = await self._attempts(probe, target)
        except PodwrightError as failed:
            text = f"{kind.value.title()} probe errored and resulted in unknown state: {failed}"
            self._note(target, "Unhealthy", text)
            return None
        match attempt.verdict:
            case Verdict.WARNING:
                self._note(target, "ProbeWarning", f"{kind.value.title()} probe warning: {attempt.output}")
            case Verdict.FAILURE:
                self._note(target, "Unhealthy", f"{kind.value.title()} probe failed: {attempt.output}")
                return Finding.FAILURE
            case Verdict.SUCCESS:
                pass
        return Finding.SUCCESS

    async def _attempts(self, probe: Probe, target: Target) -> Attempt:
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._probers.attempt(probe, target)
            except PodwrightError as failed:
                log.debug("a probe could not be run: container=%s error=%s", target.container_id, failed)
        return await self._probers.attempt(probe, target)

    def _note(self, target: Target, reason: str, message: str) -> None:
        self._events.pod(target.pod, "Warning", reason, message, container=target.container.name)
