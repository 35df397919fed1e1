"""How often probes ran and what they found, for `/metrics/probes`. Names and labels: pkg/kubelet/prober."""

from __future__ import annotations

from collections.abc import Collection

from podwright.agent.clock import Clock
from podwright.agent.probes.attempt import Target
from podwright.agent.probes.outcomes import Finding, ProbeKind
from podwright.agent.probes.worker import Runner
from podwright.agent.prometheus import Family, Histogram, Sample
from podwright.k8s.objects import Probe

RESULTS = {Finding.SUCCESS: "successful", Finding.FAILURE: "failed", Finding.UNKNOWN: "unknown", None: "unknown"}


class CountedProber:
    """A `Runner` that counts what another one does."""

    def __init__(self, prober: Runner, clock: Clock) -> None:
        self._prober = prober
        self._clock = clock
        self._results: dict[tuple[str, str, str, str, str, str], int] = {}
        self._durations: dict[tuple[str, str, str, str, str], Histogram] = {}

    async def run(self, kind: ProbeKind, probe: Probe, target: Target) -> Finding | None:
        """See Runner."""
        began = self._clock.monotonic()
        finding = await self._prober.run(kind, probe, target)
        self._note(kind, target, finding, self._clock.monotonic() - began)
        return finding

    def _note(self, kind: ProbeKind, target: Target, finding: Finding | None, took_s: float) -> None:
        metadata = target.pod.metadata
        who = (kind.value.title(), target.container.name, metadata.name, metadata.namespace, metadata.uid)
        key = (*who, RESULTS[finding])
        self._results[key] = self._results.get(key, 0) + 1
        if finding is not None:
            self._durations.setdefault(who, Histogram()).observe(took_s)

    def retain(self, uids: Collection[str]) -> None:
        """Forget the pods but these."""
        for result in [key for key in self._results if key[4] not in uids]:
            del self._results[result]
        for duration in [key for key in self._durations if key[4] not in uids]:
            del self._durations[duration]

    def families(self) -> list[Family]:
        """What was counted."""
        totals = tuple(
            Sample(
                value=count,
                labels={
                    "container": container,
                    "namespace": namespace,
                    "pod": pod,
                    "pod_uid": uid,
                    "probe_type": kind,
                    "result": result,
                },
            )
            for (kind, container, pod, namespace, uid, result), count in self._results.items()
        )
        durations = tuple(
            sample
            for (kind, container, pod, namespace, _), histogram in self._durations.items()
            for sample in histogram.samples(
                {"container": container, "namespace": namespace, "pod": pod, "probe_type": kind}
            )
        )
        text = "[BETA] Cumulative number of a liveness, readiness or startup probe for a container by result."
        return [
            Family(name="prober_probe_total", kind="counter", help=text, samples=totals),
            Family(
                name="prober_probe_duration_seconds",
                kind="histogram",
                help="[ALPHA] Duration in seconds for a probe response.",
                samples=durations,
            ),
        ]
