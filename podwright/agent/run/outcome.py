"""The outcome of a run: which containers failed, and the exit code. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import msgspec

from podwright.agent.events.log import RecordedEvent
from podwright.agent.pods.phases import FAILED
from podwright.agent.run.control import RunSnapshot
from podwright.agent.run.excerpt import excerpt
from podwright.agent.run.reporter import container_label
from podwright.agent.run.statuses import Statuses, all_statuses, sidecar_names
from podwright.k8s.objects import ContainerStatus, Pod, PodStatus

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_BAD_INPUT = 2
EXIT_TIMEOUT = 124  # as timeout(1)

# Waiting reasons of a container that cannot start. A node tries again. A run ends with such a failure.
START_FAILURES = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ErrImageNeverPull",
        "ImageInspectError",
        "InvalidImageName",
        "RegistryUnavailable",
        "SignatureValidationFailed",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "PreStartHookError",
    }
)
# The runtimes' reasons for an instance whose program could not be started.
NEVER_RAN = frozenset({"StartError", "ContainerCannotRun"})
# Events of pods whose containers cannot be started at all, each with the number after which the run ends.
EVENT_LIMITS = {"FailedCreatePodSandBox": 3, "FailedMount": 3}


class FailedContainer(msgspec.Struct, frozen=True, kw_only=True):
    """A container that makes the run a failure. `pod` is empty in a run of one pod."""

    name: str
    reason: str
    pod: str = ""
    exit_code: int | None = None
    message: str = ""

    def __str__(self) -> str:
        code = f" exited with code {self.exit_code}" if self.exit_code is not None else " failed"
        reason = f" ({self.reason})" if self.reason else ""
        message = excerpt(self.message)
        return f"container {container_label(self.pod, self.name)}{code}{reason}" + (f": {message}" if message else "")


class FailedPod(msgspec.Struct, frozen=True, kw_only=True):
    """A pod that failed as a whole: refused, evicted, past its deadline."""

    name: str
    reason: str
    message: str = ""

    def __str__(self) -> str:
        message = excerpt(self.message)
        return f"pod {self.name} failed ({self.reason or 'Failed'})" + (f": {message}" if message else "")


class FailedWorkload(msgspec.Struct, frozen=True, kw_only=True):
    """A workload that failed by its own rule, such as a job's limit of failures."""

    owner: str
    reason: str

    def __str__(self) -> str:
        return f"{self.owner} failed ({self.reason})"


Failure = FailedContainer | FailedPod | FailedWorkload


def failed_containers(pod: Pod, status: PodStatus, *, label: str = "") -> tuple[FailedContainer, ...]:
    """The containers whose last instance failed. Sidecars never count."""
    sidecars = sidecar_names(pod)
    found = (_failed(each, label) for each in all_statuses(status) if each.name not in sidecars)
    return tuple(each for each in found if each is not None)


def unstartable(status: PodStatus, *, label: str = "") -> tuple[FailedContainer, ...]:
    """The containers that have never run and cannot be started."""
    return tuple(
        FailedContainer(name=each.name, pod=label, reason=waiting.reason, message=waiting.message)
        for each in all_statuses(status)
        if (waiting := each.state.waiting) is not None
        and waiting.reason in START_FAILURES
        and not each.restart_count
        and (each.last_state.terminated is None or each.last_state.terminated.reason in NEVER_RAN)
    )


def failures(look: RunSnapshot, statuses: Statuses) -> tuple[Failure, ...]:
    """Everything that makes the run a failure now, the most specific first."""
    several = len(look.pods) > 1
    found: list[Failure] = []
    for pod in look.pods:
        status = statuses.get(pod.metadata.uid, PodStatus())
        found += unstartable(status, label=pod.metadata.name if several else "")
    if look.failed:
        found += _of_pods(look.pods, statuses, several)
        found += [FailedWorkload(owner=ending.owner, reason=ending.reason) for ending in look.failed if ending.reason]
    return tuple(found)


def restarting(look: RunSnapshot, statuses: Statuses) -> tuple[FailedContainer, ...]:
    """The containers that failed and wait for a restart.

    They do not end a run, but a stopped run with them has failed. Sidecars never count.
    """
    several = len(look.pods) > 1
    return tuple(
        FailedContainer(
            name=each.name,
            pod=pod.metadata.name if several else "",
            reason=end.reason,
            exit_code=end.exit_code,
            message=end.message,
        )
        for pod in look.pods
        for each in all_statuses(statuses.get(pod.metadata.uid, PodStatus()))
        if each.name not in sidecar_names(pod)
        and each.state.waiting is not None
        and (end := each.last_state.terminated) is not None
        and end.exit_code
    )


def hopeless(event: RecordedEvent) -> FailedPod | None:
    """The failure that follows from an event that has occurred too often. None for other events."""
    limit = EVENT_LIMITS.get(event.reason)
    if limit is None or event.count < limit:
        return None
    name = f"{event.subject.namespace}/{event.subject.name}"
    return FailedPod(name=name, reason=event.reason, message=event.message)


def exit_code(found: Iterable[Failure], *, timed_out: bool = False, forced: bool = False) -> int:
    """The exit code. `forced`: the user did not wait for the pods' end. `timed_out` has priority."""
    if timed_out:
        return EXIT_TIMEOUT
    return EXIT_FAILED if forced or any(True for _ in found) else EXIT_OK


def _of_pods(pods: Iterable[Pod], statuses: Statuses, several: bool) -> Iterator[Failure]:
    for pod in pods:
        status = statuses.get(pod.metadata.uid, PodStatus())
        if status.phase != FAILED:
            continue
        blamed = failed_containers(pod, status, label=pod.metadata.name if several else "")
        if status.reason or not blamed:
            name = f"{pod.metadata.namespace}/{pod.metadata.name}"
            yield FailedPod(name=name, reason=status.reason, message=status.message)
        yield from blamed


def _failed(status: ContainerStatus, label: str) -> FailedContainer | None:
    end = status.state.terminated
    if end is None or end.exit_code == 0:
        return None
    return FailedContainer(
        name=status.name, pod=label, reason=end.reason, exit_code=end.exit_code, message=end.message
    )
