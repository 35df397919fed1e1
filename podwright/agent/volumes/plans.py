"""Plans of volumes. Pure data: plug-ins make plans, `setup` carries them out."""

from __future__ import annotations

import hashlib

import msgspec

from podwright.k8s.objects import PersistentVolume

DIRECTORY_MODE = 0o777
# The kernel's own mode of a new tmpfs, which the kubelet leaves as it is.
MEMORY_MODE = 0o1777


class StoredVolume(msgspec.Struct, frozen=True, kw_only=True):
    """A volume that a CSI driver keeps: `handle` is the driver's name for it."""

    driver: str
    handle: str


class MountedVolume(msgspec.Struct, frozen=True, kw_only=True):
    """What containers mount.

    `path` is on this machine. It is empty for a volume whose content is the image `image`. `read_only` makes every
    mount read-only. `selinux_relabel` is set for volumes that belong to the pod alone. `gid` is the group that a
    persistent volume demands of the pod's processes. A block volume is a device. `stored` is set if a CSI driver has
    statistics of the volume. `spec_name` is the name of the PersistentVolume, empty for other volumes.
    """

    path: str
    read_only: bool = False
    selinux_relabel: bool = False
    image: str = ""
    gid: int | None = None
    is_block: bool = False
    stored: StoredVolume | None = None
    spec_name: str = ""
    is_host_path: bool = False

    @property
    def is_measured(self) -> bool:
        """Whether the size of its files is its usage of this machine's disks."""
        return self.stored is None and not self.is_block and not self.is_host_path


class MemoryFilesystem(msgspec.Struct, frozen=True, kw_only=True):
    """A tmpfs of `size_bytes` at most. 0 leaves the limit to the kernel (half of the memory)."""

    size_bytes: int


class HugePages(msgspec.Struct, frozen=True, kw_only=True):
    """A hugetlbfs with pages of `page_bytes`."""

    page_bytes: int


Medium = MemoryFilesystem | HugePages | None  # None: the disk that the agent's root is on


class EmptyDirPlan(msgspec.Struct, frozen=True, kw_only=True):
    """An empty directory. `ready` is the directory of its marker, `group` the pod's fsGroup."""

    path: str
    ready: str
    medium: Medium = None
    group: int | None = None

    @property
    def mounted(self) -> MountedVolume:
        """The volume as containers mount it."""
        return MountedVolume(path=self.path, selinux_relabel=True)


class PayloadFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a volume. `path` is relative to the volume. `user` is the owner, None for root."""

    path: str
    data: bytes
    mode: int
    user: int | None = None


class FilesPlan(msgspec.Struct, frozen=True, kw_only=True):
    """Files that the agent writes into a directory of its own, and that containers only read.

    `mount_points` are directories in it on which containers mount other volumes. `is_final`: the files never change,
    because all their objects are immutable.
    """

    directory: EmptyDirPlan
    files: tuple[PayloadFile, ...]
    mount_points: tuple[str, ...] = ()
    is_final: bool = False

    @property
    def mounted(self) -> MountedVolume:
        """The volume as containers mount it."""
        return MountedVolume(path=self.directory.path, read_only=True, selinux_relabel=True)

    def digest(self) -> bytes:
        """A digest that is equal for plans with the same files."""
        digest = hashlib.blake2b(digest_size=16)
        for file in sorted(self.files, key=lambda file: file.path):
            digest.update(f"{file.path}\0{file.mode}\0{file.user}\0{len(file.data)}\0".encode())
            digest.update(file.data)
        digest.update("\0".join(self.mount_points).encode())
        return digest.digest()


class HostPathPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A path of this machine. `type` is hostPath's type of the API: what the path must be, and whether it may be made.

    `read_only` and `gid` come from the claim and the PersistentVolume `persistent` if these name the path.
    """

    path: str
    type: str = ""
    read_only: bool = False
    gid: int | None = None
    persistent: PersistentVolume | None = None

    @property
    def mounted(self) -> MountedVolume:
        """The volume as containers mount it."""
        name = self.persistent.metadata.name if self.persistent is not None else ""
        return MountedVolume(path=self.path, read_only=self.read_only, gid=self.gid, spec_name=name, is_host_path=True)


class ImagePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The content of an image, which the runtime mounts. The agent does nothing for it."""

    reference: str

    @property
    def mounted(self) -> MountedVolume:
        """The volume as containers mount it."""
        return MountedVolume(path="", read_only=True, image=self.reference)


Plan = EmptyDirPlan | FilesPlan | HostPathPlan | ImagePlan
