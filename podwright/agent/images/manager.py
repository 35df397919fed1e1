"""Ensures the images of containers and image volumes: present, or pulled according to the pull policy.

Events and reasons are those of the kubelet (pkg/kubelet/images/image_manager.go of Kubernetes 1.36).
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.config.go_duration import format_duration
from podwright.agent.events.recorder import EventRecorder, EventType
from podwright.agent.images.credentials import Login, Logins
from podwright.agent.images.ensured import EnsuredImage
from podwright.agent.images.pulling import Puller, reason_of
from podwright.agent.images.records import PullRecords
from podwright.agent.images.references import ImageName, parse_image
from podwright.agent.metrics.images import ImageMetrics
from podwright.agent.pods import reasons
from podwright.agent.pods.containers import AnyContainer
from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.runtime.protocol import CriImages
from podwright.agent.runtime.records import ImageStatus
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import InvalidArgument, PodwrightError
from podwright.k8s.objects import Pod
from podwright.timeline import Step

ALWAYS, NEVER, IF_NOT_PRESENT = "Always", "Never", "IfNotPresent"
MILLISECOND_NS = 10**6


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """An image and who wants it: a container, or a volume if `container` is empty."""

    pod: Pod
    container: str
    requested: str
    name: ImageName
    policy: str
    sandbox_config: api.PodSandboxConfig
    logins: Callable[[], Awaitable[Sequence[Login]]]

    @property
    def key(self) -> str:
        """The key of the back-off."""
        return f"{self.pod.metadata.uid}_{self.requested}"


class ImageManager:
    """Ensures images, one call for each container."""

    def __init__(
        self,
        images: CriImages,
        puller: Puller,
        logins: Logins,
        records: PullRecords | None,
        events: EventRecorder,
        clock: Clock,
        metrics: ImageMetrics | None = None,
        pulled: Callable[[str, float], None] = lambda _uid, _seconds: None,
    ) -> None:
        """`records` is the object that `puller` uses, too.

        `pulled` is called with a pod's UID and how long a pull for it took, in seconds.
        """
        self._images = images
        self._puller = puller
        self._logins = logins
        self._records = records
        self._events = events
        self._clock = clock
        self._metrics = metrics or ImageMetrics()
        self._pulled = pulled

    async def ensure(
        self,
        pod: Pod,
        container: AnyContainer,
        sandbox_config: api.PodSandboxConfig,
        handler: str,  # noqa: ARG002 # runtimes keep one image for all their handlers
    ) -> EnsuredImage:
        """Ensure a container's image. Raises ContainerFailure."""
        return await self._ensure(pod, container.name, container.image, container.image_pull_policy, sandbox_config)

    async def ensure_volumes(
        self,
        pod: Pod,
        sandbox_config: api.PodSandboxConfig,
        handler: str,  # noqa: ARG002 # as above
    ) -> dict[str, ContainerFailure]:
        """Ensure the images of a pod's image volumes. Returns the failures by volume name."""
        failures = {}
        for volume in pod.spec.volumes:
            if volume.image is None:
                continue
            try:
                await self._ensure(pod, "", volume.image.reference, volume.image.pull_policy, sandbox_config)
            except ContainerFailure as failure:
                failures[volume.name] = failure
        return failures

    async def _ensure(
        self, pod: Pod, container: str, requested: str, policy: str, sandbox_config: api.PodSandboxConfig
    ) -> EnsuredImage:
        try:
            name = parse_image(requested)
        except InvalidArgument as failure:
            text = f'Failed to apply default image tag "{requested}": {failure}'
            self._events.pod(pod, "Warning", "InspectFailed", text, container=container)
            raise self._failure(pod, container, reasons.INVALID_IMAGE_NAME, text) from failure
        wanted = _Wanted(
            pod=pod,
            container=container,
            requested=requested,
            name=name,
            policy=policy or _default_policy(name),
            sandbox_config=sandbox_config,
            logins=_once(functools.partial(self._logins.find, pod, name)),
        )
        present = await self._present(wanted)
        must_pull = present is None or await self._must_pull(wanted, present)
        is_here = "unknown" if wanted.policy == ALWAYS else _truth(present is not None)
        self._metrics.requests.add(wanted.policy.lower(), is_here, _truth(must_pull))
        if present is not None and not must_pull:
            return EnsuredImage(reference=present.id, image=present)
        if wanted.policy == NEVER:
            # Also for an image that this pod may not use: the pod must not learn that it is present.
            text = f'Container image "{requested}" is not present with pull policy of Never'
            self._note(wanted, "Warning", "ErrImageNeverPull", text)
            raise self._failure(pod, container, reasons.ERR_IMAGE_NEVER_PULL, text)
        return await self._pull(wanted)

    async def _present(self, wanted: _Wanted) -> ImageStatus | None:
        if wanted.policy == ALWAYS:
            return None
        try:
            return await self._images.image(wanted.name.pulled, annotations=wanted.pod.metadata.annotations)
        except PodwrightError as failure:
            text = f'Failed to inspect image "{wanted.requested}": {failure}'
            self._note(wanted, "Warning", "InspectFailed", text)
            raise self._failure(wanted.pod, wanted.container, reasons.IMAGE_INSPECT_ERROR, text) from failure

    async def _must_pull(self, wanted: _Wanted, present: ImageStatus) -> bool:
        """Whether the pod must prove by a pull that it may use the present image."""
        if self._records is None:
            self._note(wanted, "Normal", "Pulled", f'Container image "{wanted.requested}" already present on machine')
            return False
        if await self._records.must_pull(wanted.requested, present.id, wanted.logins):
            return True
        text = f'Container image "{wanted.requested}" already present on machine and can be accessed by the pod'
        self._note(wanted, "Normal", "Pulled", text)
        return False

    async def _pull(self, wanted: _Wanted) -> EnsuredImage:
        self._check_wait(wanted)
        logins = await wanted.logins()
        self._note(wanted, "Normal", "Pulling", f'Pulling image "{wanted.requested}"')
        try:
            with Step(f"pull of {wanted.requested}"):
                pulled = await self._puller.pull(wanted.requested, wanted.name.pulled, logins, wanted.sandbox_config)
        except PodwrightError as failure:
            text = f'Failed to pull image "{wanted.requested}": {failure}'
            self._note(wanted, "Warning", "Failed", text)
            reason, message = reason_of(wanted.requested, failure)
            until_ns = self._puller.note_failure(wanted.key, f"{reason}: {message}")
            raise self._failure(wanted.pod, wanted.container, reason, message, until_ns) from failure
        image = await self._pulled_image(wanted, pulled.reference)
        self._metrics.pulled(image.size_bytes, pulled.waited_s)
        self._pulled(wanted.pod.metadata.uid, pulled.waited_s)
        took, waited = _milliseconds(pulled.took_s), _milliseconds(pulled.waited_s)
        text = f'Successfully pulled image "{wanted.requested}" in {took} ({waited} including waiting).'
        self._note(wanted, "Normal", "Pulled", f"{text} Image size: {image.size_bytes} bytes.")
        return EnsuredImage(reference=pulled.reference, image=image)

    def _check_wait(self, wanted: _Wanted) -> None:
        """Raise ContainerFailure during the back-off after a failure."""
        waits = self._puller.waits_until(wanted.key)
        if waits is None:
            return
        until_ns, cause = waits
        text = f'Back-off pulling image "{wanted.requested}"'
        self._note(wanted, "Normal", "BackOff", text)
        message = f"{text}: {cause}"
        raise self._failure(wanted.pod, wanted.container, reasons.IMAGE_PULL_BACK_OFF, message, until_ns)

    async def _pulled_image(self, wanted: _Wanted, reference: str) -> ImageStatus:
        try:
            image = await self._images.image(reference) or await self._images.image(wanted.name.pulled)
        except PodwrightError as failure:
            text = f'Failed to inspect image "{wanted.requested}": {failure}'
            raise self._failure(wanted.pod, wanted.container, reasons.IMAGE_INSPECT_ERROR, text) from failure
        if image is None:
            text = f'Image "{wanted.requested}" was pulled, and the runtime does not have it'
            raise self._failure(wanted.pod, wanted.container, reasons.IMAGE_INSPECT_ERROR, text)
        return image

    def _note(self, wanted: _Wanted, type: EventType, reason: str, message: str) -> None:  # noqa: A002 # the API's word
        self._events.pod(wanted.pod, type, reason, message, container=wanted.container)

    def _failure(
        self, pod: Pod, container: str, reason: str, message: str, until_ns: int | None = None
    ) -> ContainerFailure:
        """The failure of a container, after an event that it cannot start. The image has an event of its own."""
        if container:
            self._events.pod(pod, "Warning", "Failed", f"Error: {reason}", container=container)
        return ContainerFailure(container, reason, message, until_ns=until_ns)


def _default_policy(name: ImageName) -> str:
    """The API's default, for a pod without defaults."""
    return ALWAYS if not name.digest and name.tag in ("", "latest") else IF_NOT_PRESENT


def _truth(holds: bool) -> str:  # its only argument
    """As a label of metrics."""
    return "true" if holds else "false"


def _milliseconds(seconds: float) -> str:
    return format_duration(int(seconds * 1000) * MILLISECOND_NS)


def _once(find: Callable[[], Awaitable[Sequence[Login]]]) -> Callable[[], Awaitable[Sequence[Login]]]:
    """Look up credentials when they are first needed, and only once."""
    found: list[Sequence[Login]] = []

    async def look_up() -> Sequence[Login]:
        if not found:
            found.append(await find())
        return found[0]

    return look_up
