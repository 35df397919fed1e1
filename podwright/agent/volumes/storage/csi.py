"""CSI volumes: stages them for the node, publishes them for a pod, and undoes both (pkg/volume/csi of 1.36).

    attached -> vol_data.json beside the stage -> NodeStage -> vol_data.json in the pod -> NodePublish -> fsGroup
    NodeUnpublish -> the pod's vol_data.json goes -> no pod has it: NodeUnstage -> its vol_data.json goes

A file is written before a call of the driver, and removed after the call that undoes the first. So everything that a
killed agent or a silent driver leaves behind is found on disk and undone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Mapping
from functools import partial

import msgspec

from podwright.agent.csi.calls import CsiNode
from podwright.agent.csi.values import Capabilities, CsiFailed, DriverCapability, VolumeCall
from podwright.agent.pods.places import pod_directory
from podwright.agent.volumes import places
from podwright.agent.volumes.failures import FAILED_MAP, FAILED_MOUNT, StepFailed
from podwright.agent.volumes.ports import VolumePorts
from podwright.agent.volumes.remover import removal
from podwright.agent.volumes.storage import csi_inputs, devices, mounting, vol_data
from podwright.agent.volumes.storage.attach_limits import AttachLimits
from podwright.agent.volumes.storage.csi_stages import Stages
from podwright.agent.volumes.storage.expansion import DriverVolume, Expansion, wanted_growth
from podwright.agent.volumes.storage.groups import give_to_group
from podwright.agent.volumes.storage.in_use import NODE, VolumesInUse
from podwright.agent.volumes.storage.mapped import tell_mapped
from podwright.agent.volumes.storage.plans import CsiPlaces, CsiPlan, attachment_name, unique_name
from podwright.agent.volumes.storage.task import StorageTask
from podwright.agent.volumes.storage.vol_data import FoundVolume, StagedVolume
from podwright.agent.volumes.threads import Work
from podwright.agent.volumes.timing import OperationTimes
from podwright.errors import PodwrightError
from podwright.k8s.objects import CSIDriver, SecretReference
from podwright.linux import detached

log = logging.getLogger(__name__)

DIRECTORY_MODE = 0o750


class _CsiMount(msgspec.Struct, frozen=True, kw_only=True):
    """The inputs of one mount: the driver, its capabilities, the plan, and the attachment's data."""

    task: StorageTask
    plan: CsiPlan
    driver: CSIDriver | None
    node: CsiNode
    can: Capabilities
    context: Mapping[str, str]

    @property
    def stages(self) -> bool:
        return DriverCapability.STAGE_UNSTAGE_VOLUME in self.can and not self.plan.is_inline


