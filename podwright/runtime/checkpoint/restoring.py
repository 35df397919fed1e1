"""RestorePod: makes a new sandbox whose containers, once started, continue from their checkpoints.

    archives --extract--> work directory --create--> CREATED containers --StartContainer--> the OCI runtime's restore

In the end either all of them exist, or nothing.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
from collections.abc import Mapping, Sequence

from podwright.errors import AlreadyExists, FailedPrecondition, InvalidArgument
from podwright.process import ProcessRunner
from podwright.runtime.checkpoint import reading, request
from podwright.runtime.checkpoint.capture import in_thread
from podwright.runtime.checkpoint.criu import Criu
from podwright.runtime.checkpoint.reading import Extracted
from podwright.runtime.checkpoint.service import within
from podwright.runtime.config import Config
from podwright.runtime.container.filesystem.root import RestoredContent
from podwright.runtime.container.service import ContainerService
from podwright.runtime.image import ImageService
from podwright.runtime.keyed_locks import KeyedLocks
from podwright.runtime.model.container import ContainerConfig
from podwright.runtime.model.ids import ContainerId, SandboxId
from podwright.runtime.model.sandbox import SandboxConfig, SandboxName
from podwright.runtime.pods import PodService
from podwright.runtime.sandbox.service import SandboxService
from podwright.runtime.storage import unpacking


class RestoreService:
    """Makes pods from checkpoints."""

    def __init__(
        self,
        config: Config,
        containers: ContainerService,
        sandboxes: SandboxService,
        pods: PodService,
        images: ImageService,
        criu: Criu,
        runner: ProcessRunner,
    ) -> None:
        self._work = f"{config.root}/restores"
        self._limits = config.images
        self._containers = containers
        self._sandboxes = sandboxes
        self._pods = pods
        self._images = images
        self._criu = criu
        self._runner = runner
        self._turns: KeyedLocks[SandboxName] = KeyedLocks()

    async def pod(
        self,
        folder: str,
        config: SandboxConfig,
        handler: str,
        wanted: Sequence[ContainerConfig],
        options: Mapping[str, str],
        timeout_s: float,
    ) -> tuple[SandboxId, dict[str, ContainerId]]:
        """The new sandbox and its CREATED containers by name, from the pod checkpoint in `folder`.

        Raises InvalidArgument, AlreadyExists, FailedPrecondition, NotFound (an image), Unimplemented if the host or
        the OCI runtime does not support it, and DeadlineExceeded. A failure leaves nothing behind.
        """
        request.check_options(options)
        request.check_folder("checkpoint_path", folder)
        request.check_names("container_configs", [each.name for each in wanted])
        request.check_users(f"pod {config.name.name}", config.security.namespaces.own_user)
        chosen = self._sandboxes.handler(handler)
        async with self._turns[config.name], within(timeout_s):
            archives = await asyncio.to_thread(reading.archives, folder)
            if set(archives) != {each.name for each in wanted}:
                raise InvalidArgument(
                    "container_configs do not match the checkpoint", hint=f"it has {', '.join(sorted(archives))}"
                )
            await self._criu.require(chosen)
            if self._sandboxes.named(config.name) is not None:
                raise AlreadyExists(f"sandbox {config.name.namespace}/{config.name.name} exists already")
            sandbox_id = await self._sandboxes.run(config, handler)
            try:
                made = {each.name: await self._container(sandbox_id, each, archives[each.name]) for each in wanted}
            except BaseException:
                await asyncio.shield(self._pods.remove(sandbox_id))
                raise
            return sandbox_id, made

    async def _container(self, sandbox_id: SandboxId, config: ContainerConfig, path: str) -> ContainerId:
        folder = f"{self._work}/{secrets.token_hex(8)}"
        try:
            extracted = await in_thread(lambda go_on: reading.extract(path, folder, go_on))
            self._check_image(config, extracted)
            upper = await self._unpack(extracted, f"{folder}/upper")
            return await self._containers.create(
                sandbox_id, config, RestoredContent(upper=upper, images=extracted.images)
            )
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    def _check_image(self, config: ContainerConfig, extracted: Extracted) -> None:
        """The writable layer only fits the image that the container had."""
        image_id = self._images.runnable(config.image.image).id
        if extracted.image_id and extracted.image_id != image_id:
            raise FailedPrecondition(
                f"container {config.name} was made from image {extracted.image_id[:200]}, not {image_id}",
                hint="pull that image, and name it in the config",
            )

    async def _unpack(self, extracted: Extracted, upper: str) -> str:
        """Unpack the writable layer as an overlay's upper directory."""
        os.mkdir(upper, 0o700)
        if extracted.layer:
            with unpacking.Marks() as marks, open(extracted.layer, "rb") as blob:
                size_bytes = os.fstat(blob.fileno()).st_size
                marks.end()
                await unpacking.unpack(self._runner, upper, blob.fileno(), marks, size_bytes, self._limits)
        return upper

    def end_abandoned(self) -> None:
        """At start: delete work directories of a killed daemon. Recovery of records finds what it had created."""
        shutil.rmtree(self._work, ignore_errors=True)
