"""Volumes and how containers see them. Field names and meaning: the core/v1 API of Kubernetes."""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import field

from podwright.agent.seed.manifest.node import Node, names

HostPathType = Literal[
    "", "DirectoryOrCreate", "Directory", "FileOrCreate", "File", "Socket", "CharDevice", "BlockDevice"
]


class ObjectFieldSelector(Node, frozen=True, kw_only=True):
    """A field of the pod."""

    api_version: str = "v1"
    field_path: str


class ResourceFieldSelector(Node, frozen=True, kw_only=True):
    """A request or limit of a container, in units of `divisor`."""

    container_name: str = ""
    resource: str
    divisor: str | int | float = "0"


class EmptyDir(Node, frozen=True, kw_only=True):
    """A directory that lives and dies with the pod."""

    medium: Literal["", "Memory"] = ""
    size_limit: str | int | float | None = None


class HostPath(Node, frozen=True, kw_only=True):
    """A path of the host."""

    path: str
    type: HostPathType = ""


class KeyToPath(Node, frozen=True, kw_only=True):
    """One key of an object as one file."""

    key: str
    path: str
    mode: int | None = None


class ConfigMapVolume(Node, frozen=True, kw_only=True):
    """A ConfigMap as files."""

    name: str
    items: tuple[KeyToPath, ...] = ()
    default_mode: int = 0o644
    optional: bool = False


class SecretVolume(Node, frozen=True, kw_only=True):
    """A Secret as files."""

    secret_name: str
    items: tuple[KeyToPath, ...] = ()
    default_mode: int = 0o644
    optional: bool = False


class DownwardApiFile(Node, frozen=True, kw_only=True):
    """One field of the pod as one file."""

    path: str
    field_ref: ObjectFieldSelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    mode: int | None = None


class DownwardApiVolume(Node, frozen=True, kw_only=True):
    """Fields of the pod as files."""

    items: tuple[DownwardApiFile, ...] = ()
    default_mode: int = 0o644


class ObjectProjection(Node, frozen=True, kw_only=True):
    """A ConfigMap or Secret inside a projected volume."""

    name: str
    items: tuple[KeyToPath, ...] = ()
    optional: bool = False


class DownwardApiProjection(Node, frozen=True, kw_only=True):
    """Fields of the pod inside a projected volume."""

    items: tuple[DownwardApiFile, ...] = ()


class VolumeProjection(Node, frozen=True, kw_only=True):
    """One source of a projected volume."""

    REFUSED: ClassVar = names("serviceAccountToken clusterTrustBundle podCertificate")
    config_map: ObjectProjection | None = None
    secret: ObjectProjection | None = None
    downward_api: DownwardApiProjection | None = field(default=None, name="downwardAPI")


class ProjectedVolume(Node, frozen=True, kw_only=True):
    """Several sources in one directory; later ones overwrite equal paths."""

    sources: tuple[VolumeProjection, ...] = ()
    default_mode: int = 0o644


class Volume(Node, frozen=True, kw_only=True):
    """A named volume with at most one source; none means emptyDir."""

    # What cannot be provided would be an empty directory in the wrong place, so it is an error, not a warning.
    REFUSED: ClassVar = names(
        "gcePersistentDisk awsElasticBlockStore gitRepo nfs iscsi glusterfs persistentVolumeClaim rbd flexVolume "
        "cinder cephfs flocker fc azureFile vsphereVolume quobyte azureDisk photonPersistentDisk portworxVolume "
        "scaleIO storageos csi ephemeral image"
    )
    name: str
    empty_dir: EmptyDir | None = None
    host_path: HostPath | None = None
    config_map: ConfigMapVolume | None = None
    secret: SecretVolume | None = None
    downward_api: DownwardApiVolume | None = field(default=None, name="downwardAPI")
    projected: ProjectedVolume | None = None


class VolumeMount(Node, frozen=True, kw_only=True):
    """Where a container sees a volume."""

    QUIET: ClassVar = {"recursiveReadOnly": ("Disabled",)}
    name: str
    mount_path: str
    read_only: bool = False
    sub_path: str = ""
    sub_path_expr: str = ""
    mount_propagation: Literal["None", "HostToContainer", "Bidirectional"] = "None"
