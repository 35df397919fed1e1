"""Decides what to change at the runtime so that it holds what a pod's spec wants. Pure.

The rules are the kubelet's (computePodActions of Kubernetes 1.36, pkg/kubelet/kuberuntime).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from podwright.agent.decisions.resizing import (
    NO_RESIZE,
    ContainerResize,
    PodResize,
    needs_restart,
    resize_of,
    resizes_pod_level,
)
from podwright.agent.decisions.restarts import (
    restarts_after,
    restarts_on_failure,
    should_start,
    wants_all_restarted,
)
from podwright.agent.pods.allocation import PodAllocation
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.hashes import container_hash
from podwright.agent.pods.identity import CONTAINER_HASH, is_sidecar
from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.runtime.records import CriContainerState, CriContainerStatus, CriSandboxState, ObservedPod
from podwright.k8s.objects import Container, Pod

FindingOf = Callable[[str, ProbeKind], ProbeResult | None]


class Kill(msgspec.Struct, frozen=True, kw_only=True):
    """A running container to end. `probe` is the probe that failed, whose own grace then counts."""

    status: CriContainerStatus
    message: str
    probe: ProbeKind | None = None


class PodActions(msgspec.Struct, frozen=True, kw_only=True):
    """What a pass does, in this order: kill, create the sandbox, resize, start.

    Containers are given by name, in the order of the spec.
    """

    kill_pod: bool = False
    create_sandbox: bool = False
    sandbox_id: str = ""  # the sandbox to start containers in; empty if there is none
    attempt: int = 0  # of this sandbox, or of the one to create
    start_ephemeral: tuple[str, ...] = ()
    start_init: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    kill: tuple[Kill, ...] = ()
    restart_all: str = ""  # the container whose exit restarts all containers; empty for none
    resize: PodResize = NO_RESIZE

    @property
    def is_nothing(self) -> bool:
        """Whether nothing has to be done."""
        return self == PodActions(sandbox_id=self.sandbox_id, attempt=self.attempt)


class SandboxAction(msgspec.Struct, frozen=True, kw_only=True):
    """The sandbox to use, and whether it has to be created."""

    create: bool
    attempt: int
    id: str = ""


class _Plan(msgspec.Struct, kw_only=True):
    """The decisions about containers so far."""

    actuated: PodAllocation | None
    resizes: list[ContainerResize] = msgspec.field(default_factory=list)
    restarts_for_size: bool = False
    start_init: list[str] = msgspec.field(default_factory=list)
    start: list[str] = msgspec.field(default_factory=list)
    kill: list[Kill] = msgspec.field(default_factory=list)
    kill_pod: bool = False


def choose_sandbox(pod: Pod, observed: ObservedPod) -> SandboxAction:
    """Choose the newest sandbox if it can be used, else a new one with the next attempt."""
    if not observed.sandboxes:
        return SandboxAction(create=True, attempt=0)
    newest = observed.sandboxes[0]
    is_single = len(observed.ready_sandboxes()) <= 1
    is_ready = newest.state is CriSandboxState.READY
    fits_network = newest.host_network == pod.spec.host_network
    has_address = pod.spec.host_network or bool(newest.ips)
    if is_single and is_ready and fits_network and has_address:
        return SandboxAction(create=False, attempt=newest.attempt, id=newest.id)
    return SandboxAction(create=True, attempt=newest.attempt + 1, id=newest.id)


def compute_pod_actions(
    pod: Pod, observed: ObservedPod, finding_of: FindingOf, actuated: PodAllocation | None = None
) -> PodActions:
    """Decide what to do next. `finding_of` gives the results of a container instance's probes.

    `pod` has the allocated resources, `actuated` those that were last set. Without `actuated` nothing is resized.
    """
    sandbox = choose_sandbox(pod, observed)
    if sandbox.create:
        return _recreate(pod, observed, sandbox)
    if culprit := wants_all_restarted(pod, observed):
        return PodActions(sandbox_id=sandbox.id, attempt=sandbox.attempt, restart_all=culprit)
    ephemeral = tuple(
        container.name for container in pod.spec.ephemeral_containers if observed.newest(container.name) is None
    )
    plan = _Plan(actuated=actuated)
    if _plan_init(pod, observed, finding_of, plan) and not plan.kill_pod:
        _plan_regular(pod, observed, finding_of, plan)
    order = [container.name for container in pod.spec.init_containers]
    return PodActions(
        kill_pod=plan.kill_pod,
        sandbox_id=sandbox.id,
        attempt=sandbox.attempt,
        start_ephemeral=() if plan.kill_pod else ephemeral,
        start_init=tuple(sorted(set(plan.start_init), key=order.index)),
        start=tuple(plan.start),
        kill=tuple(plan.kill),
        resize=NO_RESIZE if plan.kill_pod else _resize(pod, plan),
    )


def _resize(pod: Pod, plan: _Plan) -> PodResize:
    return PodResize(
        containers=tuple(plan.resizes),
        restarts=plan.restarts_for_size,
        pod_level=resizes_pod_level(pod, plan.actuated),
    )


def _recreate(pod: Pod, observed: ObservedPod, sandbox: SandboxAction) -> PodActions:
    """Create a new sandbox if a container may start in it, and start those containers.

    The kubelet creates no sandbox for a pod that never restarts once it has had a container. If such a pod loses its
    sandbox before all of its containers have started, it stays Pending forever. Here they start in the new sandbox.
    """
    start = tuple(container.name for container in pod.spec.containers if _starts_anew(pod, container, observed))
    if not start and (not pod.spec.init_containers or _was_initialized(pod, observed)):
        return PodActions(kill_pod=True, sandbox_id=sandbox.id, attempt=sandbox.attempt)
    return PodActions(
        kill_pod=True,
        create_sandbox=True,
        sandbox_id=sandbox.id,
        attempt=sandbox.attempt,
        start_init=tuple(container.name for container in pod.spec.init_containers[:1]),
        start=() if pod.spec.init_containers else start,
    )


def _starts_anew(pod: Pod, container: Container, observed: ObservedPod) -> bool:
    """Whether a container starts in a new sandbox: its restart policy allows that, or it has not run yet."""
    status = observed.newest(container.name)
    if status is None or status.state is CriContainerState.CREATED:
        return True
    if status.state is CriContainerState.EXITED:
        return restarts_after(pod, container, status.exit_code)
    return restarts_on_failure(pod, container)  # it is killed first


def _was_initialized(pod: Pod, observed: ObservedPod) -> bool:
    return any(observed.newest(container.name) is not None for container in pod.spec.containers)


def _plan_init(pod: Pod, observed: ObservedPod, finding_of: FindingOf, plan: _Plan) -> bool:
    """Plan the init containers. Returns whether the pod is initialized.

    Goes from the last init container to the first, because early ones may have been removed.
    """
    if not pod.spec.init_containers:
        return True
    initialized = _is_initialized(pod, observed)
    passed = initialized  # whether a later container has started, so this one was done before
    last = len(pod.spec.init_containers) - 1
    for index in range(last, -1, -1):
        container = pod.spec.init_containers[index]
        status = observed.newest(container.name)
        if status is None:
            if passed and is_sidecar(container):
                plan.start_init.append(container.name)
            continue
        if passed and not is_sidecar(container):
            continue
        is_done = _plan_one_init(pod, container, status, finding_of, plan)
        if plan.kill_pod:
            plan.start_init.clear()
            return False
        if is_done and index == last:
            initialized = True
        elif is_done and not passed:
            plan.start_init.append(pod.spec.init_containers[index + 1].name)
        passed = True
    if not passed:
        plan.start_init.append(pod.spec.init_containers[0].name)
    return initialized


def _is_initialized(pod: Pod, observed: ObservedPod) -> bool:
    """Whether the newest sandbox has a regular container. Containers of older sandboxes do not count."""
    current = observed.sandboxes[0].id
    return any(
        status.sandbox_id == current and status.state is not CriContainerState.UNKNOWN
        for status in (observed.newest(container.name) for container in pod.spec.containers)
        if status is not None
    )


def _plan_one_init(
    pod: Pod, container: Container, status: CriContainerStatus, finding_of: FindingOf, plan: _Plan
) -> bool:
    """Plan one init container. Returns whether the next one may start.

    It may if this one has succeeded, or is a sidecar that has started.
    """
    if status.state is CriContainerState.RUNNING:
        if is_sidecar(container):
            return _plan_running_sidecar(pod, container, status, finding_of, plan)
        _plan_size(pod, container, status, plan)
        return False
    if status.state is CriContainerState.EXITED and status.exit_code == 0 and not is_sidecar(container):
        return True
    if not _starts_init_again(pod, container, status):
        plan.kill_pod = True
        return False
    if status.state is CriContainerState.UNKNOWN:
        plan.kill.append(_unknown(status, "Init container"))
    plan.start_init.append(container.name)
    return False


def _starts_init_again(pod: Pod, container: Container, status: CriContainerStatus) -> bool:
    """Whether to start an init container that does not run. One that was created and never started has yet to run."""
    if is_sidecar(container) or status.state is CriContainerState.CREATED:
        return True
    if status.state is CriContainerState.EXITED:
        return should_start(pod, container, status)
    return restarts_on_failure(pod, container)


def _plan_running_sidecar(
    pod: Pod, container: Container, status: CriContainerStatus, finding_of: FindingOf, plan: _Plan
) -> bool:
    """Plan a running sidecar: kill and restart it if a probe failed or its spec changed.

    Returns whether it has started.
    """
    if container.startup_probe is not None:
        startup = finding_of(status.id, ProbeKind.STARTUP)
        if startup is ProbeResult.FAILURE:
            _restart_sidecar(container, status, "failed startup probe", plan, ProbeKind.STARTUP)
        if startup is not ProbeResult.SUCCESS:
            return False
    if _has_changed(container, status):
        _restart_sidecar(container, status, "definition changed", plan)
    elif finding_of(status.id, ProbeKind.LIVENESS) is ProbeResult.FAILURE:
        _restart_sidecar(container, status, "failed liveness probe", plan, ProbeKind.LIVENESS)
    elif _plan_size(pod, container, status, plan):
        plan.start_init.append(container.name)
    return True


def _plan_size(pod: Pod, container: Container, status: CriContainerStatus, plan: _Plan) -> bool:
    """Plan the new size of a running container. Returns whether it must be created again, and then has it killed."""
    resize = resize_of(pod, container, status, plan.actuated)
    if resize is None:
        return False
    if not needs_restart(container, resize, plan.actuated):
        plan.resizes.append(resize)
        return False
    plan.restarts_for_size = True
    plan.kill.append(Kill(status=status, message=f"Container {container.name} resize requires restart"))
    return True


def _restart_sidecar(
    container: Container, status: CriContainerStatus, reason: str, plan: _Plan, probe: ProbeKind | None = None
) -> None:
    message = f"Init container {container.name} {reason}"
    plan.kill.append(Kill(status=status, message=message, probe=probe))
    plan.start_init.append(container.name)


def _plan_regular(pod: Pod, observed: ObservedPod, finding_of: FindingOf, plan: _Plan) -> None:
    kept = 0
    for container in pod.spec.containers:
        status = observed.newest(container.name)
        if status is None or status.state is not CriContainerState.RUNNING:
            if should_start(pod, container, status):
                plan.start.append(container.name)
                if status is not None and status.state is CriContainerState.UNKNOWN:
                    plan.kill.append(_unknown(status, "Container"))
            continue
        kill, restart = _reason_to_kill(pod, container, status, finding_of)
        if kill is None:
            if _plan_size(pod, container, status, plan):
                plan.start.append(container.name)
            else:
                kept += 1
            continue
        plan.kill.append(kill)
        if restart:
            plan.start.append(container.name)
    if not kept and not plan.start:
        plan.kill_pod = True
        plan.start_init.clear()  # sidecars do not keep a pod alive


def _reason_to_kill(
    pod: Pod, container: Container, status: CriContainerStatus, finding_of: FindingOf
) -> tuple[Kill | None, bool]:
    """The reason to end a running container, if any, and whether it then runs again."""
    restart = restarts_on_failure(pod, container) and pod.metadata.deletion_timestamp is None
    probe = None
    if _has_changed(container, status):
        reason, restart = "definition changed", True  # whatever the policy says
    elif finding_of(status.id, ProbeKind.LIVENESS) is ProbeResult.FAILURE:
        reason, probe = "failed liveness probe", ProbeKind.LIVENESS
    elif finding_of(status.id, ProbeKind.STARTUP) is ProbeResult.FAILURE:
        reason, probe = "failed startup probe", ProbeKind.STARTUP
    else:
        return None, False
    message = f"Container {container.name} {reason}{', will be restarted' if restart else ''}"
    return Kill(status=status, message=message, probe=probe), restart


def _unknown(status: CriContainerStatus, kind: str) -> Kill:
    """End a container whose state is unknown: if it runs, a second instance would run beside it."""
    return Kill(status=status, message=f'{kind} is in "{status.state.value}" state, try killing it before restart')


def _has_changed(container: AnyContainer, status: CriContainerStatus) -> bool:
    """Whether the container was made from another spec.

    One without a hash, made by another program, counts as unchanged.
    """
    written = status.annotations.get(CONTAINER_HASH)
    return written is not None and written != container_hash(container)
