"""Credentials of a kubeconfig's user: certificates, tokens, a password. Files are read again when they change."""

from __future__ import annotations

import base64
import logging
import os
import time
from collections.abc import Callable

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.k8s.client.endpoint import Identity, KeyPair
from podwright.k8s.client.kubeconfig.files import read_file
from podwright.k8s.client.kubeconfig.model import KubeUser
from podwright.k8s.client.tls import check_key_pair

log = logging.getLogger(__name__)

# Tells a file from another one at its path: files are replaced by renaming, or by moving a link.
_Mark = tuple[int, int, int, int]
LOOK_EVERY_S = 1.0


class UserCredentials:
    """See `Credentials`. `where` names the user in messages. The files are looked at once a second, and when refused.

    Files that cannot be read, or do not belong together while others replace them, leave the identity as it was.
    """

    def __init__(self, user: KubeUser, where: str, *, now: Callable[[], float] = time.monotonic) -> None:
        self._user = user
        self._where = where
        self._now = now
        self._files = [path for path in (user.client_certificate, user.client_key, user.token_file) if path]
        self._marks: list[_Mark | None] = []
        _check(user, where)
        self._identity = self._read()

    async def identity(self) -> Identity:
        """As `Credentials..identity`."""
        if self._files and self._now() >= self._look_at and self._seen() != self._marks:
            try:
                self._identity = self._read()
            except FailedPrecondition as failure:
                self._marks = self._seen()
                log.warning("credentials cannot be read, the old ones stay: error=%s", failure)
        return self._identity

    def refused(self, identity: Identity) -> bool:
        """See Credentials: a file may hold something new only just now."""
        has_changed = self._seen() != self._marks or identity is not self._identity
        self._look_at = self._now()
        return bool(self._files) and has_changed

    def _seen(self) -> list[_Mark | None]:
        """The marks of all files. The next look is due a second later."""
        self._look_at = self._now() + LOOK_EVERY_S
        return [_mark(path) for path in self._files]

    def _read(self) -> Identity:
        self._marks = self._seen()
        user = self._user
        headers = {}
        token = _text(user.token_file, f"{self._where}: tokenFile") if user.token_file else user.token
        if token:
            headers["Authorization"] = f"Bearer {token}"
        elif user.username:
            pair = base64.b64encode(f"{user.username}:{user.password}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        return Identity(headers=headers, key_pair=self._key_pair())

    def _key_pair(self) -> KeyPair | None:
        user = self._user
        certificate, key = user.client_certificate_data, user.client_key_data
        if not certificate and user.client_certificate:
            certificate = read_file(user.client_certificate, f"{self._where}: client-certificate")
        if not key and user.client_key:
            key = read_file(user.client_key, f"{self._where}: client-key")
        if not certificate:
            return None
        pair = KeyPair(certificate=certificate, key=key)
        check_key_pair(pair, self._where)
        return pair


def _check(user: KubeUser, where: str) -> None:
    has_certificate = bool(user.client_certificate or user.client_certificate_data)
    has_key = bool(user.client_key or user.client_key_data)
    if has_certificate != has_key:
        missing = "client-key" if has_certificate else "client-certificate"
        raise InvalidArgument(f"{where}: {missing} is missing: a certificate and its key go together")
    if user.username and (user.token or user.token_file):
        raise InvalidArgument(f"{where}: a token and a username exclude each other")


def _mark(path: str) -> _Mark | None:
    try:
        found = os.stat(path)
    except (OSError, ValueError):  # absent, or with a NUL byte
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


def _text(path: str, where: str) -> str:
    text = read_file(path, where).decode(errors="replace").strip()
    if not text:
        raise FailedPrecondition(f"{where}: {path} is empty")
    return text
