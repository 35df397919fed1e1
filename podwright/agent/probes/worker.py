"""The worker of one probe of one container: it runs the probe when that is due, and waits otherwise.

    no instance, or not running --running--> waiting for `started` --> due every period --decided--> on hold
         ^------------------------- a new container id resets everything ----------------------------'

A worker is on hold after a liveness failure and after any result of a startup probe: the container is ended soon, or
needs no startup probe any more. Only a new container id ends the hold.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.probes.attempt import Target
from podwright.agent.probes.findings import Findings
from podwright.agent.probes.outcomes import ProbeKind, ProbeOutcome, ProbeResult
from podwright.agent.probes.schedule import RESTART_GRACE_NS, Schedule, Series, initial_finding
from podwright.agent.runtime.records import CriContainerState, CriContainerStatus
from podwright.k8s.objects import Container, Pod, Probe

log = logging.getLogger(__name__)

Deliver = Callable[[ProbeOutcome], Awaitable[None]]


class ProbeRunner(Protocol):
    """Runs a probe once: `prober.Prober`."""

    async def run(self, kind: ProbeKind, probe: Probe, target: Target) -> ProbeResult | None:
        """Run the probe. Returns SUCCESS or FAILURE, or None if it could not be run."""

    def forget(self, pod: Pod) -> None:
        """Forget a pod that is not probed any more."""


class ProbeWorkerPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What all workers share."""

    prober: ProbeRunner
    findings: Findings
    deliver: Deliver
    refresh: Callable[[str], None]  # shows the workers of the pod with this UID the newest look
    clock: Clock
    agent_started_at_ns: int
    random: Callable[[], float]  # from 0 to 1


class Worker:
    """The worker of one probe."""

    def __init__(self, ports: ProbeWorkerPorts, pod: Pod, container: Container, kind: ProbeKind, probe: Probe) -> None:
        self.pod = pod  # the newest version
        self.container = container
        self.kind = kind
        self._ports = ports
        self._probe = probe
        self._schedule = Schedule.of(probe)
        self._instance: CriContainerStatus | None = None
        self._ip = ""
        self._series = Series()
        self._is_on_hold = False
        self._due_at: float | None = None  # in seconds of Clock.monotonic; None: no run is due
        self._news = asyncio.Event()

    def see(self, status: CriContainerStatus | None, ip: str, *, was_good: bool) -> None:
        """Take in a look at the container. `was_good`: an earlier agent found this instance ready, or started."""
        self._ip = ip
        before, due_before = self._instance, self._due_at
        if status is None or before is None or before.id != status.id:
            if before is not None:
                self._ports.findings.forget(before.id, self.kind)
            self._series, self._is_on_hold, self._due_at = Series(), False, None
            if status is not None:
                self._begin(status, was_good=was_good)
        self._instance = status
        if not self._may_run():
            self._due_at = None
        elif self._due_at is None:
            self._due_at = self._ports.clock.monotonic() + self._first_wait_s()
        if status is not None and status.state is CriContainerState.EXITED:
            self._ports.findings.set(status.id, self.kind, ProbeResult.FAILURE)
        if self._due_at != due_before:
            self._news.set()

    def _begin(self, status: CriContainerStatus, *, was_good: bool) -> None:
        """Begin with a new instance. An earlier agent's result is valid until the probe decides."""
        if not self._outlived_an_agent(status):
            self._ports.findings.set(status.id, self.kind, initial_finding(self.kind))
        elif was_good:
            self._ports.findings.set(status.id, self.kind, ProbeResult.SUCCESS)

    def _outlived_an_agent(self, status: CriContainerStatus) -> bool:
        began_ns = self._ports.agent_started_at_ns - RESTART_GRACE_NS
        return status.state is CriContainerState.RUNNING and 0 < status.started_at_ns < began_ns

    def _may_run(self) -> bool:
        status = self._instance
        if status is None or status.state is not CriContainerState.RUNNING or self._is_on_hold:
            return False
        if self.container.startup_probe is None:
            return True
        has_started = self._ports.findings.get(status.id, ProbeKind.STARTUP) is ProbeResult.SUCCESS
        return has_started is not (self.kind is ProbeKind.STARTUP)

    def _first_wait_s(self) -> float:
        """The seconds to the first run.

        After a start of the agent, probes of existing containers are spread over their periods. Probes without a
        result run at once, because until then their pod does not count as ready.
        """
        status = self._instance
        if status is None:
            return 0.0
        now_ns, period_s = self._ports.clock.now_ns(), self._schedule.period_s
        wait_s = self._schedule.first_wait_s(status.started_at_ns, now_ns)
        began_ns = self._ports.agent_started_at_ns
        is_known = (
            self.kind is ProbeKind.LIVENESS or self._ports.findings.get(status.id, self.kind) is ProbeResult.SUCCESS
        )
        if is_known and status.started_at_ns < began_ns and now_ns - began_ns < period_s * 1e9:
            wait_s = max(wait_s, self._ports.random() * period_s)
        return wait_s

    async def work(self) -> None:
        """Run the probe whenever it is due. Does not return."""
        while True:
            self._news.clear()
            wait_s = None if self._due_at is None else self._due_at - self._ports.clock.monotonic()
            if wait_s is not None and wait_s <= 0:
                await self._run_due()
                continue
            try:
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
            except TimeoutError:
                self._ports.refresh(self.pod.metadata.uid)

    async def _run_due(self) -> None:
        instance, due_at = self._instance, self._due_at
        if instance is None or due_at is None:
            return
        target = Target(pod=self.pod, container=self.container, container_id=instance.id, ip=self._ip)
        try:
            finding = await self._ports.prober.run(self.kind, self._probe, target)
        except Exception:  # the next run must come in any case
            log.exception("a probe failed: container=%s kind=%s", self.container.name, self.kind.value)
            finding = None
        if self._instance is None or self._instance.id != instance.id or self._due_at is None:
            return  # the instance of this result has ended meanwhile
        self._due_at = max(due_at + self._schedule.period_s, self._ports.clock.monotonic())
        if finding is not None:
            await self._take(instance.id, finding)

    async def _take(self, container_id: str, finding: ProbeResult) -> None:
        self._series = self._series.then(finding)
        if not self._series.decides(self._schedule):
            return
        is_liveness_failure = self.kind is ProbeKind.LIVENESS and finding is ProbeResult.FAILURE
        if is_liveness_failure or self.kind is ProbeKind.STARTUP:
            self._is_on_hold, self._due_at = True, None
        uid = self.pod.metadata.uid
        if not self._ports.findings.set(container_id, self.kind, finding):
            return
        if self.kind is ProbeKind.STARTUP:
            self._ports.refresh(uid)  # the other probes of the container may run now
        name = self.container.name
        await self._ports.deliver(
            ProbeOutcome(pod_uid=uid, container=name, container_id=container_id, kind=self.kind, finding=finding)
        )
