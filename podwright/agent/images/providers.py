"""Credential providers: programs that print registry credentials (credentialprovider.kubelet.k8s.io).

A provider is asked for the images that its configuration names. Its answers are kept for as long as they say, for an
image, its registry, or all images. Providers that need a service account's token are not asked: tokens come with the
API server.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.config.go_duration import SECOND_NS, parse_duration
from podwright.agent.images.provider_config import Provider
from podwright.agent.images.references import ImageName
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.logins import docker_config
from podwright.logins.docker_config import Credential, image_repository
from podwright.process import Command, Completed, ProcessRunner

log = logging.getLogger(__name__)

GROUP = "credentialprovider.kubelet.k8s.io"
TIMEOUT_S = 60.0
OUTPUT_LIMIT_BYTES = 1 << 20
CACHE_LIMIT = 1000
GLOBAL_KEY = ""


class _Auth(msgspec.Struct, frozen=True):
    username: str = ""
    password: str = ""


class _Response(msgspec.Struct, frozen=True, rename="camel"):
    kind: str
    api_version: str
    cache_key_type: str
    cache_duration: str | None = None
    auth: dict[str, _Auth] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    credentials: Sequence[Credential]
    until: float


class CredentialProviders:
    """The node's providers. A `NodeLogins`."""

    def __init__(self, providers: Sequence[Provider], directory: str, runner: ProcessRunner, clock: Clock) -> None:
        """The programs are in `directory`."""
        self._providers = [_ExecProvider(provider, directory, runner, clock) for provider in providers]

    async def find(self, image: ImageName) -> list[Credential]:
        """See NodeLogins. A provider that fails is logged, and the others count."""
        host, repository = image_repository(image.name)
        found: list[Credential] = []
        for provider in self._providers:
            try:
                found += docker_config.matching(await provider.credentials(host, repository), host, repository)
            except PodwrightError as failure:
                log.warning("a credential provider has failed: image=%s error=%s", image.name, failure)
        return found


class _ExecProvider:
    """One program, with what it has answered."""

    def __init__(self, provider: Provider, directory: str, runner: ProcessRunner, clock: Clock) -> None:
        self._provider = provider
        self._path = f"{directory}/{provider.name}"
        self._runner = runner
        self._clock = clock
        self._kept: dict[tuple[str, str], _Kept] = {}
        self._asked: dict[str, asyncio.Task[Sequence[Credential]]] = {}

    async def credentials(self, host: str, repository: str) -> Sequence[Credential]:
        """Raises FailedPrecondition and DeadlineExceeded."""
        if not self._is_meant(host, repository):
            return ()
        image, now = f"{host}/{repository}", self._clock.monotonic()
        for key in (("Image", image), ("Registry", host), ("Global", GLOBAL_KEY)):
            kept = self._kept.get(key)
            if kept is not None and kept.until > now:
                return kept.credentials
        task = self._asked.get(image)
        if task is None:  # pulls of one image at the same time ask once
            task = asyncio.create_task(self._ask(host, image), name=f"credential provider {self._provider.name}")
            self._asked[image] = task
            task.add_done_callback(lambda _: self._asked.pop(image, None))
        return await asyncio.shield(task)

    def _is_meant(self, host: str, repository: str) -> bool:
        patterns = (pattern.partition("/") for pattern in self._provider.match_images)
        return any(Credential(host=part, path=path).covers(host, repository) for part, _, path in patterns)

    async def _ask(self, host: str, image: str) -> Sequence[Credential]:
        response = await self._run(image)
        keys = {"Image": image, "Registry": host, "Global": GLOBAL_KEY}
        if response.cache_key_type not in keys:
            raise self._failure(f"has answered with cacheKeyType {response.cache_key_type!r}")
        auths = msgspec.json.encode({"auths": response.auth})
        parsed = docker_config.parse(auths)
        credentials = parsed.credentials if parsed is not None else ()
        wait_s = self._cache_s(response)
        if wait_s > 0:
            self._keep((response.cache_key_type, keys[response.cache_key_type]), credentials, wait_s)
        return credentials

    def _cache_s(self, response: _Response) -> float:
        if response.cache_duration is None:
            return self._provider.default_cache_s
        try:
            return parse_duration(response.cache_duration) / SECOND_NS
        except PodwrightError as failure:
            raise self._failure(f"has answered with cacheDuration {response.cache_duration!r}") from failure

    def _keep(self, key: tuple[str, str], credentials: Sequence[Credential], for_s: float) -> None:
        now = self._clock.monotonic()
        self._kept = {each: kept for each, kept in self._kept.items() if kept.until > now}
        if len(self._kept) >= CACHE_LIMIT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = _Kept(credentials=credentials, until=now + for_s)

    async def _run(self, image: str) -> _Response:
        provider = self._provider
        request = {"kind": "CredentialProviderRequest", "apiVersion": provider.api_version, "image": image}
        command = Command(
            argv=(self._path, *provider.args),
            stdin=msgspec.json.encode(request),
            env=self._environment(provider.env),
            timeout_s=TIMEOUT_S,
            output_limit_bytes=OUTPUT_LIMIT_BYTES,
        )
        completed = await self._runner.run(command)
        if completed.returncode:
            raise self._failure(f"has failed with exit code {completed.shell_code}: {_stderr(completed)}")
        try:
            response = msgspec.json.decode(completed.stdout, type=_Response)
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise self._failure("has printed something else than a CredentialProviderResponse") from None
        if response.kind != "CredentialProviderResponse" or response.api_version != provider.api_version:
            raise self._failure(f"has answered with {response.kind} of {response.api_version}")
        return response

    def _environment(self, own: Mapping[str, str]) -> dict[str, str]:
        """The agent's own, as providers find their cloud's settings there."""
        return {**os.environ, **own}

    def _failure(self, what: str) -> FailedPrecondition:
        return FailedPrecondition(f"credential provider {self._path} {what}")


def _stderr(completed: Completed) -> str:
    """Stdout stays out of messages: it may hold credentials."""
    return completed.stderr.decode(errors="replace").strip()[-500:]
