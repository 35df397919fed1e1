"""The paths of a pod's volumes on disk. The layout is the kubelet's, because CSI drivers and other tools rely on it.

<root>/pods/<UID>/volumes/kubernetes.io~empty-dir/<volume>
<root>/pods/<UID>/plugins/kubernetes.io~empty-dir/<volume>/ready           (wrapped_<volume> for files)
<root>/pods/<UID>/volume-subpaths/<volume>/<container>/<index>
<root>/pods/<UID>/volumeDevices/kubernetes.io~csi/<PersistentVolume>       a link to a block device
<root>/plugins/kubernetes.io/csi/...                                       what several pods share
"""

from __future__ import annotations

from podwright.agent.pods.places import file_name

EMPTY_DIR = "kubernetes.io/empty-dir"
CONFIG_MAP = "kubernetes.io/configmap"
SECRET = "kubernetes.io/secret"  # noqa: S105 # a plug-in's name
DOWNWARD_API = "kubernetes.io/downward-api"
PROJECTED = "kubernetes.io/projected"
HOST_PATH = "kubernetes.io/host-path"
IMAGE = "kubernetes.io/image"
LOCAL = "kubernetes.io/local-volume"
NFS = "kubernetes.io/nfs"
CSI = "kubernetes.io/csi"
CSI_MOUNT = "mount"

VOLUMES, PLUGINS, SUBPATHS, DEVICES = "volumes", "plugins", "volume-subpaths", "volumeDevices"
READY = "ready"


def volume_directory(pod: str, plugin: str, volume: str) -> str:
    """The directory of a volume in the pod's directory. Raises InvalidArgument for a name that is no file name."""
    return f"{pod}/{VOLUMES}/{escaped(plugin)}/{file_name(volume)}"


def ready_directory(pod: str, volume: str, *, is_wrapped: bool) -> str:
    """The directory with the marker `ready` of a volume. Raises InvalidArgument.

    Volumes of files (`is_wrapped`) are in an emptyDir of the agent's own, whose name is the volume's with a prefix.
    """
    name = f"wrapped_{volume}" if is_wrapped else volume
    return f"{pod}/{PLUGINS}/{escaped(EMPTY_DIR)}/{file_name(name)}"


def subpath_target(pod: str, volume: str, container: str, index: int) -> str:
    """The path at which the subPath of the container's volume mount number `index` is bound.

    Raises InvalidArgument.
    """
    return f"{pod}/{SUBPATHS}/{file_name(volume)}/{file_name(container)}/{index}"


def device_link(pod: str, plugin: str, volume: str) -> str:
    """The path of the link to a block volume's device. Raises InvalidArgument."""
    return f"{pod}/{DEVICES}/{escaped(plugin)}/{file_name(volume)}"


def plugin_directory(root: str, plugin: str) -> str:
    """The directory in which a plug-in keeps what pods share."""
    return f"{root}/{PLUGINS}/{plugin}"


def escaped(plugin: str) -> str:
    """A plug-in's name as the name of a directory."""
    return plugin.replace("/", "~")
