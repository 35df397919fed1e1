"""A `VolumeUsage` with a driver of the test's own."""

from __future__ import annotations

from collections.abc import Mapping

from podwright.agent.clock import Clock
from podwright.agent.csi.values import VolumeStats
from podwright.agent.stats.volumes import Ask, VolumeUsage, VolumeUsagePorts
from podwright.agent.volumes.plans import MountedVolume
from tests.agent.fakes.events import RecordedEvents


async def nobody(driver: str, handle: str, path: str) -> VolumeStats | None:
    """A driver that tells nothing."""
    return None


def volume_usage(
    mounted: Mapping[str, MountedVolume],
    clock: Clock,
    period_s: float,
    *,
    ask: Ask = nobody,
    events: RecordedEvents | None = None,
    with_health: bool = False,
) -> VolumeUsage:
    """Every pod has these volumes."""
    ports = VolumeUsagePorts(mounted=lambda _: mounted, ask=ask, events=events or RecordedEvents(), clock=clock)
    return VolumeUsage(ports, period_s, with_health=with_health)
