"""The decision at the heart of the agent: given a pod and what the runtime holds of it, what is to be done now.

Pure. The rules are the kubelet's (computePodActions): one sandbox, init containers in order, sidecars before what
follows them, restarts by policy, and nothing left to do means that the pod has ended.
"""

from __future__ import annotations

from dataclasses import dataclass

from podwright.agent.seed.manifest.container import Container
from podwright.agent.seed.manifest.pod import Pod
from podwright.agent.seed.pods.status import ContainerRecord, PodStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PodActions:
    """What to do, in this order: kill the pod, make a sandbox, kill containers, start containers.

    `ended` means that nothing runs that should and nothing is to be started: the pod is over once it is killed.
    """

    kill_pod: bool = False
    ended: bool = False
    create_sandbox: bool = False
    sandbox_id: str = ""
    attempt: int = 0
    kill: tuple[ContainerRecord, ...] = ()
    start: tuple[str, ...] = ()


def compute_pod_actions(pod: Pod, status: PodStatus) -> PodActions:
    """See the module's text."""
    newest = status.sandboxes[0] if status.sandboxes else None
    ready = sum(sandbox.ready for sandbox in status.sandboxes)
    if newest is None or ready > 1 or not newest.ready:
        return _recreate(pod, status)
    return _keep(pod, status, newest.id)


def should_restart(pod: Pod, container: Container, status: PodStatus) -> bool:
    """Whether a container that does not run is to be started (again)."""
    record = status.newest(container.name)
    if record is None or record.state in ("created", "unknown"):
        return True
    if record.state == "running":
        return False
    policy = pod.restart_policy_of(container)
    return policy == "Always" or (policy == "OnFailure" and record.failed)


def _recreate(pod: Pod, status: PodStatus) -> PodActions:
    """The sandbox is missing or lost: start again from the first init container, unless the pod is over."""
    attempt = status.sandboxes[0].attempt + 1 if status.sandboxes else 0
    kill = bool(status.sandboxes)
    over = PodActions(kill_pod=kill, ended=True)
    if attempt and status.containers and pod.spec.restart_policy == "Never":
        return over
    wanted = [container for container in pod.spec.containers if not _done(pod, container, status)]
    if status.containers and not wanted:
        return over
    first = pod.spec.init_containers[:1]
    start = first or tuple(wanted)
    names = tuple(container.name for container in start)
    return PodActions(kill_pod=kill, create_sandbox=True, attempt=attempt, start=names)


def _done(pod: Pod, container: Container, status: PodStatus) -> bool:
    record = status.newest(container.name)
    return record is not None and record.succeeded and pod.restart_policy_of(container) in ("OnFailure", "Never")


def _keep(pod: Pod, status: PodStatus, sandbox_id: str) -> PodActions:
    initialised, init_start, init_failed = _init(pod, status, sandbox_id)
    attempt = status.sandboxes[0].attempt
    if init_failed:
        return PodActions(kill_pod=True, ended=True, sandbox_id=sandbox_id, attempt=attempt)
    start, kill, running = list(init_start), [], False
    if initialised:
        for container in pod.spec.containers:
            record = _in_sandbox(status, container, sandbox_id)
            if record is not None and record.state == "running":
                running = True
            elif should_restart(pod, container, status):
                start.append(container.name)
                if record is not None and record.state == "unknown":
                    kill.append(record)
        to_start = set(start) & {container.name for container in pod.spec.containers}
        if not running and not to_start:
            return PodActions(kill_pod=True, ended=True, sandbox_id=sandbox_id, attempt=attempt)
    return PodActions(sandbox_id=sandbox_id, attempt=attempt, kill=tuple(kill), start=tuple(start))


def _in_sandbox(status: PodStatus, container: Container, sandbox_id: str) -> ContainerRecord | None:
    """The newest instance in this sandbox; older sandboxes' instances only count for restarts."""
    record = status.newest(container.name)
    return record if record is not None and record.sandbox_id in ("", sandbox_id) else None


def _init(pod: Pod, status: PodStatus, sandbox_id: str) -> tuple[bool, tuple[str, ...], bool]:
    """(all init containers are done, those to start now, one has failed for good)."""
    regular_started = any(_in_sandbox(status, container, sandbox_id) for container in pod.spec.containers)
    start: list[str] = []
    for container in pod.spec.init_containers:
        record = _in_sandbox(status, container, sandbox_id)
        if pod.is_sidecar(container):
            if record is None or record.state != "running":
                start.append(container.name)
                if record is None and not regular_started:
                    return False, tuple(start), False
            continue
        if regular_started or (record is not None and record.succeeded):
            continue
        if record is not None and record.state == "running":
            return False, tuple(start), False
        if record is not None and record.failed and pod.restart_policy_of(container) == "Never":
            return False, (), True
        return False, (*start, container.name), False
    return True, tuple(start), False
