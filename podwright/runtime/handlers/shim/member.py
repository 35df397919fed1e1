"""A container as a member of its pod's shim: calls of the shim, and what is known of the container's process."""

from __future__ import annotations

import msgspec

from podwright.errors import FailedPrecondition, NotFound, RuntimeFailed, Unavailable
from podwright.linux.cgroup import CgroupHost
from podwright.runtime.handlers.protocol import Bundle, TaskState, TaskStatus
from podwright.runtime.handlers.shim import ending
from podwright.runtime.handlers.shim.api import shim_pb2 as pb
from podwright.runtime.handlers.shim.calls import ShimCalls
from podwright.runtime.handlers.shim.events import Events
from podwright.runtime.handlers.shim.launching import Launcher
from podwright.runtime.handlers.shim.logs import LogWriterProcess
from podwright.runtime.handlers.shim.options import ShimRuntimeOptions
from podwright.runtime.handlers.shim.pods import PodShim, PodShims
from podwright.runtime.handlers.shim.record import ShimRecord

STATES = {
    pb.STATUS_CREATED: TaskState.CREATED,
    pb.STATUS_RUNNING: TaskState.RUNNING,
    pb.STATUS_PAUSED: TaskState.RUNNING,
    pb.STATUS_PAUSING: TaskState.RUNNING,
    pb.STATUS_STOPPED: TaskState.STOPPED,
}


class ShimHost(msgspec.Struct, frozen=True, kw_only=True):
    """What the tasks of one handler work with."""

    name: str
    cgroups: CgroupHost
    pods: PodShims
    launcher: Launcher
    logs: LogWriterProcess
    events: Events
    options: ShimRuntimeOptions


class ShimMember:
    """One container. The parts of its task share it."""

    def __init__(self, host: ShimHost, bundle: Bundle, record: ShimRecord, shim: PodShim | None) -> None:
        """`shim` is the pod's, if it is there already."""
        self.host = host
        self.bundle = bundle
        self.record = record
        self.shim = shim
        self.interrupted = False  # whether the shim has carried out the create is not known

    @property
    def calls(self) -> ShimCalls:
        """Raises FailedPrecondition when the shim is gone."""
        if self.shim is None or self.shim.is_lost:
            raise FailedPrecondition(f"the shim of container {self.bundle.id[:12]} is gone")
        return self.shim.calls

    @property
    def is_new(self) -> bool:
        """Whether no shim was ever called for it."""
        return not self.record.path and not self.interrupted

    @property
    def hangs(self) -> bool:
        """Whether its shim did not answer in time. It is not called again for what can be done without it."""
        return self.shim is not None and self.shim.calls.hangs

    def note_hang(self) -> None:
        """It did not answer in time."""
        if self.shim is not None:
            self.shim.calls.hangs = True

    async def join(self) -> None:
        """Join the pod's shim, which is started if there is none. Raises what `PodShims.join` raises."""
        shim = self.shim = await self.host.pods.join(self.record.pod, self.bundle.id)
        self.record = msgspec.structs.replace(
            self.record, path=shim.address.path, version=shim.address.version, shim_pid=shim.pid
        )

    async def rejoin(self) -> None:
        """Join the shim of a killed daemon again, if it is not known here and still there."""
        if self.shim is None:
            self.shim = await self.host.pods.rejoin(self.record.pod, self.bundle.id)

    def learn_process(self, pid: int) -> None:
        """Find out whether the shim's PID is a process of this container on this host. (In a VM it is not.)

        Once true it stays true: the process may have ended since.
        """
        known = self.record.on_host and pid == self.record.pid
        on_host = known or (pid > 0 and ending.is_in_cgroup(self.host.cgroups, self.bundle.cgroup, pid))
        self.record = msgspec.structs.replace(self.record, pid=pid, on_host=on_host)

    async def status(self) -> TaskStatus:
        """As Task.status."""
        try:
            state = await self.calls.state(self.bundle.id)
        except (NotFound, FailedPrecondition, RuntimeFailed, Unavailable):
            return TaskStatus(state=TaskState.NONE)
        found = STATES.get(state.status, TaskState.NONE)
        if found is TaskState.RUNNING and state.pid:
            self.learn_process(state.pid)
        return TaskStatus(state=found, pid=self.record.pid if self.record.on_host else None)

    def kill_on_host(self, number: int) -> None:
        """Send a signal to its first process without the shim, if it is on this host."""
        ending.kill_on_host(self.host.cgroups, self.bundle, self.record, number)
