"""What claims hold: from the disk, or from the driver; in the summary and in the metrics."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from podwright.agent.csi.values import Amounts, VolumeStats
from podwright.agent.metrics.prometheus import exposition
from podwright.agent.stats import claim_metrics, volumes
from podwright.agent.stats.records import PodReference, PodStats, SummaryVolume, moment
from podwright.agent.volumes.plans import MountedVolume, StoredVolume
from podwright.errors import Unavailable
from tests.agent.fakes.events import RecordedEvents
from tests.agent.fakes.time import VirtualClock
from tests.agent.stats.usage import volume_usage
from tests.agent.volumes.storage.build import pod_of

TOLD = VolumeStats(
    bytes=Amounts(total=10, available=6, used=4), inodes=Amounts(total=5, available=3, used=2), problem="a loose cable"
)
STORED = StoredVolume(driver="d", handle="h")


def csi(path: object, *, is_block: bool = False) -> MountedVolume:
    return MountedVolume(path=str(path), stored=STORED, is_block=is_block)


@pytest.mark.parametrize("with_health", [True, False])
async def test_a_driver_is_asked(tmp_path: Path, *, with_health: bool) -> None:
    asked: list[tuple[str, str, str]] = []

    async def ask(driver: str, handle: str, path: str) -> VolumeStats:
        asked.append((driver, handle, path))
        return TOLD

    link = tmp_path / "link"
    os.symlink("/published/here", link)
    mounted = {
        "files": csi(tmp_path),
        "raw": csi(link, is_block=True),
        "host": MountedVolume(path="/", is_host_path=True),
    }
    events = RecordedEvents()
    usage = volume_usage(mounted, VirtualClock(), 60, ask=ask, events=events, with_health=with_health)
    found = (await usage.of([pod_of("files", "raw", "host")]))["uid-web"].persistent
    assert sorted(asked) == [("d", "h", "/published/here"), ("d", "h", str(tmp_path))]
    assert [(each.name, each.capacity_bytes, each.inodes_free) for each in found] == [("files", 10, 3), ("raw", 10, 3)]
    assert [each.volume_health_stats is not None for each in found] == [with_health] * 2
    assert events.reasons() == ["VolumeConditionAbnormal"] * 2 * with_health
    await usage.close()
    text = exposition(claim_metrics.families([_stats(*found), _stats(*found)])).decode()
    assert 'kubelet_volume_stats_used_bytes{namespace="default",persistentvolumeclaim="raw"} 4' in text
    assert text.count("kubelet_volume_stats_capacity_bytes{") == 2
    assert ("kubelet_volume_stats_health_status_abnormal{" in text) is with_health


def _stats(*found: SummaryVolume) -> PodStats:
    reference = PodReference(name="web", namespace="default", uid="u")
    return PodStats(pod_ref=reference, start_time=moment(0), containers=(), volume_stats=found)


async def test_a_driver_that_fails_or_hangs_costs_its_own_figures_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(volumes, "PATIENCE_S", 2.0)

    async def ask(driver: str, handle: str, path: str) -> VolumeStats | None:
        if driver == "hangs":
            await asyncio.Event().wait()
        raise Unavailable("no such driver")

    mounted = {
        "hanging": MountedVolume(path="/", stored=StoredVolume(driver="hangs", handle="h")),
        "failing": csi("/"),
        "disk": MountedVolume(path=str(tmp_path)),
    }
    usage = volume_usage(mounted, VirtualClock(), 60, ask=ask)
    found = (await usage.of([pod_of("hanging", "failing", "disk")]))["uid-web"]
    assert [each.name for each in found.persistent] == ["disk"]
    await usage.close()