class CsiStorage:
    """Volumes of CSI drivers. `root` is the agent's root directory. All methods may be repeated."""

    def __init__(self, ports: VolumePorts, root: str, work: Work) -> None:
        self._ports = ports
        self._root = root
        self._work = work
        self._places = CsiPlaces(root)
        self._in_use = VolumesInUse(ports.node.use_changed)
        self._stages = Stages(root, work, ports.drivers, self._in_use, OperationTimes(ports.clock, ports.metrics))
        self._expansion = Expansion(ports)
        self._limits = AttachLimits(ports)

    async def recover(self) -> None:
        """Find the volumes in use on disk. Raises OSError."""
        found, staged = await self._work.run("", partial(_on_disk, self._root))
        for each in found:
            if each.volume is not None and not each.is_inline:
                self._in_use.add(each.volume, each.uid)
        for one in staged:
            if one.volume is not None:
                self._in_use.add(one.volume, NODE)

    async def close(self) -> None:
        """End the work in progress."""
        await self._stages.close()

    def in_use(self) -> tuple[str, ...]:
        """The unique names of the attached volumes that are in use, sorted."""
        return tuple(
            sorted(
                unique_name(volume.driver, volume.handle)
                for volume in self._in_use.volumes()
                if self._is_attachable(volume.driver)
            )
        )

    def is_used_by(self, uid: str) -> bool:
        """Whether the pod uses a volume, or will soon."""
        return self._in_use.is_held_by(uid)

    async def is_over_limit(self, uid: str) -> bool:
        """Whether a volume that the pod waits for exceeds this node's limit."""
        return await self._limits.is_exceeded(uid)

    def _wants_again(self, plan: CsiPlan) -> bool:
        """Whether the driver wants to publish the volume periodically."""
        if plan.is_block:
            return False
        with contextlib.suppress(PodwrightError):
            driver = self._ports.storage.csi_driver(plan.driver)
            return driver is not None and bool(driver.spec.requires_republish)
        return False

    # -- mounting

    async def mount(self, task: StorageTask, plan: CsiPlan) -> None:
        """Mount the volume. A mounted one may need another publish, or have to grow.

        Raises PodwrightError and OSError.
        """
        if task.is_mounted:
            await self._follow(task, plan)
            return
        mount = await self._prepare_mount(task, plan)
        async with _step(plan, "SetUpDevice" if plan.is_block else "MountDevice"):
            await self._stage(mount)
        async with _step(plan, "MapPodDevice" if plan.is_block else "SetUp"):
            await self._publish(mount)
            if plan.is_block:
                published, folder = self._published_path(plan), f"{self._places.block(plan.name)}/dev"
                pin = partial(devices.pin_device, published, folder, plan.uid)
                if await self._work.run(plan.uid, pin):
                    tell_mapped(self._ports.events, task.pod, plan, folder)
            elif plan.group is not None and csi_inputs.changes_group(plan, mount.driver, mount.can):
                await give_to_group(self._work, self._ports.events, task.pod, plan.target, plan.group)
        await self._expansion.at_mount(task.pod, plan, self._driver_volume(mount))

    async def _follow(self, task: StorageTask, plan: CsiPlan) -> None:
        again = self._wants_again(plan)
        if not again and wanted_growth(plan) is None:
            return
        mount = await self._prepare_mount(task, plan)
        if again:
            async with _step(plan, "SetUp"):
                await self._publish(mount)
        await self._expansion.while_mounted(task.pod, plan, self._driver_volume(mount))

    def _driver_volume(self, mount: _CsiMount) -> DriverVolume:
        return DriverVolume(
            node=mount.node, can=mount.can, path=self._published_path(mount.plan), staged=self._staged_path(mount)
        )

    async def _prepare_mount(self, task: StorageTask, plan: CsiPlan) -> _CsiMount:
        async with _step(plan, "SetUp"):
            driver = self._ports.storage.csi_driver(plan.driver)
            csi_inputs.check_lifecycle(plan, driver)
        context: Mapping[str, str] = {}
        if not plan.is_inline:
            self._in_use.add(plan.stored, plan.uid)
            if csi_inputs.is_attachable(driver):
                context = await self._attached(task, plan)
        async with _step(plan, "SetUp"):
            node = self._ports.drivers.node(plan.driver)
            can = await node.capabilities()
        return _CsiMount(task=task, plan=plan, driver=driver, node=node, can=can, context=context)

    async def _attached(self, task: StorageTask, plan: CsiPlan) -> Mapping[str, str]:
        """Wait until the volume is attached to the node. Returns the attachment's data for the driver."""
        if not task.is_mounted:
            task.waiting(True)
            try:
                with self._limits.awaited(plan):
                    await self._ports.node.until_attached(plan.unique_name)
            finally:
                task.waiting(False)
        async with _step(plan, "WaitForAttach"):
            name = attachment_name(plan.driver, plan.handle, self._ports.node.name)
            return csi_inputs.checked_attachment(await self._ports.storage.attachment(name), plan.handle)

    async def _stage(self, mount: _CsiMount) -> None:
        plan = mount.plan
        staged = StagedVolume(volume=plan.stored, path=self._stage_path(plan), name=plan.name if plan.is_block else "")
        call = None
        if mount.stages:
            wanted = VolumeCall(
                handle=plan.handle,
                access=csi_inputs.access_of(plan, mount.can),
                publish_context=mount.context,
                attributes=plan.attributes,
                secrets=await self._secret(plan.stage_secret),
            )
            call = partial(mount.node.stage, wanted, staged.path, mount.can)
        node = self._ports.node.name
        data = csi_inputs.volume_data(plan, node) if plan.is_block else csi_inputs.staged_data(plan)
        await self._stages.stage(staged, data, call, partial(self._note, plan, node))

    def _note(self, plan: CsiPlan, node: str) -> None:
        """Write to disk that the pod uses the volume. Blocking."""
        data = csi_inputs.volume_data(plan, node)
        if plan.is_block:
            published = self._published_path(plan)
            directory = f"{self._places.block(plan.name)}/data"
            for path in (directory, os.path.dirname(published)):
                os.makedirs(path, mode=DIRECTORY_MODE, exist_ok=True)
            vol_data.write(directory, data)
            devices.link_device(published, plan.device_link)
            return
        directory = os.path.dirname(plan.target)
        os.makedirs(directory, mode=DIRECTORY_MODE, exist_ok=True)
        vol_data.write(directory, data)

    async def _publish(self, mount: _CsiMount) -> None:
        plan, driver = mount.plan, mount.driver
        secrets = await self._secret(plan.publish_secret)
        attributes = csi_inputs.attributes_of(plan, driver, mount.task.pod)
        if driver is not None and driver.spec.token_requests and not plan.is_block:
            tokens = await self._ports.storage.tokens(mount.task.pod, driver.spec.token_requests)
            is_secret = bool(driver.spec.service_account_token_in_secrets)
            (secrets if is_secret else attributes).update(csi_inputs.tokens_text(tokens))
        call = VolumeCall(
            handle=plan.handle,
            access=csi_inputs.access_of(plan, mount.can),
            publish_context=mount.context,
            attributes=attributes,
            secrets=secrets,
        )
        target, staged = self._published_path(plan), self._staged_path(mount)
        try:
            await mount.node.publish(call, target, mount.can, staged=staged, read_only=plan.read_only)
        except CsiFailed as failure:
            if failure.is_final and not mount.task.is_mounted:
                await self._work.run(plan.uid, partial(self._remove_published, plan))
            raise

    def _remove_published(self, plan: CsiPlan) -> None:
        """Clean up after a final failure, unless an earlier attempt left a mount behind. Blocking."""
        if plan.is_block:
            if not os.path.lexists(self._published_path(plan)):
                devices.unlink_device(plan.device_link)
        elif not mounting.is_mounted(plan.target):
            _remove_target(plan.target)

    def _published_path(self, plan: CsiPlan) -> str:
        return self._places.block_published(plan.name, plan.uid) if plan.is_block else plan.target

    def _stage_path(self, plan: CsiPlan) -> str:
        return self._places.block_staged(plan.name) if plan.is_block else self._places.staged(plan.driver, plan.handle)

    def _staged_path(self, mount: _CsiMount) -> str:
        """The path at which the volume is staged. Empty for a driver that does not stage."""
        return self._stage_path(mount.plan) if mount.stages else ""

    async def _secret(self, reference: SecretReference | None) -> dict[str, str]:
        if reference is None:
            return {}
        return await self._ports.storage.secret(reference.namespace, reference.name)

    def _is_attachable(self, driver: str) -> bool:
        try:
            return csi_inputs.is_attachable(self._ports.storage.csi_driver(driver))
        except PodwrightError:
            return True  # unknown counts as yes

    # -- removal

    async def clear(self, uid: str) -> None:
        """Unpublish all volumes of a pod. Tries everything, then raises the first failure."""
        found = await self._work.run(removal(uid), partial(vol_data.of_pod, self._root, uid))
        outcomes = await asyncio.gather(*(self._unpublish(each) for each in found), return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome
        if self._in_use.drop_all(uid) or found:
            await self._stages.collect()

    async def collect(self) -> None:
        """Unstage the volumes that no pod uses. Raises PodwrightError and OSError."""
        await self._stages.collect()

    async def _unpublish(self, found: FoundVolume) -> None:
        pod = pod_directory(self._root, found.uid)
        if found.is_block:
            target = self._places.block_published(found.name, found.uid)
            unpin = partial(devices.unpin_device, f"{self._places.block(found.name)}/dev", found.uid)
            await self._work.run(removal(found.uid), unpin)
        else:
            target = f"{places.volume_directory(pod, places.CSI, found.name)}/{places.CSI_MOUNT}"
        if found.volume is None:
            log.warning(
                "a CSI volume without a readable record is unmounted: record=%s path=%s", vol_data.FILE, target
            )
        else:
            node = self._ports.drivers.node(found.volume.driver)
            await node.unpublish(found.volume.handle, target)
        link = places.device_link(pod, places.CSI, found.name) if found.is_block else ""
        await self._work.run(removal(found.uid), partial(_remove, target, link))


@contextlib.asynccontextmanager
async def _step(plan: CsiPlan, step: str) -> AsyncIterator[None]:
    """Raise StepFailed for failures in the block, with the kubelet's name of the step."""
    try:
        yield
    except StepFailed:
        raise
    except (PodwrightError, OSError) as failure:
        whole = f"{'MapVolume' if plan.is_block else 'MountVolume'}.{step} failed"
        reason = FAILED_MAP if plan.is_block else FAILED_MOUNT
        raise StepFailed(whole, plan.name, str(failure), reason=reason) from failure


def _remove(target: str, link: str) -> None:
    """Remove what is left after the driver's call. Blocking."""
    if mounting.is_mounted(target):
        detached.detach(target)
    if not link:
        _remove_target(target)
        return
    with contextlib.suppress(OSError):
        os.unlink(target)  # the driver should remove it, and some do not
    devices.unlink_device(link)


def _remove_target(target: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.rmdir(target)
    vol_data.remove(os.path.dirname(target))


def _on_disk(root: str) -> tuple[list[FoundVolume], list[StagedVolume]]:
    return list(vol_data.of_all_pods(root)), list(vol_data.staged(root))
