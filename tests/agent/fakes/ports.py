"""The ports of a pod syncer, each doing the least."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterable
from datetime import UTC, datetime

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.configs.cpu import PERIOD_US, cpu_quota_us, cpu_shares
from podwright.agent.decisions.actions import FindingOf
from podwright.agent.images.ensured import EnsuredImage
from podwright.agent.pods.allocation import sizes
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.deadlines import DEADLINE_EXCEEDED, DEADLINE_MESSAGE, has_passed_deadline
from podwright.agent.pods.hashes import container_hash
from podwright.agent.pods.identity import CONTAINER_HASH, CONTAINER_NAME, identity_labels
from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.probes.outcomes import ProbeKind, ProbeResult
from podwright.agent.resources.limits import CgroupLimits, LimitRules, limits_of_pod
from podwright.agent.runtime.records import ImageStatus, ObservedPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError, Unavailable
from podwright.k8s.objects import Container, HTTPGetAction, Pod, PodStatus
from tests.agent.fakes.runtime import FakeRuntime


class FakeImages:
    """Every image is there, but for the containers and volumes in `failures`."""

    def __init__(self) -> None:
        self.failures: dict[str, ContainerFailure] = {}

    async def ensure(
        self, pod: Pod, container: AnyContainer, sandbox_config: api.PodSandboxConfig, handler: str
    ) -> EnsuredImage:
        if container.name in self.failures:
            raise self.failures[container.name]
        return EnsuredImage(reference=container.image, image=ImageStatus(id=container.image))

    async def ensure_volumes(
        self, pod: Pod, sandbox_config: api.PodSandboxConfig, handler: str
    ) -> dict[str, ContainerFailure]:
        return {volume.name: self.failures[volume.name] for volume in pod.spec.volumes if volume.name in self.failures}


class FakeClaims:
    """`calls` say how many containers ran at each call. They fail while there is a `failure`."""

    def __init__(self, runtime: FakeRuntime) -> None:
        self.calls: list[str] = []
        self.failure: PodwrightError | None = None
        self._runtime = runtime

    async def prepare(self, pod: Pod) -> None:
        self._note("prepare")

    async def unprepare(self, pod: Pod) -> None:
        self._note("unprepare")

    def _note(self, call: str) -> None:
        self.calls.append(f"{call}: {len(self._runtime.running_names())} run")
        if self.failure is not None:
            raise self.failure


class FakeVolumes:
    """Every volume is there, unless `failure` says otherwise."""

    def __init__(self) -> None:
        self.failure: PodwrightError | None = None
        self.released: list[str] = []
        self.mounted: set[str] = set()
        self.retain_s = 0.0

    async def wait_mounted(self, pod: Pod) -> None:
        if self.failure is not None:
            raise self.failure
        self.mounted.add(pod.metadata.uid)

    async def retain(self, uids: Collection[str]) -> None:
        await asyncio.sleep(self.retain_s)
        self.mounted &= set(uids)

    async def release(self, pod: Pod) -> None:
        self.released.append(pod.metadata.uid)
        self.mounted.discard(pod.metadata.uid)


class FakeCgroups:
    """Cgroups as names."""

    def __init__(self) -> None:
        self.made: set[str] = set()
        self.limits: dict[str, CgroupLimits] = {}  # by UID
        self.limited: list[CgroupLimits] = []  # the changes, in order
        self.retain_failures: list[PodwrightError] = []
        self.failure: PodwrightError | None = None

    def parent_of(self, pod: Pod) -> str:
        return f"/kubepods/pod{pod.metadata.uid}"

    def exists(self, pod: Pod) -> bool:
        return pod.metadata.uid in self.made

    async def ensure(self, pod: Pod) -> None:
        if self.failure is not None:
            raise self.failure
        self.made.add(pod.metadata.uid)
        self.limits[pod.metadata.uid] = self.wanted(pod)

    def wanted(self, pod: Pod) -> CgroupLimits:
        return limits_of_pod(pod, LimitRules())

    def current(self, pod: Pod) -> CgroupLimits | None:
        return self.limits.get(pod.metadata.uid)

    async def limit(self, pod: Pod, limits: CgroupLimits) -> None:
        if self.failure is not None:
            raise self.failure
        known = {name: value for name, value in msgspec.structs.asdict(limits).items() if value is not None}
        before = self.limits.get(pod.metadata.uid, CgroupLimits())
        self.limits[pod.metadata.uid] = msgspec.structs.replace(before, **known)
        self.limited.append(limits)

    async def remove(self, uid: str) -> None:
        self.made.discard(uid)

    async def retain(self, uids: Collection[str]) -> None:
        if self.retain_failures:
            raise self.retain_failures.pop(0)
        self.made &= set(uids)


class FakeProbes:
    """Findings that a test gives, by container id."""

    def __init__(self) -> None:
        self.findings: dict[tuple[str, ProbeKind], ProbeResult] = {}
        self.added: set[str] = set()

    def add(self, pod: Pod) -> None:
        self.added.add(pod.metadata.uid)

    def remove(self, uid: str) -> None:
        self.added.discard(uid)

    def stop_liveness_and_startup(self, uid: str) -> None:
        return None

    def retain(self, uids: Collection[str]) -> None:
        self.added &= set(uids)

    @property
    def finding_of(self) -> FindingOf:
        return lambda container_id, kind: self.findings.get((container_id, kind))


NODE_ADDRESS = "192.0.2.10"


class FakeConfigs:
    """Configs with names, labels and hashes."""

    def __init__(self, logs: str) -> None:
        self.logs = logs
        self.failures: dict[str, ContainerFailure] = {}  # by container
        self.sandbox_failure: PodwrightError | None = None

    def sandbox(self, pod: Pod, attempt: int) -> api.PodSandboxConfig:
        if self.sandbox_failure is not None:
            raise self.sandbox_failure
        network = api.NODE if pod.spec.host_network else api.POD
        options = api.NamespaceOption(network=network)
        return api.PodSandboxConfig(
            metadata=api.PodSandboxMetadata(
                name=pod.metadata.name, namespace=pod.metadata.namespace, uid=pod.metadata.uid, attempt=attempt
            ),
            labels=identity_labels(pod),
            log_directory=self.log_directory(pod),
            linux=api.LinuxPodSandboxConfig(
                security_context=api.LinuxSandboxSecurityContext(namespace_options=options)
            ),
        )

    def addresses(self, pod: Pod, observed: ObservedPod) -> tuple[str, ...]:
        return (NODE_ADDRESS,) if pod.spec.host_network else observed.ips

    def log_directory(self, pod: Pod) -> str:
        return f"{self.logs}/{pod.metadata.namespace}_{pod.metadata.name}_{pod.metadata.uid}"

    async def resources(self, pod: Pod, container: AnyContainer) -> api.LinuxContainerResources:
        own = sizes(container.resources)
        return api.LinuxContainerResources(
            cpu_shares=cpu_shares(own.cpu_request),
            cpu_quota=cpu_quota_us(own.cpu_limit),
            cpu_period=PERIOD_US,
            memory_limit_in_bytes=own.memory_limit,
        )

    async def container(
        self, pod: Pod, container: AnyContainer, image: EnsuredImage, observed: ObservedPod, attempt: int
    ) -> tuple[api.ContainerConfig, Callable[[], Awaitable[None]]]:
        if container.name in self.failures:
            raise self.failures[container.name]

        async def undo() -> None:
            return None

        config = api.ContainerConfig(
            metadata=api.ContainerMetadata(name=container.name, attempt=attempt),
            image=api.ImageSpec(image=image.reference),
            labels={**identity_labels(pod), CONTAINER_NAME: container.name},
            annotations={CONTAINER_HASH: container_hash(container)},
            log_path=f"{container.name}/{attempt}.log",
        )
        return config, undo


class FakeStatuses:
    """The phase alone: Running, Failed after the pod's deadline, or what `phase` says."""

    def __init__(self, clock: Clock | None = None) -> None:
        """With a clock, pods have a start time, from which activeDeadlineSeconds count."""
        self._clock = clock
        self.failures: dict[str, ContainerFailure] = {}
        self.published: list[PodStatus] = []
        self.phase = ""
        self.terminated: list[str] = []
        self.refused: set[str] = set()
        self.newest: dict[str, PodStatus] = {}
        self.ready_to_start: list[str] = []

    async def build(self, pod: Pod, observed: ObservedPod, *, is_terminal: bool = False) -> PodStatus:
        phase = self.phase or ("Succeeded" if is_terminal else "Running")
        status = PodStatus(phase="Failed" if pod.metadata.uid in self.refused else phase)
        if self._clock is None:
            return status
        now_ns, before = self._clock.now_ns(), self.newest.get(pod.metadata.uid)
        start = before.start_time if before is not None else datetime.fromtimestamp(now_ns / 1e9, UTC)
        status = msgspec.structs.replace(status, start_time=start)
        if not has_passed_deadline(pod, status, now_ns):
            return status
        return msgspec.structs.replace(status, phase="Failed", reason=DEADLINE_EXCEEDED, message=DEADLINE_MESSAGE)

    def set(self, pod: Pod, status: PodStatus) -> PodStatus:
        self.published.append(status)
        self.newest[pod.metadata.uid] = status
        return status

    def set_ready_to_start(self, pod: Pod) -> None:
        self.ready_to_start.append(pod.metadata.uid)

    def note_failure(self, pod: Pod, failure: ContainerFailure) -> None:
        self.failures[failure.container] = failure

    def note_success(self, pod: Pod, container: str) -> None:
        self.failures.pop(container, None)

    def terminate(self, pod: Pod) -> None:
        self.terminated.append(pod.metadata.uid)

    def get(self, uid: str) -> PodStatus | None:
        return self.newest.get(uid)

    def set_ready(self, uid: str, container_id: str, *, ready: bool) -> None:
        return None

    def set_started(self, uid: str, container_id: str, *, started: bool) -> None:
        return None

    def refuse(self, pod: Pod, reason: str, message: str) -> None:
        self.refused.add(pod.metadata.uid)

    def is_refused(self, uid: str) -> bool:
        return uid in self.refused

    def needs_reconcile(self, pod: Pod) -> bool:
        return False

    def retain(self, uids: Collection[str]) -> None:
        self.refused &= set(uids)
        self.newest = {uid: status for uid, status in self.newest.items() if uid in uids}


