"""NFS volumes, mounted by the machine's mount.nfs (pkg/volume/nfs of Kubernetes 1.36).

No call here touches the file system itself: while the server is away, it would hang.
"""

from __future__ import annotations

import ipaddress
import os
from functools import partial

from podwright.agent.volumes.failures import StepFailed
from podwright.agent.volumes.storage import mounting
from podwright.agent.volumes.storage.plans import NfsPlan
from podwright.agent.volumes.storage.task import StorageTask
from podwright.agent.volumes.threads import Work
from podwright.errors import FailedPrecondition, InvalidArgument, PodwrightError
from podwright.process import Command, ProcessRunner, find_executable

PROGRAM = "mount.nfs"
TIMEOUT_S = 110.0  # less than a pod waits for its volumes


class NfsStorage:
    """Mounts NFS volumes by mount.nfs."""

    def __init__(self, work: Work, runner: ProcessRunner) -> None:
        self._work = work
        self._runner = runner

    async def mount(self, task: StorageTask, plan: NfsPlan) -> None:
        """Mount the volume. Its removal needs no more than an unmount. Raises StepFailed."""
        if task.is_mounted:
            return
        try:
            await self._mount(plan)
        except (PodwrightError, OSError) as failure:
            raise StepFailed("MountVolume.SetUp failed", plan.name, str(failure)) from failure

    async def _mount(self, plan: NfsPlan) -> None:
        target = plan.target
        if await self._work.run(plan.uid, partial(mounting.is_mounted, target)):
            return
        program = _program()
        await self._work.run(plan.uid, partial(os.makedirs, target, mode=mounting.DIRECTORY_MODE, exist_ok=True))
        options = ",".join([*plan.options, *(["ro"] if plan.read_only else [])])
        argv = (program, source_of(plan), target, *(("-o", options) if options else ()))
        done = await self._runner.run(Command(argv=argv, timeout_s=TIMEOUT_S))
        if done.returncode != 0:
            await self._work.run(plan.uid, partial(mounting.unmount_directory, target))
            problem = done.stderr.decode(errors="replace").strip()[:1000]
            raise FailedPrecondition(f"mount failed: exit status {done.returncode}: {problem}")


def _program() -> str:
    try:
        return find_executable(PROGRAM)
    except FailedPrecondition as failure:
        raise FailedPrecondition(f"{PROGRAM} is not installed", hint="install nfs-common on the node") from failure


def source_of(plan: NfsPlan) -> str:
    """`server:/path` for mount.nfs. Raises InvalidArgument if mount.nfs would take it for an option."""
    if not plan.server or plan.server.startswith("-"):
        raise InvalidArgument(f"{plan.server!r} is not an NFS server")
    try:
        is_six = ipaddress.ip_address(plan.server).version == 6
    except ValueError:
        is_six = False
    return f"[{plan.server}]:{plan.path}" if is_six else f"{plan.server}:{plan.path}"
