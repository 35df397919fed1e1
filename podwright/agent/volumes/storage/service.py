"""All kinds of storage for volumes whose data is outside of the pod."""

from __future__ import annotations

import os
from collections.abc import Callable

from podwright.agent.pods.places import pod_directory
from podwright.agent.volumes import places
from podwright.agent.volumes.failures import StepFailed
from podwright.agent.volumes.ports import VolumePorts
from podwright.agent.volumes.storage.binding import check_node
from podwright.agent.volumes.storage.csi import CsiStorage
from podwright.agent.volumes.storage.local import LocalStorage
from podwright.agent.volumes.storage.nfs import NfsStorage
from podwright.agent.volumes.storage.plans import CsiPlan, LocalPlan, NfsPlan, StoredPlan
from podwright.agent.volumes.storage.task import StorageTask
from podwright.agent.volumes.threads import Work
from podwright.errors import PodwrightError
from podwright.k8s.objects import PersistentVolume, Pod


class Storage:
    """Gives each volume to its kind of storage. `root` is the agent's root directory."""

    def __init__(self, ports: VolumePorts, root: str, work: Work) -> None:
        self._ports = ports
        self._root = root
        self._csi = CsiStorage(ports, root, work)
        self._local = LocalStorage(root, work, ports.runner, ports.events)
        self._nfs = NfsStorage(work, ports.runner)

    async def recover(self) -> None:
        """Find the volumes in use on disk. Raises OSError."""
        await self._csi.recover()

    async def close(self) -> None:
        """End the work in progress."""
        await self._csi.close()

    def in_use(self) -> tuple[str, ...]:
        """The unique names of the attached volumes that are in use, sorted."""
        return self._csi.in_use()

    async def mount(self, pod: Pod, plan: StoredPlan, *, is_mounted: bool, waiting: Callable[[bool], None]) -> None:
        """Mount the volume in the pod's directory. Raises StepFailed, and other PodwrightErrors."""
        task = StorageTask(pod=pod, is_mounted=is_mounted, waiting=waiting)
        if not is_mounted:
            self.check_node(plan.persistent, plan.name, is_block=plan.is_block)
        if isinstance(plan, CsiPlan):
            await self._csi.mount(task, plan)
        elif isinstance(plan, LocalPlan):
            await self._local.mount(task, plan)
        elif isinstance(plan, NfsPlan):
            await self._nfs.mount(task, plan)

    def check_node(self, volume: PersistentVolume | None, name: str, *, is_block: bool) -> None:
        """Raise StepFailed if the PersistentVolume cannot be reached from this node."""
        if volume is None:
            return
        node = self._ports.node
        try:
            check_node(volume, node.name, node.labels)
        except PodwrightError as failure:
            kind = "MapVolume" if is_block else "MountVolume"
            raise StepFailed(f"{kind}.NodeAffinity check failed", name, str(failure)) from failure

    async def is_over_limit(self, uid: str) -> bool:
        """Whether a volume that the pod waits for exceeds this node's limit."""
        return await self._csi.is_over_limit(uid)

    def has_left(self, uid: str) -> bool:
        """Whether `clear` or `collect` may have something to do for the pod, by a quick check of the disk."""
        pod = pod_directory(self._root, uid)
        kinds = (places.escaped(plugin) for plugin in (places.CSI, places.LOCAL))
        parts = (places.DEVICES, *(f"{places.VOLUMES}/{kind}" for kind in kinds))
        return self._csi.is_used_by(uid) or any(os.path.lexists(f"{pod}/{part}") for part in parts)

    async def clear(self, uid: str) -> None:
        """Remove what the pod has and what an unmount of everything below its directory leaves.

        Raises PodwrightError, OSError.
        """
        await self._csi.clear(uid)
        await self._local.clear(uid)

    async def collect(self) -> None:
        """Remove what pods shared and none uses any more. Raises PodwrightError and OSError."""
        await self._local.collect()
        await self._csi.collect()