class NoUsers:
    """No pod has users of its own."""

    def release(self, uid: str) -> None:
        return None

    def retain(self, uids: Collection[str]) -> None:
        return None


class NoObjects:
    """Pods refer to nothing."""

    def register(self, pod: Pod) -> None:
        return None

    def unregister(self, pod: Pod) -> None:
        return None


class NoMirrors:
    """There is no API."""

    async def reconcile(self, pod: Pod, mirror: Pod | None) -> None:
        return None

    async def remove(self, mirrors: Iterable[Pod]) -> None:
        return None


class KeptDead:
    """Dead containers stay; `gone` are the pods of which nothing is needed any more."""

    def __init__(self) -> None:
        self.gone: list[str] = []

    def pod_changed(self, uid: str) -> None:
        return None

    def pod_gone(self, uid: str) -> None:
        self.gone.append(uid)


class FakeHttp:
    """Hooks over HTTP: what was asked, and what comes of it. Without an outcome nobody answers."""

    def __init__(self, outcome: str | None = None) -> None:
        """`outcome` is what `get` returns."""
        self.outcome = outcome
        self.asked: list[str] = []

    async def get(self, action: HTTPGetAction, container: Container, ip: str) -> str:
        host = action.host or ip
        self.asked.append(host)
        if self.outcome is None:
            raise Unavailable(f"{host} does not answer")
        return self.outcome
