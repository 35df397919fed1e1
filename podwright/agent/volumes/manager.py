"""The volume manager: keeps the volumes of each pod up to date with the pod and its objects.

Each pass of a pod's worker makes the pod's volumes due, and waits for them. A task for each volume sets it up, and
tries again after a failure with growing pauses. A running pod sees a changed ConfigMap or Secret after its next pass,
as on a kubelet.

    set_pod -> due -> plugin.plan -> setup (a thread) -> mounted -> wait_mounted returns
                ^                        | failure: event FailedMount, pause
                +------------------------+
    release, retain -> tasks end -> teardown (a thread) -> nothing is left

After a restart of the agent, volumes on disk count as present but not as mounted. They are verified when their pod is
set, and removed if `retain` does not name their pod. The verification changes only what is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from functools import partial

from podwright.agent.metrics.volumes import UNMAP, UNMOUNT
from podwright.agent.pods.places import is_uid, pod_directory, pods_directory
from podwright.agent.volumes import places
from podwright.agent.volumes.failures import AttachLimitExceeded
from podwright.agent.volumes.keeper import VolumeKeeper
from podwright.agent.volumes.messages import attach_limit_reached, not_mounted
from podwright.agent.volumes.plans import MountedVolume
from podwright.agent.volumes.plugins.registry import Plugins, plugin_name
from podwright.agent.volumes.ports import VolumePorts
from podwright.agent.volumes.remover import Remover, removal
from podwright.agent.volumes.shared_root import make_shared
from podwright.agent.volumes.state import PodVolumes, VolumeState
from podwright.agent.volumes.storage.service import Storage
from podwright.agent.volumes.subpaths import bind_subpath
from podwright.agent.volumes.teardown import has_volumes, remove_pod, remove_volumes, unmount_subpaths
from podwright.agent.volumes.threads import Threads, Work
from podwright.agent.volumes.timing import Operation, OperationTimes
from podwright.agent.volumes.used import used_volumes
from podwright.errors import DeadlineExceeded, FailedPrecondition, PodwrightError, Unavailable, Unimplemented
from podwright.k8s.objects import Pod, Volume

log = logging.getLogger(__name__)

# The kubelet's limit. It is an odd number so that people recognise it in logs.
WAIT_LIMIT_S = 123.0
LATE = "context deadline exceeded"  # the kubelet's text
ORPHAN_LIMIT_S = 10.0  # `retain` is called again soon
ROOT_MODE = 0o750


class VolumeManager:
    """Keeps the volumes of all pods. Implements `workers.ports.Volumes`."""

    def __init__(self, ports: VolumePorts, root: str, work: Work | None = None) -> None:
        """`root` is the agent's root directory. `work` runs blocking calls, by default in threads."""
        self._root = os.path.realpath(root)
        self._work = work or Threads()
        self._plugins = Plugins(ports)
        self._clock = ports.clock
        self._times = OperationTimes(ports.clock, ports.metrics)
        self._storage = Storage(ports, self._root, self._work)
        self._remover = Remover(self._root, self._work, self._clear)
        self._keeper = VolumeKeeper(ports, self._root, self._work, self._remover, self._storage)
        self._pods: dict[str, PodVolumes] = {}
        self._on_disk: set[str] = set()  # pods that have, or may have, something on disk
        self._has_shared = True  # whether something that pods share may be left on disk
        ports.drivers.listen(self._driver_has_come)
        ports.cluster.listen(self._certificates_changed)

    async def recover(self) -> None:
        """Make the root directory ready, and find the pods that have volumes on disk. Raises OSError."""
        self._on_disk |= await self._work.run("", partial(_recover, self._root))
        await self._storage.recover()

    async def close(self) -> None:
        """Stop working on volumes. Those that are mounted stay mounted."""
        await self._keeper.close()
        await self._storage.close()

    def set_pod(self, pod: Pod) -> None:
        """Set up the volumes of this version of the pod, and keep them up to date until it is released."""
        uid = pod.metadata.uid
        volumes = self._pods.setdefault(uid, PodVolumes(pod))
        is_new = volumes.pod is not pod
        volumes.pod = pod
        volumes.refused = {}
        for volume in used_volumes(pod):
            if volume.name not in volumes.states:
                try:
                    volumes.states[volume.name] = self._new(volume)
                except Unimplemented as failure:
                    volumes.refused[volume.name] = str(failure)
                    continue
            state = volumes.states[volume.name]
            if state.may_change:
                self._on_disk.add(uid)
                was_unprocessed, state.is_unprocessed = state.is_unprocessed, False
                self._keeper.look_at(volumes, state, hurry=is_new or was_unprocessed)

    def _new(self, volume: Volume) -> VolumeState:
        plugin = self._plugins.of(volume)
        now = self._clock.monotonic()
        return VolumeState(volume=volume, plugin=plugin, operated_by=plugin_name(volume), wanted_at=now)

    async def wait_mounted(self, pod: Pod) -> None:
        """Set the pod, and wait until its containers' volumes are mounted.

        After WAIT_LIMIT_S raises AttachLimitExceeded if a volume exceeds the node's limit, else DeadlineExceeded,
        which names the missing volumes with reasons. Raises at once: Unimplemented for an unknown kind of volume,
        Unavailable if a volume cannot be planned, FailedPrecondition if the pod is released meanwhile.
        """
        self.set_pod(pod)
        volumes = self._pods[pod.metadata.uid]
        if volumes.refused:
            raise Unimplemented(_problem(volumes, "no volume plugin matched"))
        try:
            async with asyncio.timeout(WAIT_LIMIT_S):
                await volumes.until(lambda: volumes.is_over or not volumes.missing() or bool(volumes.unprocessed()))
        except TimeoutError:
            if await self._storage.is_over_limit(pod.metadata.uid):
                raise AttachLimitExceeded(_over_limit(volumes)) from None
            raise DeadlineExceeded(_problem(volumes, LATE)) from None
        if volumes.is_over:
            raise FailedPrecondition(f"the volumes of pod {pod.metadata.name} are being removed", hint="the pod ends")
        if unknown := volumes.unprocessed():
            raise Unavailable(_problem(volumes, next(iter(unknown.values()))))

    def mounted(self, uid: str) -> Mapping[str, MountedVolume]:
        """The mounted volumes of a pod, by name."""
        volumes = self._pods.get(uid)
        return volumes.mounted if volumes is not None else {}

    def counts(self) -> tuple[Counter[str], Counter[str]]:
        """The numbers of volumes that are wanted and mounted, each by plug-in."""
        states = [state for volumes in self._pods.values() for state in volumes.states.values()]
        wanted = Counter(state.operated_by for state in states)
        return wanted, Counter(state.operated_by for state in states if state.mounted is not None)

    def in_use(self) -> tuple[str, ...]:
        """The attached volumes that this node uses, by the names that the node's status gives them."""
        return self._storage.in_use()

    def _driver_has_come(self, driver: str) -> None:
        """Try again at once to set up volumes of the driver, which was missing."""
        log.info("a CSI driver has registered: driver=%s", driver)
        for volumes in self._pods.values():
            for state in volumes.states.values():
                if state.mounted is None and driver in state.failure:
                    state.hurry.set()

    def _certificates_changed(self, uid: str) -> None:
        """Update the pod's projected volumes, whose certificates have changed."""
        if (volumes := self._pods.get(uid)) is not None:
            for state in volumes.states.values():
                if state.may_change and state.volume.projected is not None:
                    self._keeper.look_at(volumes, state, hurry=True)

    async def _clear(self, uid: str) -> None:
        """Remove what must be removed before the files of a pod's volumes."""
        if self._storage.has_left(uid):
            await self._work.run(removal(uid), partial(unmount_subpaths, pod_directory(self._root, uid)))
            await self._storage.clear(uid)
            self._has_shared = True

    def has_volumes(self, uid: str) -> bool:
        """Whether a pod has volumes, or may have some on disk."""
        return uid in self._on_disk

    async def bind_subpath(self, pod: Pod, volume: str, subpath: str, *, container: str, index: int) -> str:
        """Bind a subPath for the container's volume mount number `index`. Returns the path to mount instead.

        Raises InvalidArgument for an absolute path or one with `..`. Other failures are FailedPrecondition without
        details, which are in the log: they could show a pod something of this machine's files.
        """
        uid = pod.metadata.uid
        mounted = self.mounted(uid).get(volume)
        if mounted is None or mounted.image:
            message = f'cannot find volume "{volume}" to mount into container "{container}"'
            raise FailedPrecondition(message, hint="wait until the pod's volumes are mounted")
        name = mounted.spec_name or volume
        target = places.subpath_target(pod_directory(self._root, uid), name, container, index)
        try:
            await self._work.run(uid, partial(bind_subpath, mounted.path, subpath, target))
        except OSError as failure:
            log.warning(
                "a subPath cannot be used: pod=%s volume=%s subpath=%r error=%s", uid, volume, subpath, failure
            )
            message = f'failed to prepare subPath for volumeMount "{volume}" of container "{container}"'
            raise FailedPrecondition(message, hint="the agent's log has the reason") from failure
        return target

    async def release(self, pod: Pod) -> None:
        """Unmount and remove the pod's volumes. Its other files stay until `retain` removes its directory.

        Returns when nothing is left. After WAIT_LIMIT_S raises DeadlineExceeded, which names what is left.
        """
        uid = pod.metadata.uid
        if (volumes := self._pods.pop(uid, None)) is not None:
            await self._keeper.stop(volumes)
        with self._times.of(*_unmounts(volumes)):
            await self._remover.remove(uid, remove_volumes, WAIT_LIMIT_S)
        self._on_disk.discard(uid)
        await self._collect()

    async def retain(self, uids: Collection[str]) -> None:
        """Remove the directories and volumes of all pods except these and those that are set.

        Called after every source of pods has been read, and again when pods go. If a pod's volumes cannot be removed
        in ORPHAN_LIMIT_S, that is logged, and the next call tries again. Raises OSError when the directory of all pods
        cannot be read.
        """
        found = await self._work.run("", partial(_pods_on_disk, self._root))
        gone = [uid for uid in found if uid not in uids]
        await asyncio.gather(*(self._remove_orphan(uid) for uid in gone))
        await self._collect()

    async def _collect(self) -> None:
        """Remove what pods shared and no pod uses any more."""
        if self._has_shared:
            await self._storage.collect()
            self._has_shared = False

    async def _remove_orphan(self, uid: str) -> None:
        if uid in self._pods or self._remover.is_removing(uid):
            return
        try:
            await self._remover.remove(uid, remove_pod, ORPHAN_LIMIT_S)
        except PodwrightError as failure:
            log.warning("the directory of a pod that is gone stays: uid=%s error=%s", uid, failure)
        else:
            self._on_disk.discard(uid)


def _unmounts(volumes: PodVolumes | None) -> Iterator[Operation]:
    """The operations that the removal of a pod's volumes counts as."""
    for state in volumes.states.values() if volumes is not None else ():
        if state.mounted is not None:
            yield state.operated_by, UNMAP if state.mounted.is_block else UNMOUNT


def _over_limit(volumes: PodVolumes) -> str:
    return attach_limit_reached(volumes.missing(), volumes.unattached(), volumes.unprocessed(), LATE)


def _problem(volumes: PodVolumes, problem: str) -> str:
    return not_mounted(volumes.missing(), volumes.unattached(), volumes.unprocessed(), volumes.why(), problem)


def _recover(root: str) -> set[str]:
    for path in (root, pods_directory(root)):
        os.makedirs(path, mode=ROOT_MODE, exist_ok=True)
    make_shared(root)
    return {uid for uid in _pods_on_disk(root) if has_volumes(pod_directory(root, uid))}


def _pods_on_disk(root: str) -> list[str]:
    try:
        with os.scandir(pods_directory(root)) as entries:
            return [entry.name for entry in entries if is_uid(entry.name) and entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
