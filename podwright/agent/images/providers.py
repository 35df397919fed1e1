"""Credential providers: programs that print registry credentials (credentialprovider.kubelet.k8s.io).

A provider is called for the images that its configuration names. Its answer says for how long it is kept, and whether
for an image, a registry, or all images. A provider may want a token of the pod's service account (KEP-4412). Its
answer is then only for that account.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from podwright.agent.clock import Clock
from podwright.agent.config.go_duration import SECOND_NS, parse_duration
from podwright.agent.images.accounts import AccountSource, ServiceAccounts
from podwright.agent.images.credentials import NodeLogin
from podwright.agent.images.provider_config import Provider
from podwright.agent.images.references import ImageName
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.k8s.objects import Pod
from podwright.logins import docker_config
from podwright.logins.docker_config import Credential, image_repository
from podwright.process import Command, Completed, ProcessRunner

log = logging.getLogger(__name__)

TIMEOUT_S = 60.0
OUTPUT_LIMIT_BYTES = 1 << 20
CACHE_LIMIT = 1000
GLOBAL_KEY = ""
Identity = tuple[Any, ...]


class _Auth(msgspec.Struct, frozen=True):
    username: str = ""
    password: str = ""


class _Response(msgspec.Struct, frozen=True, rename="camel"):
    kind: str
    api_version: str
    cache_key_type: str
    cache_duration: str | None = None
    auth: dict[str, _Auth] = {}


class _Kept(msgspec.Struct, frozen=True, kw_only=True):
    credentials: Sequence[Credential]
    until: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Caller:
    """The caller of a provider. Answers are kept by `identity`."""

    identity: Identity = ()
    account: AccountSource | None = None
    token: str = field(default="", repr=False)
    annotations: Mapping[str, str] = field(default_factory=dict)


NOBODY = _Caller()


class CredentialProviders:
    """The node's providers. A `NodeLogins`."""

    def __init__(
        self,
        providers: Sequence[Provider],
        directory: str,
        runner: ProcessRunner,
        clock: Clock,
        accounts: ServiceAccounts,
    ) -> None:
        """The programs are in `directory`."""
        self._providers = [_ExecProvider(provider, directory, runner, clock, accounts) for provider in providers]

    async def find(self, pod: Pod, image: ImageName) -> list[NodeLogin]:
        """See NodeLogins. The failure of a provider is logged, and the others count."""
        host, repository = image_repository(image.name)
        found: list[NodeLogin] = []
        for provider in self._providers:
            try:
                found += await provider.logins(pod, host, repository)
            except PodwrightError as failure:
                log.warning("a credential provider has failed: image=%s error=%s", image.name, failure)
        return found


