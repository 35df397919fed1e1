"""Decides whether a container has started and is ready, by its state and its probes. Pure.

The rules are those of UpdatePodStatus of Kubernetes 1.36 (pkg/kubelet/prober/prober_manager.go). An instance that was
started or ready before this agent began to probe it stays so until a probe decides, so that a restart of the agent
changes nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from podwright.agent.pods.identity import is_sidecar
from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.status.inputs import StatusSituation
from podwright.k8s.objects import Container, ContainerStatus


def with_readiness(
    status: ContainerStatus,
    container: Container,
    previous: ContainerStatus | None,
    situation: StatusSituation,
    *,
    is_init: bool,
) -> ContainerStatus:
    """The status with `started` and `ready`.

    An init container that is not a sidecar is ready once it has succeeded.
    """
    before = previous if previous is not None and previous.container_id == status.container_id else None
    started = status.state.running is not None and _has_started(status, container, before, situation)
    if is_init and not is_sidecar(container):
        ended = status.state.terminated
        return replace(status, started=started, ready=ended is not None and ended.exit_code == 0)
    return replace(status, started=started, ready=started and _is_ready(status, container, before, situation))


def _has_started(
    status: ContainerStatus, container: Container, before: ContainerStatus | None, situation: StatusSituation
) -> bool:
    finding = _finding(status, ProbeKind.STARTUP, situation)
    if finding is not None:
        return finding is ProbeResult.SUCCESS
    return container.startup_probe is None or (before is not None and before.started is True)


def _is_ready(
    status: ContainerStatus, container: Container, before: ContainerStatus | None, situation: StatusSituation
) -> bool:
    if container.readiness_probe is None:
        return True
    finding = _finding(status, ProbeKind.READINESS, situation)
    if finding is not None:
        return finding is ProbeResult.SUCCESS
    return before is not None and before.ready


def _finding(status: ContainerStatus, kind: ProbeKind, situation: StatusSituation) -> ProbeResult | None:
    """The result of a probe of the newest instance, which probes know by the runtime's id."""
    return situation.inputs.finding_of(status.container_id.rpartition("//")[2], kind)
