"""The kernel's alarm for memory: where it is set, and that it rings."""

from __future__ import annotations

import asyncio
import subprocess

import pytest

from podwright.agent.clock import SystemClock
from podwright.agent.config.thresholds import EvictionSignal, Threshold, threshold_value
from podwright.agent.eviction.notifier import AlarmPoint, CgroupAlarm, alarm_points
from podwright.agent.resources import cgroupfs
from podwright.agent.resources.limits import CgroupLimits
from podwright.conformance.patience import patient
from podwright.linux import cgroup
from tests.agent.eviction.stats import memory, node
from tests.harness.scratch import Scratch

MIB = 1 << 20
PODS = "/kubepods"


def below(signal: EvictionSignal, text: str) -> Threshold:
    value = threshold_value(signal.value, text)
    assert value is not None
    return Threshold(signal=signal, value=value)


def test_points_count_what_is_only_cached() -> None:
    thresholds = [
        below(EvictionSignal.MEMORY, "10%"),
        below(EvictionSignal.ALLOCATABLE_MEMORY, "30"),
        below(EvictionSignal.NODE_FS, "10%"),
    ]
    found = alarm_points(thresholds, node(available=400, pods=memory(50, 150, usage=170)), PODS)
    assert found == [AlarmPoint(cgroup="/", usage_bytes=900), AlarmPoint(cgroup=PODS, usage_bytes=200 - 30 + 20)]


def test_without_a_limit_or_a_cgroup_there_is_no_point() -> None:
    thresholds = [below(EvictionSignal.ALLOCATABLE_MEMORY, "30")]
    assert alarm_points(thresholds, node(), PODS) == []
    assert alarm_points(thresholds, node(pods=memory(50, 150)), "") == []


@pytest.mark.root
async def test_the_alarm_rings_when_the_usage_is_reached(scratch: Scratch) -> None:
    host = cgroup.detect()
    if not CgroupAlarm.is_possible(host):
        return  # cgroup v2 alone has no thresholds, and the agent sets no alarm there
    path = scratch.part("alarm").cgroup_parent
    cgroupfs.make(host, path, CgroupLimits())
    alarm, rang = CgroupAlarm(host, path, SystemClock()), asyncio.Event()
    try:
        alarm.arm([below(EvictionSignal.ALLOCATABLE_MEMORY, "10Mi")], node(pods=memory(20 * MIB, 0)), rang.set)
        await asyncio.sleep(0.2)
        assert not rang.is_set()
        directory = host.directory(path, "memory")
        script = f"echo $$ >{directory}/cgroup.procs; exec dd if=/dev/zero of=/dev/null bs=16M count=1"
        await asyncio.to_thread(subprocess.run, ["sh", "-c", script], check=True, capture_output=True)
        async with asyncio.timeout(patient(60)):
            await rang.wait()
    finally:
        alarm.close()
        cgroupfs.remove(host, path)
