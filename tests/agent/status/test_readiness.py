"""Whether containers have started and are ready, by probes and by what was known before."""

from __future__ import annotations

import pytest

from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.status.builder import build_status
from podwright.k8s.objects import Container, ContainerStatus, ExecAction, PodStatus, Probe
from tests.agent.fakes.observed import observed, running
from tests.agent.fakes.pods import container, pod
from tests.agent.fakes.statuses import inputs, shown

PROBE = Probe(exec=ExecAction(command=("true",)))
STARTUP = container(startup_probe=PROBE)
READINESS = container(readiness_probe=PROBE)
BOTH = container(startup_probe=PROBE, readiness_probe=PROBE)
WAS_READY = shown(started=True, ready=True)


def verdict(
    of: Container,
    found: dict[ProbeKind, ProbeResult] | None = None,
    before: ContainerStatus | None = None,
    *,
    sidecar: bool = False,
) -> tuple[bool | None, bool]:
    """(started, ready) of a running instance."""

    def finding_of(identifier: str, kind: ProbeKind) -> ProbeResult | None:
        assert identifier == "main-0"
        return (found or {}).get(kind)

    statuses = (before,) if before is not None else ()
    if sidecar:
        of = container(
            "main", restart_policy="Always", startup_probe=of.startup_probe, readiness_probe=of.readiness_probe
        )
        pod_of, previous = (
            pod(containers=(container("x"),), init_containers=(of,)),
            PodStatus(init_container_statuses=statuses),
        )
    else:
        pod_of, previous = pod(containers=(of,)), PodStatus(container_statuses=statuses)
    status = build_status(pod_of, observed(running()), inputs(previous, finding_of=finding_of))
    result = (status.init_container_statuses if sidecar else status.container_statuses)[0]
    return result.started, result.ready


GOOD, BAD, OPEN = ProbeResult.SUCCESS, ProbeResult.FAILURE, ProbeResult.UNKNOWN
START, READY = ProbeKind.STARTUP, ProbeKind.READINESS


@pytest.mark.parametrize("sidecar", [False, True])
@pytest.mark.parametrize(
    ("of", "found", "before", "expected"),
    [
        (container(), {}, None, (True, True)),
        (STARTUP, {}, None, (False, False)),
        (STARTUP, {START: OPEN}, None, (False, False)),
        (STARTUP, {START: BAD}, None, (False, False)),
        (STARTUP, {START: GOOD}, None, (True, True)),
        (READINESS, {}, None, (True, False)),
        (READINESS, {READY: BAD}, None, (True, False)),
        (READINESS, {READY: GOOD}, None, (True, True)),
        (BOTH, {START: OPEN, READY: GOOD}, None, (False, False)),
        (BOTH, {START: GOOD, READY: GOOD}, None, (True, True)),
        # a restarted agent has found nothing yet
        (BOTH, {}, WAS_READY, (True, True)),
        (BOTH, {}, shown(started=True, ready=False), (True, False)),
        (BOTH, {START: OPEN}, WAS_READY, (False, False)),
        (BOTH, {READY: BAD}, WAS_READY, (True, False)),
        # what was known of another instance says nothing
        (BOTH, {}, shown(started=True, ready=True, container_id="containerd://other"), (False, False)),
    ],
)
def test_a_running_container(
    of: Container,
    found: dict[ProbeKind, ProbeResult],
    before: ContainerStatus | None,
    expected: tuple[bool, bool],
    sidecar: bool,
) -> None:
    assert verdict(of, found, before, sidecar=sidecar) == expected
