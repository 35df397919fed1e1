"""Allots a range of user ids to each pod with `hostUsers: false`.

A pod's range is on disk, in the kubelet's file and format (`<root>/pods/<UID>/userns`), before a sandbox uses it.
Calls block, but not for long.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Collection

import msgspec

from podwright.agent.configs.namespaces import PodUserNamespace
from podwright.agent.pods.places import checked_uid, is_uid
from podwright.agent.resources.id_range import IdRange, check_range
from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError, ResourceExhausted, reason
from podwright.k8s.objects import Pod
from podwright.linux.files import remove_file

log = logging.getLogger(__name__)

FILE_NAME = "userns"
TEMPORARY = ".userns"
LIMIT_BYTES = 64 * 1024
POD_MODE = 0o750


class _Mapping(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One mapping in the file."""

    host_id: int
    container_id: int
    length: int


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    uids: tuple[_Mapping, ...] = msgspec.field(name="uidMappings")
    gids: tuple[_Mapping, ...] = msgspec.field(name="gidMappings")


def encode(users: PodUserNamespace) -> bytes:
    """The file's contents."""
    mappings = (_Mapping(host_id=users.first_id, container_id=0, length=users.length),)
    return msgspec.json.encode(_Record(uids=mappings, gids=mappings))


def decode(data: bytes) -> PodUserNamespace:
    """Parse the file. Raises InvalidArgument if it is not in the kubelet's format."""
    try:
        record = msgspec.json.decode(data, type=_Record)
    except msgspec.DecodeError as failure:
        raise InvalidArgument(f"invalid user namespace mappings file: {failure}") from failure
    if len(record.uids) != 1 or record.uids != record.gids or record.uids[0].container_id != 0:
        raise InvalidArgument("invalid user namespace mappings file: it must map id 0, once, for users as for groups")
    return PodUserNamespace(first_id=record.uids[0].host_id, length=record.uids[0].length)


class UserNamespaceAllocator:
    """Implements `UserNamespaces` of `configs.ports`. `recover` must be called first."""

    def __init__(self, pods_directory: str, ids: IdRange, max_pods: int) -> None:
        """`pods_directory` is `<root>/pods`. Raises FailedPrecondition for an unusable range."""
        check_range(ids, max_pods)
        self._directory = pods_directory
        self._ids = ids
        self._first_ids: dict[str, int] = {}

    def recover(self) -> None:
        """Take over the ranges on disk.

        Raises FailedPrecondition, because after the loss of one two pods could share a range.
        """
        for uid in self._pods_on_disk():
            try:
                users = self._read(uid)
                if users is not None:
                    self._take(uid, users)
            except (PodwrightError, OSError) as failure:
                raise FailedPrecondition(
                    f'record pod mappings for existing pod "{uid}": {failure}',
                    hint=f"when the pod does not run, remove {self._path(uid)}",
                ) from failure

    def of(self, pod: Pod) -> PodUserNamespace:
        """The pod's range, allotted now if it has none yet. Raises PodwrightError."""
        uid = pod.metadata.uid
        known = self._first_ids.get(uid)
        if known is not None:
            return PodUserNamespace(first_id=known, length=self._ids.per_pod)
        try:
            users = self._read(uid)
            if users is not None:
                self._take(uid, users)
                return users
            users = self._free_range()
            self._write(uid, users)
        except OSError as failure:
            raise FailedPrecondition(
                f"user namespace of pod {uid}: {reason(failure)}", hint="check the disk"
            ) from failure
        self._first_ids[uid] = users.first_id
        return users

    def release(self, uid: str) -> None:
        """Release the range of a pod that has ended. Raises OSError."""
        if uid not in self._first_ids:
            return
        remove_file(self._path(uid))
        del self._first_ids[uid]

    def retain(self, uids: Collection[str]) -> None:
        """Release the ranges of all other pods. Raises OSError."""
        for uid in self._first_ids.keys() - set(uids):
            self.release(uid)

    def _take(self, uid: str, users: PodUserNamespace) -> None:
        ids = self._ids
        if users.length != ids.per_pod or users.first_id % ids.per_pod:
            raise InvalidArgument(f"ids {users.first_id}+{users.length} are not a piece of {ids.per_pod}")
        if not ids.first <= users.first_id < ids.first + ids.count:
            raise InvalidArgument(f"id {users.first_id} is out of range {ids.first}+{ids.count}")
        if users.first_id in self._first_ids.values():
            raise InvalidArgument(f'range picked for pod "{uid}" already taken')
        self._first_ids[uid] = users.first_id

    def _free_range(self) -> PodUserNamespace:
        ids, used = self._ids, set(self._first_ids.values())
        for first_id in range(ids.first, ids.first + ids.count, ids.per_pod):
            if first_id not in used:
                return PodUserNamespace(first_id=first_id, length=ids.per_pod)
        raise ResourceExhausted(
            "could not find an empty slot to allocate a user namespace", hint="give the node more subordinate ids"
        )

    def _pods_on_disk(self) -> list[str]:
        try:
            return sorted(filter(is_uid, os.listdir(self._directory)))
        except FileNotFoundError:
            return []

    def _path(self, uid: str) -> str:
        return f"{self._directory}/{checked_uid(uid)}/{FILE_NAME}"

    def _read(self, uid: str) -> PodUserNamespace | None:
        try:
            fd = os.open(self._path(uid), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        with os.fdopen(fd, "rb") as file:
            data = file.read(LIMIT_BYTES)
        return decode(data) if data else None

    def _write(self, uid: str, users: PodUserNamespace) -> None:
        """Write the file atomically and sync it to disk, because the pod's files get these owners."""
        directory = os.path.dirname(self._path(uid))
        os.makedirs(directory, mode=POD_MODE, exist_ok=True)
        folder = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with os.fdopen(os.open(TEMPORARY, flags, 0o600, dir_fd=folder), "wb") as file:
                file.write(encode(users))
                file.flush()
                os.fsync(file.fileno())
            os.rename(TEMPORARY, FILE_NAME, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        finally:
            os.close(folder)
