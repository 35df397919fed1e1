"""The end of a container under conmon: seeing it, and judging it."""

from __future__ import annotations

import asyncio
import logging
import os

from podwright.linux import cgroup, proc
from podwright.linux.cgroup import CgroupHost
from podwright.process import Process
from podwright.runtime.handlers.oci import conmon, exits
from podwright.runtime.handlers.oci.conmon import Monitored
from podwright.runtime.handlers.oci.record import OciRecord
from podwright.runtime.handlers.processes import memory
from podwright.runtime.handlers.protocol import UNKNOWN, Bundle, Exit

log = logging.getLogger(__name__)


async def wait(
    cgroups: CgroupHost, bundle: Bundle, monitored: Monitored, record: OciRecord, monitor: Process | None
) -> Exit:
    """The end, once it has come. `monitor` is None when it has ended already. Raises OSError."""
    if bundle.shares_pid_namespace:
        await _end_orphans(cgroups, bundle, record, monitor)
    if monitor is not None:
        await monitor.wait()
    end = exits.read(conmon.exit_file(monitored))
    kills = await memory.seen(cgroups, bundle.cgroup, reported=os.path.exists(conmon.oom_file(monitored)))
    end = memory.judge(end, record.pid, kills)
    if end.reason == UNKNOWN:  # without its monitor, even the first process may have gone on
        await asyncio.to_thread(cgroup.kill_all, cgroups, bundle.cgroup)
    return end


async def _end_orphans(cgroups: CgroupHost, bundle: Bundle, record: OciRecord, monitor: Process | None) -> None:
    """Without a PID namespace of its own, processes outlive the first one: they go as soon as that has ended.

    Not only when the monitor has, which reads their output until they pause.
    """
    known = proc.stat(record.pid)
    if monitor is not None and known is not None and known.parent == record.monitor_pid:
        first = Process.adopt(record.pid, known.start_time)
        ends = [
            asyncio.create_task(one.wait(), name=f"wait for process {one.pid}")
            for one in (first, monitor)
            if one is not None
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for end in ends:
                end.cancel()
    await asyncio.to_thread(cgroup.kill_all, cgroups, bundle.cgroup)


def has_ended(record: OciRecord) -> bool:
    """Whether the first process is a zombie, or gone."""
    first = proc.stat(record.pid)
    return first is None or first.is_zombie or first.parent != record.monitor_pid


def give_up_monitor(monitored: Monitored, record: OciRecord) -> None:
    """Kill the monitor of a container whose process has ended without the monitor noticing.

    The kernel still has the exit code, which is recorded instead of the monitor's.
    """
    first = proc.stat(record.pid)
    if first is not None and first.parent == record.monitor_pid and first.is_zombie:
        exits.write(conmon.exit_file(monitored), first.wait_status)
    log.warning("killing a monitor that does not notice its container's end: id=%s", monitored.id[:12])
    proc.kill(record.monitor_pid, record.monitor_start_time)
