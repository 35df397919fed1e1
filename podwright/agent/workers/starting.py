"""Starts one container: image, config, CreateContainer, StartContainer, a link to its log, the postStart hook."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
from collections.abc import Mapping

import msgspec

from podwright.agent.pods import reasons
from podwright.agent.pods.containers import AnyContainer, is_init
from podwright.agent.pods.reasons import ContainerFailure
from podwright.agent.runtime.records import CriContainerState, ObservedPod
from podwright.agent.workers.hooks import Hooks
from podwright.agent.workers.killing import Killer
from podwright.agent.workers.ports import SyncerPorts
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError
from podwright.k8s.objects import Container, Pod
from podwright.linux.directories import ensure_directory
from podwright.linux.files import remove_file

log = logging.getLogger(__name__)

LINK_NAME_MAX = 255
IMAGE_VOLUME_MOUNT_FAILED = "ImageVolumeMountFailed"  # the prefix of a runtime's message (cri-api/pkg/errors)
LOG_FILE = re.compile(r"(\d+)\.log")


class TargetSandbox(msgspec.Struct, frozen=True, kw_only=True):
    """The sandbox that containers are started in."""

    id: str
    config: api.PodSandboxConfig
    handler: str = ""
    # The failures of image volumes by volume name.
    missing_images: Mapping[str, ContainerFailure] = msgspec.field(default_factory=dict)


class Starter:
    """Starts the containers of all pods."""

    def __init__(self, ports: SyncerPorts, hooks: Hooks, killer: Killer) -> None:
        self._runtime, self._images, self._configs = ports.runtime, ports.images, ports.configs
        self._events, self._metrics = ports.events, ports.metrics
        self._links_directory = ports.links_directory
        self._hooks = hooks
        self._killer = killer

    async def start(self, pod: Pod, container: AnyContainer, sandbox: TargetSandbox, observed: ObservedPod) -> str:
        """Start a new instance of the container.

        Returns its id. Raises ContainerFailure, whose reason the API shows.
        """
        kind = _kind(pod, container)
        self._metrics.starts.containers.add(kind)
        try:
            return await self._start(pod, container, sandbox, observed)
        except ContainerFailure as failure:
            self._metrics.starts.container_errors.add(kind, failure.reason)
            raise

    async def _start(self, pod: Pod, container: AnyContainer, sandbox: TargetSandbox, observed: ObservedPod) -> str:
        self._check_volumes(pod, container, sandbox)
        image = await self._images.ensure(pod, container, sandbox.config, sandbox.handler)
        await self._remove_unstarted(pod, container, observed)
        attempt = self._next_attempt(pod, container, observed)
        try:
            config, undo = await self._configs.container(pod, container, image, observed, attempt)
        except ContainerFailure as failure:
            self._note_failure(pod, container, failure.message)
            raise
        try:
            container_id = await self._runtime.create_container(sandbox.id, config, sandbox.config)
        except BaseException as failure:
            await undo()
            self._count_image_volumes(pod, container, failure)
            if isinstance(failure, PodwrightError):
                raise self._failed(pod, container, reasons.CREATE_CONTAINER_ERROR, failure) from failure
            raise
        self._count_image_volumes(pod, container, None)
        self._note(pod, container, "Created", f"Container created: {container.name}")
        try:
            await self._runtime.start_container(container_id)
        except PodwrightError as failure:
            raise self._failed(pod, container, reasons.RUN_CONTAINER_ERROR, failure) from failure
        self._note(pod, container, "Started", f"Container started: {container.name}")
        self._link_log(pod, container.name, container_id, config.log_path)
        if isinstance(container, Container):
            await self._post_start(pod, container, container_id, observed)
        return container_id

    def _check_volumes(self, pod: Pod, container: AnyContainer, sandbox: TargetSandbox) -> None:
        """Raise ContainerFailure if the container mounts an image volume whose image is missing."""
        for mount in container.volume_mounts:
            if (failure := sandbox.missing_images.get(mount.name)) is not None:
                self._note_failure(pod, container, failure.message)
                raise ContainerFailure(container.name, failure.reason, failure.message, until_ns=failure.until_ns)

    def _count_image_volumes(self, pod: Pod, container: AnyContainer, failure: BaseException | None) -> None:
        images = {volume.name for volume in pod.spec.volumes if volume.image is not None}
        mounted = sum(mount.name in images for mount in container.volume_mounts)
        if not mounted:
            return
        metrics = self._metrics.images
        metrics.volumes.add(by=mounted)
        has_failed = failure is not None and str(failure).startswith(IMAGE_VOLUME_MOUNT_FAILED)
        (metrics.failed_volumes if has_failed else metrics.mounted_volumes).add(by=mounted)

    async def _remove_unstarted(self, pod: Pod, container: AnyContainer, observed: ObservedPod) -> None:
        """Remove an instance that was created and not started, for instance because the agent was killed in between.

        A call that we gave up may still start it, and two instances would run.
        """
        for status in observed.instances(container.name):
            if status.state is CriContainerState.CREATED:
                try:
                    await self._runtime.remove_container(status.id)
                except PodwrightError as failure:
                    raise self._failed(pod, container, reasons.CREATE_CONTAINER_ERROR, failure) from failure

    def _note(self, pod: Pod, container: AnyContainer, reason: str, message: str) -> None:
        self._events.pod(pod, "Normal", reason, message, container=container.name)

    def _note_failure(self, pod: Pod, container: AnyContainer, message: str) -> None:
        """Record the event that all failures before the start share."""
        self._events.pod(pod, "Warning", "Failed", f"Error: {message}", container=container.name)

    def _failed(self, pod: Pod, container: AnyContainer, reason: str, failure: PodwrightError) -> ContainerFailure:
        self._note_failure(pod, container, str(failure))
        return ContainerFailure(container.name, reason, str(failure))

    def _next_attempt(self, pod: Pod, container: AnyContainer, observed: ObservedPod) -> int:
        """One more than the attempt of the newest instance.

        If no instance is left, one more than that of the newest log.
        """
        instances = observed.instances(container.name)
        for status in instances:
            if status.state is not CriContainerState.CREATED:
                return status.restart_count + 1
        if instances:
            return instances[-1].restart_count
        directory = f"{self._configs.log_directory(pod)}/{container.name}"
        with contextlib.suppress(OSError):
            found = (LOG_FILE.match(name) for name in os.listdir(directory))
            return max((int(match[1]) for match in found if match), default=-1) + 1
        return 0

    def _link_log(self, pod: Pod, name: str, container_id: str, log_path: str) -> None:
        """Link the log where log collectors look for it (a legacy that all of them use)."""
        path = f"{self._configs.log_directory(pod)}/{log_path}"
        if not os.path.exists(path):
            return
        link = f"{self._links_directory}/{link_name(pod, name, container_id)}"
        try:
            ensure_directory(self._links_directory, 0o755)
            remove_file(link)
            os.symlink(path, link)
        except OSError as failure:
            log.warning("cannot link a container's log: link=%s error=%s", link, failure)

    async def _post_start(self, pod: Pod, container: Container, container_id: str, observed: ObservedPod) -> None:
        """Run the postStart hook, which the next container waits for. End the container if its hook fails."""
        handler = container.lifecycle.post_start if container.lifecycle is not None else None
        if handler is None:
            return
        try:
            await self._hooks.run(handler, pod, container, container_id, observed)
        except PodwrightError as failure:
            # The event has no details, like a kubelet's: many can read events, and the hook's output may be secret.
            self._events.pod(pod, "Warning", "FailedPostStartHook", "PostStartHook failed", container=container.name)
            status = await self._runtime.container_status(container_id)
            with contextlib.suppress(PodwrightError):
                await self._killer.kill(pod, observed, status, message="FailedPostStartHook")
            message = f"PostStartHook failed: {failure}"
            raise ContainerFailure(container.name, reasons.POST_START_HOOK_ERROR, message) from failure
        except asyncio.CancelledError:
            log.info("a postStart hook is interrupted, the pod must end: pod=%s", pod.metadata.name)
            raise


def _kind(pod: Pod, container: AnyContainer) -> str:
    """The kind of container in metrics."""
    if not isinstance(container, Container):
        return "ephemeral_container"
    return "init_container" if is_init(pod, container.name) else "container"


def link_name(pod: Pod, container: str, container_id: str) -> str:
    """`<pod>_<namespace>_<container>-<id>.log`, the first part cut so that the name is not too long for a file."""
    end = f"-{container_id}.log"
    start = f"{pod.metadata.name}_{pod.metadata.namespace}_{container}"
    return start[: LINK_NAME_MAX - len(end)] + end
