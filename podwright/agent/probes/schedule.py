"""Decides when a probe runs, and when a series of results counts. Pure."""

from __future__ import annotations

import msgspec

from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.k8s.objects import Container, Probe

RESTART_GRACE_NS = 10 * 10**9  # an earlier agent probed a container that is this much older than the agent


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """The numbers of a probe, with the API's defaults in place of zeros."""

    delay_s: int
    period_s: int
    failures: int
    successes: int

    @classmethod
    def of(cls, probe: Probe) -> Schedule:
        """The numbers of a spec."""
        return cls(
            delay_s=probe.initial_delay_seconds,
            period_s=probe.period_seconds or 10,
            failures=probe.failure_threshold or 3,
            successes=probe.success_threshold or 1,
        )

    def first_wait_s(self, started_at_ns: int, now_ns: int) -> float:
        """The wait from `now_ns` to the first run, for a container that started at `started_at_ns`.

        It is never longer than the delay, even if the machine's clock was set back meanwhile.
        """
        return min(self.delay_s, max(0.0, self.delay_s - (now_ns - started_at_ns) / 1e9))


class Series(msgspec.Struct, frozen=True):
    """The last equal results of one instance of a container."""

    finding: ProbeResult | None = None
    count: int = 0

    def then(self, finding: ProbeResult) -> Series:
        """The series after one more result."""
        return Series(finding, self.count + 1 if finding is self.finding else 1)

    def decides(self, schedule: Schedule) -> bool:
        """Whether there are enough equal results to count."""
        needed = schedule.successes if self.finding is ProbeResult.SUCCESS else schedule.failures
        return self.count >= needed


def probe_of(container: Container, kind: ProbeKind) -> Probe | None:
    """The container's probe of a kind."""
    match kind:
        case ProbeKind.LIVENESS:
            return container.liveness_probe
        case ProbeKind.READINESS:
            return container.readiness_probe
        case ProbeKind.STARTUP:
            return container.startup_probe


def initial_finding(kind: ProbeKind) -> ProbeResult:
    """The finding of a new container until its probe has decided."""
    match kind:
        case ProbeKind.LIVENESS:
            return ProbeResult.SUCCESS
        case ProbeKind.READINESS:
            return ProbeResult.FAILURE
        case ProbeKind.STARTUP:
            return ProbeResult.UNKNOWN
