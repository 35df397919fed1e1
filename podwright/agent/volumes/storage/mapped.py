"""Events about block volumes that were mapped into a pod, with the kubelet's texts."""

from __future__ import annotations

import os

from podwright.agent.events.recorder import EventRecorder
from podwright.agent.volumes.storage.plans import StoredPlan
from podwright.k8s.objects import Pod

REASON = "SuccessfulMountVolume"


def tell_mapped(events: EventRecorder, pod: Pod, plan: StoredPlan, map_directory: str) -> None:
    """Record events with the path of the pinned device and of the pod's link."""
    places = (("globalMapPath", map_directory), ("volumeMapPath", os.path.dirname(plan.device_link)))
    for name, path in places:
        message = f'MapVolume.MapPodDevice succeeded for volume "{plan.name}" {name} "{path}"'
        events.pod(pod, "Normal", REASON, message)
