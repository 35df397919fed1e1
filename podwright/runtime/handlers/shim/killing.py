"""Signals to a container that a shim holds, and its deletion. Both work when the shim fails or hangs.

Such a shim is killed where its containers cannot be taken down otherwise, and its program cleans up without it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal

from podwright.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    NotFound,
    PodwrightError,
    RuntimeFailed,
    Unavailable,
)
from podwright.linux import cgroup
from podwright.runtime.handlers.shim.launching import DELETE_S
from podwright.runtime.handlers.shim.limiting import Limiting
from podwright.runtime.handlers.shim.member import ShimMember
from podwright.runtime.handlers.shim.watching import DRAIN_S, EndWatch

log = logging.getLogger(__name__)

END_S = 5.0  # from a SIGKILL to the end that the shim reports
BURIAL_S = DELETE_S + DRAIN_S  # from the end of a shim to that of its containers: its program cleans up


async def kill(member: ShimMember, watch: EndWatch, limiting: Limiting, number: int, *, everyone: bool) -> None:
    """Send a signal to the first process or to all, as Task.kill does."""
    if watch.is_over:
        return
    try:
        if member.hangs:
            member.kill_on_host(number)
        else:
            await member.calls.kill(member.bundle.id, number, everyone=everyone)
            if limiting.may_be_paused:
                await limiting.resume()
    except NotFound:
        return
    except (FailedPrecondition, RuntimeFailed) as failure:
        log.debug("a signal was not sent: id=%s error=%s", member.bundle.id[:12], failure)
    except (DeadlineExceeded, Unavailable) as failure:
        log.warning("a shim does not send a signal: id=%s error=%s", member.bundle.id[:12], failure)
        member.note_hang()
        member.kill_on_host(number)
    if everyone and number == signal.SIGKILL:
        await _end_everything(member, watch)


async def _end_everything(member: ShimMember, watch: EndWatch) -> None:
    """Its processes on this host. And the shim, if that does not notice."""
    if member.record.on_host:
        await asyncio.to_thread(cgroup.kill_all, member.host.cgroups, member.bundle.cgroup)
    if not await watch.ends_within(END_S / 2):
        log.warning("a shim is killed, it does not see its container's end: id=%s", member.bundle.id[:12])
        member.host.pods.kill(member.record.pod)
        await watch.ends_within(BURIAL_S)


async def delete(member: ShimMember, watch: EndWatch) -> None:
    """Have the container deleted, by its shim or without it. Its cgroup stays."""
    if not await _delete_by_shim(member, watch):
        member.host.pods.kill(member.record.pod)
        await member.host.launcher.delete(member.bundle.id, member.bundle.directory)


async def _delete_by_shim(member: ShimMember, watch: EndWatch) -> bool:
    """Whether nothing is left of it for the shim to do. One that hangs is not asked again."""
    await member.rejoin()
    if member.shim is None or member.hangs:
        return member.shim is None and member.is_new
    try:
        await _kill_and_delete(member, watch)
    except NotFound:
        if member.interrupted:
            await member.host.launcher.delete(member.bundle.id, member.bundle.directory)
    except PodwrightError as failure:
        log.warning("a shim does not delete a container: id=%s error=%s", member.bundle.id[:12], failure)
        return False
    return True


async def _kill_and_delete(member: ShimMember, watch: EndWatch) -> None:
    calls = member.calls
    if not watch.is_over:
        with contextlib.suppress(RuntimeFailed, FailedPrecondition):  # it has ended
            await calls.kill(member.bundle.id, signal.SIGKILL)
        watch.begin()
        await watch.ends_within(END_S)
    await calls.delete(member.bundle.id)
