"""Pauses and limits of a container that a shim holds, on this host or in a virtual machine."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import msgspec

from podwright.errors import FailedPrecondition, NotFound, RuntimeFailed
from podwright.linux import cgroup, freezer
from podwright.runtime.handlers.processes import limits
from podwright.runtime.handlers.protocol import TaskState
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.bootstrap import packed_json
from podwright.runtime.handlers.shim.member import ShimMember
from podwright.runtime.model.base import Resources
from podwright.runtime.oci_spec import resources

RESOURCES_TYPE = "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"


class Limiting:
    """The pauses and limits of one container. Its methods are those of Task."""

    def __init__(self, member: ShimMember, *, may_be_paused: bool) -> None:
        self._member = member
        self.may_be_paused = may_be_paused

    async def pause(self) -> None:
        if await self.is_paused():
            return
        member = self._member
        self.may_be_paused = True
        try:
            await member.calls.pause(member.bundle.id)
        except (NotFound, RuntimeFailed) as failure:
            if (await member.status()).state is not TaskState.RUNNING:
                raise FailedPrecondition(f"container {member.bundle.id[:12]} has ended") from failure
            raise

    async def resume(self) -> None:
        if not await self.is_paused():
            return
        with contextlib.suppress(NotFound):
            await self._member.calls.resume(self._member.bundle.id)
        self.may_be_paused = False

    async def is_paused(self) -> bool:
        member = self._member
        if member.record.on_host:
            return freezer.is_frozen(member.host.cgroups, member.bundle.cgroup)
        try:
            return (await member.calls.state(member.bundle.id)).status == pb.STATUS_PAUSED
        except (NotFound, FailedPrecondition):
            return False

    def held_memory_bytes(self) -> int | None:
        member = self._member
        if not member.record.on_host:
            return None
        return cgroup.memory_held_bytes(member.host.cgroups, member.bundle.cgroup)

    def update(self, before: Resources, now: Resources) -> AbstractAsyncContextManager[None]:
        member = self._member
        if member.record.on_host:
            return limits.updated(member.host.cgroups, member.bundle, before, now, self._set_limits)
        return self._updated(before, now)

    async def _set_limits(self, wanted: Resources) -> None:
        document = msgspec.json.encode(resources.oci_resources(wanted))
        await self._member.calls.update(self._member.bundle.id, packed_json(RESOURCES_TYPE, document))

    @contextlib.asynccontextmanager
    async def _updated(self, before: Resources, now: Resources) -> AsyncIterator[None]:
        await self._set_limits(now)
        try:
            yield
        except BaseException:
            await asyncio.shield(self._set_limits(before))
            raise
