"""Certificates on disk, as a kubelet lays them out in its `pki` folder.

`kubelet-client-2026-03-01-10-00-00.pem` holds a certificate, its chain and its key, and `kubelet-client-current.pem`
is a link to the newest, moved in one step. Everything is for root alone.
"""

from __future__ import annotations

import os
import re
import time
from datetime import UTC, datetime

from podwright.errors import FailedPrecondition, InvalidArgument
from podwright.k8s.client.certificates.x509 import Validity, validity_of
from podwright.k8s.client.endpoint import KeyPair
from podwright.k8s.client.tls import check_key_pair

_PART = re.compile(rb"-----BEGIN (?P<what>[A-Z ]+)-----.*?-----END (?P=what)-----\n?", re.DOTALL)


class CertificateFiles:
    """The certificates of one purpose: `prefix` is `kubelet-client` or `kubelet-server`."""

    def __init__(self, folder: str, prefix: str) -> None:
        self._folder = folder
        self._prefix = prefix

    @property
    def current_path(self) -> str:
        """The path of the newest certificate, which never changes: a kubeconfig names it."""
        return os.path.join(self._folder, f"{self._prefix}-current.pem")

    def current(self) -> tuple[KeyPair, Validity] | None:
        """The newest, and until when it is good. None when there is none that could be used."""
        try:
            with open(self.current_path, "rb") as file:
                pair = split(file.read())
            check_key_pair(pair, self.current_path)
            return pair, validity_of(pair.certificate)
        except (OSError, FailedPrecondition, InvalidArgument):
            return None

    def store(self, pair: KeyPair) -> str:
        """Keep it as the newest. The path of its file. Raises FailedPrecondition when the disk does not take it."""
        stamp = datetime.fromtimestamp(time.time(), tz=UTC).strftime("%Y-%m-%d-%H-%M-%S")
        name = f"{self._prefix}-{stamp}.pem"
        try:
            os.makedirs(self._folder, mode=0o755, exist_ok=True)
            write_private(os.path.join(self._folder, name), pair.certificate.rstrip() + b"\n" + pair.key)
            before = os.path.realpath(self.current_path)
            self._link(name)
        except OSError as failure:
            raise FailedPrecondition(f"{self._folder}: cannot keep a certificate: {failure.strerror}") from failure
        self._forget(before, name)
        return os.path.join(self._folder, name)

    def _link(self, name: str) -> None:
        temporary = os.path.join(self._folder, f".{self._prefix}-current.pem.new")
        if os.path.lexists(temporary):
            os.unlink(temporary)
        os.symlink(name, temporary)
        os.replace(temporary, self.current_path)

    def _forget(self, before: str, name: str) -> None:
        """Remove all except the newest and the one before it, which somebody may be reading."""
        pattern = re.compile(rf"{re.escape(self._prefix)}-\d{{4}}(-\d\d){{5}}\.pem")
        for other in os.listdir(self._folder):
            if pattern.fullmatch(other) and other not in (name, os.path.basename(before)):
                os.unlink(os.path.join(self._folder, other))


def split(pem: bytes) -> KeyPair:
    """A file's certificates and its key. Raises FailedPrecondition when one is missing."""
    parts = [(match["what"], match[0]) for match in _PART.finditer(pem)]
    certificates = b"".join(text for what, text in parts if what == b"CERTIFICATE")
    keys = [text for what, text in parts if what.endswith(b"PRIVATE KEY")]
    if not certificates or not keys:
        raise FailedPrecondition("a certificate and its key are needed in one file")
    return KeyPair(certificate=certificates, key=keys[0])


def write_private(path: str, data: bytes) -> None:
    """A file for root alone, whole or not at all."""
    temporary = f"{path}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        os.fchmod(descriptor, 0o600)
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    os.replace(temporary, path)
