"""Finds the credentials to pull an image with: from the pod's imagePullSecrets, from the node's files and programs.

All matching credentials are tried in this order, the most specific of one source first.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Sequence
from typing import Protocol

import msgspec

from podwright.agent.events.recorder import EventRecorder
from podwright.agent.images.accounts import AccountSource
from podwright.agent.images.references import ImageName
from podwright.agent.objects.protocol import ObjectGetter
from podwright.agent.runtime.records import RegistryCredentials
from podwright.errors import PodwrightError
from podwright.k8s.objects import Pod, Secret
from podwright.logins import docker_config
from podwright.logins.docker_config import Credential, image_repository

log = logging.getLogger(__name__)

SECRET_KEYS = {"kubernetes.io/dockerconfigjson": ".dockerconfigjson", "kubernetes.io/dockercfg": ".dockercfg"}
FILE_LIMIT_BYTES = 1 << 20


class SecretSource(msgspec.Struct, frozen=True, kw_only=True):
    """The Secret that credentials come from, and their SHA-256 as the kubelet computes it."""

    uid: str
    namespace: str
    name: str
    credential_hash: str


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials to try. Without `secret` and `account` they are the node's, for every pod."""

    credentials: RegistryCredentials
    secret: SecretSource | None = None
    account: AccountSource | None = None


class NodeLogin(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials of the node. With an account, they are only for pods of that service account."""

    credential: Credential
    account: AccountSource | None = None


class NodeLogins(Protocol):
    """A source of the node's own credentials."""

    async def find(self, pod: Pod, image: ImageName) -> list[NodeLogin]:
        """The credentials for a pod's image, the most specific first. Failures are logged, not raised."""


class Logins:
    """Finds the credentials for a pod's image."""

    def __init__(self, objects: ObjectGetter, sources: Sequence[NodeLogins], events: EventRecorder) -> None:
        self._objects = objects
        self._sources = sources
        self._events = events

    async def find(self, pod: Pod, image: ImageName) -> list[Login]:
        """All candidates in the order to try them. An empty list means an anonymous pull."""
        entries = [(credential, secret) for secret in await self._secrets(pod) for credential in entries_of(secret)]
        by_credential = {id(credential): secret for credential, secret in entries}
        host, repository = image_repository(image.name)
        fitting = docker_config.matching([credential for credential, _ in entries], host, repository)
        found = [_login(credential, by_credential[id(credential)]) for credential in fitting]
        for source in self._sources:
            found += [_login(each.credential, None, each.account) for each in await source.find(pod, image)]
        return found

    async def _secrets(self, pod: Pod) -> list[Secret]:
        """The Secrets that the pod names.

        One that cannot be read is skipped: the image may be public, or already present.
        """
        found, missing = [], []
        for reference in pod.spec.image_pull_secrets:
            if not reference.name:
                continue
            try:
                secret = await self._objects.secret(pod.metadata.namespace, reference.name)
            except PodwrightError as failure:
                log.warning("cannot get a pull secret: secret=%s error=%s", reference.name, failure)
                secret = None
            if secret is None:
                missing.append(reference.name)
            else:
                found.append(secret)
        if missing:
            names = ", ".join(missing)
            text = (
                f"Unable to retrieve some image pull secrets ({names}); attempting to pull the image may not succeed."
            )
            self._events.pod(pod, "Warning", "FailedToRetrieveImagePullSecret", text)
        return found


class LoginFiles:
    """Credentials in files on the node: the first readable file of the kubelet's paths counts."""

    def __init__(self, root: str, *, home: str | None = None, working_directory: str = ".") -> None:
        """`root` is the agent's own directory."""
        self._root = root
        self._home = os.path.expanduser("~") if home is None else home
        self._working_directory = working_directory

    async def find(self, pod: Pod, image: ImageName) -> list[NodeLogin]:  # noqa: ARG002 # every pod has them
        """See NodeLogins. Reads the file for each pull, because it may be renewed at any time."""
        host, repository = image_repository(image.name)
        return [NodeLogin(credential=each) for each in docker_config.matching(self._read(), host, repository)]

    def _read(self) -> Sequence[Credential]:
        places = (self._root, self._working_directory)
        paths = [f"{place}/config.json" for place in (*places, f"{self._home}/.docker", "/.docker")]
        paths += [f"{place}/.dockercfg" for place in (*places, self._home, "")]
        for path in paths:
            try:
                with open(path, "rb") as file:
                    data = file.read(FILE_LIMIT_BYTES + 1)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as failure:
                log.warning("cannot read registry credentials: path=%s error=%s", path, failure)
                continue
            parsed = docker_config.parse(data) if len(data) <= FILE_LIMIT_BYTES else None
            if parsed is not None:
                return parsed.credentials
            log.warning("not a file of registry credentials: path=%s", path)
        return ()


def entries_of(secret: Secret) -> Sequence[Credential]:
    """The credentials in a Secret of one of the two types. Empty for other and for invalid Secrets."""
    data = secret.data.get(SECRET_KEYS.get(secret.type, ""), b"")
    parsed = docker_config.parse(data) if data else None
    if data and parsed is None:
        log.warning("a pull secret cannot be read: secret=%s/%s", secret.metadata.namespace, secret.metadata.name)
    return parsed.credentials if parsed is not None else ()


def _login(credential: Credential, secret: Secret | None, account: AccountSource | None = None) -> Login:
    source = None
    if secret is not None:
        source = SecretSource(
            uid=secret.metadata.uid,
            namespace=secret.metadata.namespace,
            name=secret.metadata.name,
            credential_hash=credential_hash(credential),
        )
    return Login(
        credentials=RegistryCredentials(
            username=credential.username, password=credential.password, identity_token=credential.identity_token
        ),
        secret=source,
        account=account,
    )


def credential_hash(credential: Credential) -> str:
    """SHA-256 of the credentials as JSON in the format of Go, which escapes HTML's special characters."""
    fields = {"username": credential.username, "password": credential.password}
    fields["identitytoken"] = credential.identity_token
    text = json.dumps(
        {key: value for key, value in fields.items() if value}, separators=(",", ":"), ensure_ascii=False
    )
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
