"""local PersistentVolumes: a directory or a block device of this machine (pkg/volume/local of Kubernetes 1.36).

A directory is bound into the pod's directory. A device with a filesystem is mounted once for all pods, below the
plug-in's own directory, and bound from there. A raw device is linked and pinned.
"""

from __future__ import annotations

import os
import stat
from functools import partial

from podwright.agent.events.recorder import EventRecorder
from podwright.agent.pods.places import pod_directory, pods_directory
from podwright.agent.volumes import places
from podwright.agent.volumes.failures import FAILED_MAP, StepFailed
from podwright.agent.volumes.remover import removal
from podwright.agent.volumes.storage import devices, mounting
from podwright.agent.volumes.storage.formatting import format_if_empty
from podwright.agent.volumes.storage.groups import give_to_group
from podwright.agent.volumes.storage.mapped import tell_mapped
from podwright.agent.volumes.storage.options import mount_flags
from podwright.agent.volumes.storage.plans import LocalPlan
from podwright.agent.volumes.storage.task import StorageTask
from podwright.agent.volumes.storage.turns import Turns
from podwright.agent.volumes.threads import Work
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.linux import detached, libc
from podwright.process import ProcessRunner

DIRECTORY_MODE = 0o750
PLUGIN = places.escaped(places.LOCAL)


class LocalStorage:
    """Local volumes. `root` is the agent's root directory. All methods may be repeated."""

    def __init__(self, root: str, work: Work, runner: ProcessRunner, events: EventRecorder) -> None:
        self._root = root
        self._work = work
        self._runner = runner
        self._events = events
        self._turns = Turns()
        self._mounts = f"{places.plugin_directory(root, places.LOCAL)}/mounts"
        self._maps = f"{root}/{places.PLUGINS}/{PLUGIN}/{places.DEVICES}"

    async def mount(self, task: StorageTask, plan: LocalPlan) -> None:
        """Mount the volume. Raises StepFailed."""
        if task.is_mounted:
            return
        async with self._turns.of(plan.name):
            if plan.is_block:
                try:
                    is_new = await self._work.run(plan.uid, partial(self._map, plan))
                except (PodwrightError, OSError) as failure:
                    raise StepFailed(
                        "MapVolume.MapPodDevice failed", plan.name, str(failure), reason=FAILED_MAP
                    ) from failure
                if is_new:
                    tell_mapped(self._events, task.pod, plan, f"{self._maps}/{plan.name}")
                return
            try:
                source = await self._source(plan)
            except (PodwrightError, OSError) as failure:
                raise StepFailed("MountVolume.MountDevice failed", plan.name, str(failure)) from failure
            try:
                await self._bind(task, plan, source)
            except (PodwrightError, OSError) as failure:
                raise StepFailed("MountVolume.SetUp failed", plan.name, str(failure)) from failure

    async def clear(self, uid: str) -> None:
        """Remove the devices of a pod, which are not mounts in its directory. Raises OSError."""
        await self._work.run(removal(uid), partial(self._unmap_all, uid))

    async def collect(self) -> None:
        """Unmount the filesystems of devices that no pod uses. Raises OSError."""
        for name in await self._work.run("", partial(_names, self._mounts)):
            async with self._turns.of(name):
                await self._work.run("", partial(self._unmount_unused, name))

    # -- filesystems

    async def _source(self, plan: LocalPlan) -> str:
        """The directory to bind."""
        mode = (await self._work.run(plan.uid, partial(os.stat, plan.path))).st_mode
        if stat.S_ISDIR(mode):
            return plan.path
        if not stat.S_ISBLK(mode):
            raise FailedPrecondition("only directory and block device are supported")
        mounted = f"{self._mounts}/{plan.name}"
        if not await self._work.run(plan.uid, partial(mounting.is_mounted, mounted)):
            await format_if_empty(self._runner, plan.path, plan.fs_type, read_only=plan.read_only)
            await self._work.run(plan.uid, partial(_mount_device, plan, mounted))
        return mounted

    async def _bind(self, task: StorageTask, plan: LocalPlan, source: str) -> None:
        if await self._work.run(plan.uid, partial(mounting.is_mounted, plan.target)):
            return
        others = await self._work.run(plan.uid, partial(self._targets, plan.name))
        if others and plan.group is not None:
            group = (await self._work.run(plan.uid, partial(os.stat, source))).st_gid
            if group != plan.group.group:
                message = (
                    f"The requested fsGroup is {plan.group.group}, but the volume {plan.name} has GID {group}. "
                    "The volume may not be shareable."
                )
                self._events.pod(task.pod, "Warning", "AlreadyMountedVolume", message)
        flags, _ = mount_flags(plan.options, read_only=plan.read_only)
        await self._work.run(plan.uid, partial(mounting.bind, source, plan.target, flags))
        # The first pod gives the volume to its group. Later pods do not change it.
        if plan.group is not None and not plan.read_only and not others:
            await give_to_group(self._work, self._events, task.pod, plan.target, plan.group)

    def _targets(self, name: str) -> list[str]:
        """The paths at which pods have the volume."""
        return mounting.targets_below(pods_directory(self._root), f"/{places.VOLUMES}/{PLUGIN}/{name}")

    def _unmount_unused(self, name: str) -> None:
        if not self._targets(name):
            mounting.unmount_directory(f"{self._mounts}/{name}")

    # -- devices

    def _map(self, plan: LocalPlan) -> bool:
        devices.link_device(plan.path, plan.device_link)
        return devices.pin_device(plan.path, f"{self._maps}/{plan.name}", plan.uid)

    def _unmap_all(self, uid: str) -> None:
        folder = f"{pod_directory(self._root, uid)}/{places.DEVICES}/{PLUGIN}"
        for name in _names(folder):
            devices.unpin_device(f"{self._maps}/{name}", uid)
            devices.unlink_device(f"{folder}/{name}")


def _mount_device(plan: LocalPlan, target: str) -> None:
    flags, data = mount_flags(plan.options, read_only=plan.read_only)
    os.makedirs(target, mode=DIRECTORY_MODE, exist_ok=True)
    try:
        libc.mount(plan.path, target, plan.fs_type, flags, data)
    except OSError as failure:
        detached.detach(target)
        os.rmdir(target)
        raise FailedPrecondition(
            f"local: failed to mount device {plan.path} at {target} (fstype: {plan.fs_type}), error {failure.strerror}"
        ) from failure


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except FileNotFoundError:
        return []
