"""Records of pulls as the kubelet keeps them below `<root>/image_manager` (its pkg/kubelet/images/pullmanager).

`pulling` has a file for each pull in progress. `pulled` has a file for each image that this node has pulled, with the
credentials by image name. The name of a file is the SHA-256 of the image's name or reference.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from podwright.errors import Internal
from podwright.linux.files import remove_file, replace_file

log = logging.getLogger(__name__)

API_VERSION = "kubelet.config.k8s.io/v1beta1"
READ_VERSIONS = frozenset({API_VERSION, "kubelet.config.k8s.io/v1alpha1"})
PREFIX, TEMPORARY = "sha256-", ".tmp"  # a kubelet's temporary file
FILE_LIMIT_BYTES = 4 << 20


class PullSecret(msgspec.Struct, frozen=True, rename="camel"):
    """A Secret that an image was pulled with, and the hash of its credentials."""

    uid: str
    namespace: str
    name: str
    credential_hash: str


class PullServiceAccount(msgspec.Struct, frozen=True):
    """A service account whose token an image was pulled with."""

    uid: str
    namespace: str
    name: str


class PullCredentials(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The credentials that allow the use of an image without another pull."""

    kubernetes_secrets: tuple[PullSecret, ...] = ()
    kubernetes_service_accounts: tuple[PullServiceAccount, ...] = ()
    node_pods_accessible: bool = False


class PullIntent(msgspec.Struct, frozen=True, rename="camel"):
    """A pull that has begun."""

    kind: str
    api_version: str
    image: str


class PulledRecord(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """An image that this node has pulled. `credential_mapping` is by image name without tag and digest."""

    kind: str
    api_version: str
    last_updated_time: str
    image_ref: str
    credential_mapping: dict[str, PullCredentials] = {}


Record = TypeVar("Record", PullIntent, PulledRecord)


class RecordFiles:
    """Reads and writes the files. Raises OSError."""

    def __init__(self, root: str) -> None:
        """`root` is the agent's own directory."""
        self._pulling = f"{root}/image_manager/pulling"
        self._pulled = f"{root}/image_manager/pulled"
        for directory in (self._pulling, self._pulled):
            os.makedirs(directory, mode=0o700, exist_ok=True)

    def write_intent(self, image: str) -> None:
        """Record that a pull begins."""
        intent = PullIntent(kind="ImagePullIntent", api_version=API_VERSION, image=image)
        _write(self._pulling, image, msgspec.json.encode(intent))

    def has_intent(self, image: str) -> bool:
        """Whether a pull has begun whose end was not recorded, perhaps because the agent was killed."""
        return os.path.exists(_path(self._pulling, image))

    def delete_intent(self, image: str) -> None:
        """Forget that a pull has begun, after its end was recorded."""
        _delete(self._pulling, image)

    def intents(self) -> Iterator[str]:
        """The images of all pulls that have begun."""
        for path in _paths(self._pulling):
            with contextlib.suppress(FileNotFoundError):
                intent = _decode(path, PullIntent)
                if intent is not None:
                    yield intent.image

    def write_pulled(self, image_ref: str, mapping: dict[str, PullCredentials], now_ns: int) -> None:
        """Replace the record of an image."""
        time = datetime.fromtimestamp(now_ns // 10**9, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        record = PulledRecord(
            kind="ImagePulledRecord",
            api_version=API_VERSION,
            last_updated_time=time,
            image_ref=image_ref,
            credential_mapping=mapping,
        )
        _write(self._pulled, image_ref, msgspec.json.encode(record))

    def pulled(self, image_ref: str) -> PulledRecord | None:
        """The record of an image, or None. Raises Internal for an invalid file."""
        path = _path(self._pulled, image_ref)
        try:
            record = _decode(path, PulledRecord)
        except FileNotFoundError:
            return None
        if record is None:
            raise Internal(
                f"{path} is not a record of a pulled image", hint="remove it: the image is then pulled again"
            )
        return record if record.image_ref == image_ref else None

    def retain(self, image_refs: set[str], before_ns: int) -> None:
        """Delete the records of all images except these. Records that were written after `before_ns` stay."""
        for path in _paths(self._pulled):
            with contextlib.suppress(FileNotFoundError):
                record = _decode(path, PulledRecord)
                if record is None or record.image_ref in image_refs:
                    continue
                if os.stat(path).st_mtime_ns < before_ns:
                    os.unlink(path)


def _path(directory: str, about: str) -> str:
    return f"{directory}/{PREFIX}{hashlib.sha256(about.encode(errors='surrogateescape')).hexdigest()}"


def _paths(directory: str) -> list[str]:
    names = os.listdir(directory)
    return [f"{directory}/{name}" for name in names if name.startswith(PREFIX) and not name.endswith(TEMPORARY)]


def _write(directory: str, about: str, data: bytes) -> None:
    replace_file(_path(directory, about), data + b"\n", mode=0o600)


def _delete(directory: str, about: str) -> None:
    remove_file(_path(directory, about))


def _decode(path: str, type_: type[Record]) -> Record | None:
    """The decoded file. If it is invalid, that is logged, and the result is None. Raises OSError."""
    with open(path, "rb") as file:
        data = file.read(FILE_LIMIT_BYTES)
    try:
        record = msgspec.json.decode(data, type=type_)
    except (msgspec.DecodeError, UnicodeDecodeError) as failure:
        log.warning("a record of a pull cannot be read: path=%s error=%s", path, failure)
        return None
    return record if record.api_version in READ_VERSIONS else None