class _ExecProvider:
    """One program, and its kept answers."""

    def __init__(
        self, provider: Provider, directory: str, runner: ProcessRunner, clock: Clock, accounts: ServiceAccounts
    ) -> None:
        self._provider = provider
        self._accounts = accounts
        self._path = f"{directory}/{provider.name}"
        self._runner = runner
        self._clock = clock
        self._kept: dict[tuple[str, str, Identity], _Kept] = {}
        self._asked: dict[tuple[str, Identity, str], asyncio.Task[Sequence[Credential]]] = {}

    async def logins(self, pod: Pod, host: str, repository: str) -> list[NodeLogin]:
        """The credentials for a pod's image. Raises PodwrightError."""
        if not self._is_meant(host, repository):
            return []
        caller = await self._caller(pod)
        if caller is None:
            return []
        found = docker_config.matching(await self._credentials(host, repository, caller), host, repository)
        return [NodeLogin(credential=each, account=caller.account) for each in found]

    async def _credentials(self, host: str, repository: str, caller: _Caller) -> Sequence[Credential]:
        image, now = f"{host}/{repository}", self._clock.monotonic()
        for kind, key in (("Image", image), ("Registry", host), ("Global", GLOBAL_KEY)):
            kept = self._kept.get((kind, key, caller.identity))
            if kept is not None and kept.until > now:
                return kept.credentials
        question = (image, caller.identity, caller.token)
        task = self._asked.get(question)
        if task is None:  # concurrent pulls of one image share a call
            name = f"credential provider {self._provider.name}"
            task = asyncio.create_task(self._ask(host, image, caller), name=name)
            self._asked[question] = task
            task.add_done_callback(lambda _: self._asked.pop(question, None))
        return await asyncio.shield(task)

    async def _caller(self, pod: Pod) -> _Caller | None:
        """The caller for a pod. None if the provider is not to be called. Raises PodwrightError."""
        rules, namespace, name = self._provider.tokens, pod.metadata.namespace, pod.spec.service_account_name
        if rules is None:
            return NOBODY
        if not name:
            return None if rules.is_required else NOBODY
        account = await self._accounts.account(namespace, name)
        annotations = account.metadata.annotations
        if missing := [key for key in rules.required if key not in annotations]:
            log.debug("a service account lacks annotations: account=%s/%s keys=%s", namespace, name, missing)
            return None
        given = {key: annotations[key] for key in (*rules.required, *rules.optional) if key in annotations}
        token = await self._accounts.account_token(pod, rules.audience)
        uid = account.metadata.uid
        identity = (namespace, name, uid, tuple(sorted(given.items())), token if rules.keeps_per_token else "")
        source = AccountSource(uid=uid, namespace=namespace, name=name)
        return _Caller(identity=identity, account=source, token=token, annotations=given)

    def _is_meant(self, host: str, repository: str) -> bool:
        patterns = (pattern.partition("/") for pattern in self._provider.match_images)
        return any(Credential(host=part, path=path).covers(host, repository) for part, _, path in patterns)

    async def _ask(self, host: str, image: str, caller: _Caller) -> Sequence[Credential]:
        response = await self._run(image, caller)
        self._check_token(response, caller)
        keys = {"Image": image, "Registry": host, "Global": GLOBAL_KEY}
        if response.cache_key_type not in keys:
            raise self._failure(f"has answered with cacheKeyType {response.cache_key_type!r}")
        auths = msgspec.json.encode({"auths": response.auth})
        parsed = docker_config.parse(auths)
        credentials = parsed.credentials if parsed is not None else ()
        wait_s = self._cache_s(response)
        if wait_s > 0:
            key = (response.cache_key_type, keys[response.cache_key_type], caller.identity)
            self._keep(key, credentials, wait_s)
        return credentials

    def _check_token(self, response: _Response, caller: _Caller) -> None:
        """Check that a token is not passed on as the password, which is valid for its pod only.

        Raises PodwrightError.
        """
        rules = self._provider.tokens
        if rules is None or rules.keeps_per_token or not caller.token:
            return
        if any(auth.password == caller.token for auth in response.auth.values()):
            raise self._failure(
                "returned the service account's token as the password, which requires cacheType: Token"
            )

    def _cache_s(self, response: _Response) -> float:
        if response.cache_duration is None:
            return self._provider.default_cache_s
        try:
            return parse_duration(response.cache_duration) / SECOND_NS
        except PodwrightError as failure:
            raise self._failure(f"has answered with cacheDuration {response.cache_duration!r}") from failure

    def _keep(self, key: tuple[str, str, Identity], credentials: Sequence[Credential], for_s: float) -> None:
        now = self._clock.monotonic()
        self._kept = {each: kept for each, kept in self._kept.items() if kept.until > now}
        if len(self._kept) >= CACHE_LIMIT:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = _Kept(credentials=credentials, until=now + for_s)

    async def _run(self, image: str, caller: _Caller) -> _Response:
        provider = self._provider
        request: dict[str, Any] = {
            "kind": "CredentialProviderRequest",
            "apiVersion": provider.api_version,
            "image": image,
        }
        if caller.token:
            request["serviceAccountToken"] = caller.token
        if caller.annotations:
            request["serviceAccountAnnotations"] = dict(caller.annotations)
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
        """The agent's own environment, in which providers find the settings of their cloud."""
        return {**os.environ, **own}

    def _failure(self, what: str) -> FailedPrecondition:
        return FailedPrecondition(f"credential provider {self._path} {what}")


def _stderr(completed: Completed) -> str:
    """The program's stderr for a message. Its stdout may contain credentials, and stays out of messages."""
    return completed.stderr.decode(errors="replace").strip()[-500:]
