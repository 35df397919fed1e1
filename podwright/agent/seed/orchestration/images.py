"""Making sure that an image is there: by policy, with credentials, told to the reporter. Effects by CRI only."""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass

from podwright.agent.run.reporter import Reporter
from podwright.agent.seed.manifest.container import Container
from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.orchestration.failure import ContainerStartFailure
from podwright.agent.seed.orchestration.security import ImageUser
from podwright.api.pulls import followed
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import PodwrightError
from podwright.logins.docker_config import Credential, image_repository, matching, parse

SECRET_KEYS = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class EnsuredImage:
    """`ref` is what CreateContainer is told; `user` is who the image runs as."""

    ref: str
    user: ImageUser


class Images:
    """The images of one pod."""

    def __init__(self, cri: CriClient, reporter: Reporter, credentials: Sequence[Credential]) -> None:
        self._cri = cri
        self._reporter = reporter
        self._credentials = tuple(credentials)

    async def ensure(self, container: Container, sandbox: api.PodSandboxConfig) -> EnsuredImage:
        """Pull the container's image when its policy says so. Raises ContainerStartFailure."""
        image = container.image
        found = None
        if container.image_pull_policy != "Always":
            found = await self._status(container, image)
            if found is None and container.image_pull_policy == "Never":
                message = f"the image {image} is not there and imagePullPolicy is Never"
                raise ContainerStartFailure(container.name, "ErrImageNeverPull", message)
        if found is None:
            ref = await self._pull(container, sandbox)
            found = await self._status(container, ref) or await self._status(container, image)
            if found is None:
                message = f"the runtime pulled {image} but does not know {ref}"
                raise ContainerStartFailure(container.name, "ImageInspectError", message)
        uid = found.uid.value if found.HasField("uid") else None
        return EnsuredImage(ref=found.id, user=ImageUser(uid=uid, username=found.username))

    async def _status(self, container: Container, image: str) -> api.Image | None:
        request = api.ImageStatusRequest(image=api.ImageSpec(image=image, user_specified_image=container.image))
        try:
            response = await self._cri.call(self._cri.images.ImageStatus, request)
        except PodwrightError as failure:
            raise ContainerStartFailure(container.name, "ImageInspectError", str(failure)) from failure
        return response.image if response.HasField("image") else None

    async def _pull(self, container: Container, sandbox: api.PodSandboxConfig) -> str:
        """Try every credential that fits, or none at all when there is none."""
        image, started = container.image, time.monotonic()
        candidates: list[Credential | None] = [*matching(self._credentials, *image_repository(image))] or [None]
        self._reporter.pull_started(image)
        problem, ref = "interrupted", ""
        try:
            for credential in candidates:
                try:
                    ref = await self._pull_once(image, credential, sandbox)
                    break
                except PodwrightError as failure:
                    problem = str(failure)
            else:
                raise ContainerStartFailure(container.name, "ErrImagePull", f"{image}: {problem}")
            problem = ""
        finally:
            elapsed_s = time.monotonic() - started
            self._reporter.pull_finished(image, elapsed_s=elapsed_s, size_bytes=await self._size(ref), error=problem)
        return ref

    async def _pull_once(self, image: str, credential: Credential | None, sandbox: api.PodSandboxConfig) -> str:
        auth = None
        if credential is not None:
            auth = api.AuthConfig(
                username=credential.username,
                password=credential.password,
                identity_token=credential.identity_token,
                server_address=credential.host,
            )
        request = api.PullImageRequest(image=api.ImageSpec(image=image), auth=auth, sandbox_config=sandbox)
        # No deadline: how long a pull may take is the registry's and the line's matter; a stop cancels it.
        async with followed(self._cri, image, functools.partial(self._reporter.pull_progress, image)):
            response = await self._cri.call(self._cri.images.PullImage, request, timeout_s=None)
        return response.image_ref

    async def _size(self, ref: str) -> int:
        """Bytes of a pulled image, 0 when it is not known."""
        if not ref:
            return 0
        request = api.ImageStatusRequest(image=api.ImageSpec(image=ref))
        try:
            response = await self._cri.call(self._cri.images.ImageStatus, request)
        except PodwrightError:
            return 0
        return response.image.size


def pull_credentials(context: PodContext, user_config: bytes) -> list[Credential]:
    """Those of spec.imagePullSecrets first, then the user's own Docker config."""
    files = []
    for reference in context.pod.spec.image_pull_secrets:
        secret = context.bundle.secrets[reference.name]
        key = SECRET_KEYS.get(secret.type, "")
        files.append(secret.payload.get(key, b""))
    logins = [parse(file) for file in (*files, user_config)]
    return [credential for login in logins if login is not None for credential in login.credentials]
