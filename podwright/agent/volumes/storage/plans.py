"""The plans of volumes whose data is outside of the pod. Pure data."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec

from podwright.agent.pods.places import file_name
from podwright.agent.volumes import places
from podwright.agent.volumes.ownership import GroupChange
from podwright.agent.volumes.plans import MountedVolume, StoredVolume
from podwright.k8s.objects import PersistentVolume, PersistentVolumeClaim, SecretReference


class StoredPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A volume of a pod. `name` is the PersistentVolume's, or the volume's own if it has none.

    `directory` and `uid` are the pod's. A block volume is a device in the pod, any other a directory. `group` is the
    pod's fsGroup with its policy, `gid` the group that the PersistentVolume demands. `options` are mount options.
    """

    name: str
    directory: str
    uid: str
    is_block: bool = False
    read_only: bool = False
    options: tuple[str, ...] = ()
    group: GroupChange | None = None
    gid: int | None = None
    persistent: PersistentVolume | None = None

    @property
    def plugin(self) -> str:
        """The plug-in's name."""
        raise NotImplementedError

    @property
    def target(self) -> str:
        """The path that containers mount. Raises InvalidArgument."""
        return places.volume_directory(self.directory, self.plugin, self.name)

    @property
    def device_link(self) -> str:
        """The link that leads to the device of a block volume. Raises InvalidArgument."""
        return places.device_link(self.directory, self.plugin, self.name)

    @property
    def mounted(self) -> MountedVolume:
        """The volume as containers mount it."""
        path = self.device_link if self.is_block else self.target
        return MountedVolume(
            path=path,
            read_only=self.read_only,
            is_block=self.is_block,
            gid=self.gid,
            selinux_relabel=self.is_labelled and not self.read_only,
            stored=self.stored,
            spec_name=self.name,
        )

    @property
    def is_labelled(self) -> bool:
        """Whether the runtime must give it the pod's SELinux label."""
        return True

    @property
    def stored(self) -> StoredVolume | None:
        """The volume in the driver's terms. None without a CSI driver."""
        return None


class LocalPlan(StoredPlan, frozen=True, kw_only=True):
    """A directory or block device of this machine. `fs_type` is the filesystem to make on a device."""

    path: str
    fs_type: str = "ext4"

    @property
    def plugin(self) -> str:
        return places.LOCAL


class NfsPlan(StoredPlan, frozen=True, kw_only=True):
    """A directory of an NFS server."""

    server: str
    path: str

    @property
    def plugin(self) -> str:
        return places.NFS

    @property
    def is_labelled(self) -> bool:
        return False


class CsiPlan(StoredPlan, frozen=True, kw_only=True):
    """A volume of a CSI driver. `handle` is the driver's name for it.

    An inline volume belongs to the pod alone and has no PersistentVolume. `claim` is what the PersistentVolume is
    bound to. `label` is the SELinux label that it is mounted with, empty for none.
    """

    driver: str
    handle: str
    fs_type: str = ""
    attributes: Mapping[str, str] = msgspec.field(default_factory=dict)
    access_modes: tuple[str, ...] = ()
    stage_secret: SecretReference | None = None
    publish_secret: SecretReference | None = None
    expand_secret: SecretReference | None = None
    claim: PersistentVolumeClaim | None = None
    label: str = ""

    @property
    def plugin(self) -> str:
        return places.CSI

    @property
    def target(self) -> str:
        return f"{places.volume_directory(self.directory, self.plugin, self.name)}/{places.CSI_MOUNT}"

    @property
    def is_labelled(self) -> bool:
        """See StoredPlan. Not if it is mounted with a label."""
        return not self.label

    @property
    def is_inline(self) -> bool:
        """Whether it belongs to the pod alone."""
        return self.persistent is None

    @property
    def unique_name(self) -> str:
        """The volume's name in the node's status."""
        return unique_name(self.driver, self.handle)

    @property
    def stored(self) -> StoredVolume:
        return StoredVolume(driver=self.driver, handle=self.handle)


def csi_plugin(driver: str) -> str:
    """The plug-in's name in metrics. `driver` is empty if its name is lost."""
    return f"{places.CSI}:{driver}" if driver else places.CSI


def unique_name(driver: str, handle: str) -> str:
    """A CSI volume's name in the node's status: volumesInUse and volumesAttached."""
    return f"{places.CSI}/{driver}^{handle}"


def attachment_name(driver: str, handle: str, node: str) -> str:
    """The name of the VolumeAttachment, which is computed from all three."""
    return f"csi-{hashlib.sha256(f'{handle}{driver}{node}'.encode()).hexdigest()}"


def inline_handle(uid: str, volume: str) -> str:
    """The handle of an inline volume of the pod with that UID."""
    return f"csi-{hashlib.sha256(f'{uid}{volume}'.encode()).hexdigest()}"


class CsiPlaces(msgspec.Struct, frozen=True):
    """The kubelet's paths of what pods share of CSI volumes. `root` is the agent's root directory."""

    root: str

    @property
    def top(self) -> str:
        """The plug-in's own directory."""
        return f"{places.plugin_directory(self.root, places.CSI)}"

    def staged(self, driver: str, handle: str) -> str:
        """The path at which a volume is staged. Raises InvalidArgument for a driver's name that is no file name."""
        return f"{self.top}/{file_name(driver)}/{hashlib.sha256(handle.encode()).hexdigest()}/globalmount"

    def block(self, name: str) -> str:
        """The directory of a block volume, with `data` and `dev`."""
        return f"{self.top}/{places.DEVICES}/{file_name(name)}"

    def block_staged(self, name: str) -> str:
        """The path at which a block volume is staged."""
        return f"{self.top}/{places.DEVICES}/staging/{file_name(name)}"

    def block_published(self, name: str, uid: str) -> str:
        """The path at which a block volume is published for the pod with that UID."""
        return f"{self.top}/{places.DEVICES}/publish/{file_name(name)}/{file_name(uid)}"
