"""`kubelet_volume_stats_*`: the usage of claims. Pure. Names and labels: pkg/kubelet/metrics/collectors."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.agent.metrics.prometheus import Family, Sample
from podwright.agent.stats.records import PodStats, SummaryVolume

PREFIX = "kubelet_volume_stats_"
_HELPS = {
    "capacity_bytes": "Capacity in bytes of the volume",
    "available_bytes": "Number of available bytes in the volume",
    "used_bytes": "Number of used bytes in the volume",
    "inodes": "Maximum number of inodes in the volume",
    "inodes_free": "Number of free inodes in the volume",
    "inodes_used": "Number of used inodes in the volume",
}
_HEALTH = "Abnormal volume health status. The count is either 1 or 0. 1 indicates the volume is unhealthy, 0 healthy"


def families(pods: Iterable[PodStats]) -> list[Family]:
    """A sample for each claim, however many pods use it."""
    claims: dict[tuple[str, str], SummaryVolume] = {}
    for pod in pods:
        for volume in pod.volume_stats:
            if volume.pvc_ref is not None:
                claims.setdefault((volume.pvc_ref.namespace, volume.pvc_ref.name), volume)
    found = [
        _family(name, text, {key: getattr(volume, name) for key, volume in claims.items()})
        for name, text in _HELPS.items()
    ]
    health = {key: volume.volume_health_stats for key, volume in claims.items()}
    states = {key: None if each is None else int(each.abnormal) for key, each in health.items()}
    return [*found, _family("health_status_abnormal", _HEALTH, states)]


def _family(name: str, text: str, values: dict[tuple[str, str], int | None]) -> Family:
    samples = tuple(
        Sample(value=value, labels={"namespace": namespace, "persistentvolumeclaim": claim})
        for (namespace, claim), value in values.items()
        if value is not None
    )
    return Family(name=f"{PREFIX}{name}", kind="gauge", help=f"[ALPHA] {text}", samples=samples)
