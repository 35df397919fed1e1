"""The plug-in of a volume, by its kind: the one field of a Volume that is set."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podwright.agent.volumes import places
from podwright.agent.volumes.plans import HostPathPlan
from podwright.agent.volumes.plugins.claim import ClaimVolume
from podwright.agent.volumes.plugins.config_map import ConfigMapVolume
from podwright.agent.volumes.plugins.downward_api import DownwardApiVolume
from podwright.agent.volumes.plugins.empty_dir import EmptyDir
from podwright.agent.volumes.plugins.host_path import HostPath
from podwright.agent.volumes.plugins.image import ImageVolume
from podwright.agent.volumes.plugins.inline_storage import InlineCsi, InlineNfs
from podwright.agent.volumes.plugins.projected import Projected
from podwright.agent.volumes.plugins.protocol import AnyPlan, VolumePlugin
from podwright.agent.volumes.plugins.secret import SecretVolume
from podwright.agent.volumes.ports import VolumePorts
from podwright.agent.volumes.storage.plans import CsiPlan, StoredPlan, csi_plugin
from podwright.errors import Unimplemented
from podwright.k8s.objects import Volume

DEFAULT_KIND = "emptyDir"
PLUGIN_NAMES = {
    "emptyDir": "empty-dir",
    "hostPath": "host-path",
    "downwardAPI": "downward-api",
    "persistentVolumeClaim": "persistent-claim",
    "ephemeral": "persistent-claim",
}
KINDS = tuple(field for field in msgspec.structs.fields(Volume) if field.name != "name")


def kind_of(volume: Volume) -> str:
    """The kind in the API's spelling (configMap). A volume without a source is an emptyDir."""
    return next((field.encode_name for field in KINDS if getattr(volume, field.name) is not None), DEFAULT_KIND)


def plugin_name(volume: Volume) -> str:
    """The plug-in's name in metrics: `kubernetes.io/empty-dir`."""
    kind = kind_of(volume)
    return f"kubernetes.io/{PLUGIN_NAMES.get(kind, kind.lower())}"


def operating_plugin(volume: Volume, plan: AnyPlan) -> str:
    """The plug-in's name in metrics once the plan is known: that of the claim's volume, with the CSI driver's name."""
    if isinstance(plan, CsiPlan):
        return csi_plugin(plan.driver)
    if isinstance(plan, StoredPlan):
        return plan.plugin
    return places.HOST_PATH if isinstance(plan, HostPathPlan) else plugin_name(volume)


class Plugins:
    """All plug-ins of this agent."""

    def __init__(self, ports: VolumePorts) -> None:
        memory = ports.allocatable_bytes
        self._plugins: Mapping[str, VolumePlugin] = {
            "emptyDir": EmptyDir(memory),
            "hostPath": HostPath(),
            "configMap": ConfigMapVolume(ports.objects),
            "secret": SecretVolume(ports.objects, memory),
            "downwardAPI": DownwardApiVolume(ports.downward, memory),
            "projected": Projected(ports.objects, ports.downward, ports.cluster, memory),
            "image": ImageVolume(),
            "persistentVolumeClaim": ClaimVolume(ports.storage, ports.selinux),
            "ephemeral": ClaimVolume(ports.storage, ports.selinux),
            "csi": InlineCsi(),
            "nfs": InlineNfs(),
        }

    def of(self, volume: Volume) -> VolumePlugin:
        """The plug-in for the volume. Raises Unimplemented for an unknown kind."""
        kind = kind_of(volume)
        if kind not in self._plugins:
            known = ", ".join(sorted(self._plugins))
            message = f'no volume plugin matched: volume "{volume.name}" is of kind {kind}'
            raise Unimplemented(message, hint=f"this agent knows {known}")
        return self._plugins[kind]
