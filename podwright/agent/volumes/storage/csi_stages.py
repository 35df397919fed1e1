"""Stages CSI volumes for all pods of the node, and unstages them after the last pod.

The state is on disk: vol_data.json beside a staged volume, and beside each pod's. While it holds the volume's turn, a
caller writes a pod's file, or looks for such files to unstage. So nothing is unstaged while a pod uses it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Awaitable, Callable
from functools import partial

from podwright.agent.csi.drivers import CsiDrivers
from podwright.agent.csi.values import CsiFailed, DriverCapability
from podwright.agent.metrics.volumes import UNMAP_DEVICE, UNMOUNT_DEVICE
from podwright.agent.volumes import trees
from podwright.agent.volumes.state import FIRST_PAUSE_S, LONGEST_PAUSE_S
from podwright.agent.volumes.storage import mounting, vol_data
from podwright.agent.volumes.storage.in_use import NODE, VolumesInUse
from podwright.agent.volumes.storage.plans import CsiPlaces, csi_plugin
from podwright.agent.volumes.storage.turns import Turns
from podwright.agent.volumes.storage.vol_data import StagedVolume
from podwright.agent.volumes.threads import Work
from podwright.agent.volumes.timing import OperationTimes
from podwright.errors import FailedPrecondition, PodwrightError
from podwright.linux import detached, openat2
from podwright.tasks import Tasks

log = logging.getLogger(__name__)

DIRECTORY_MODE = 0o750


class Stages:
    """Stages and unstages volumes, one call at a time for each. `root` is the agent's root directory."""

    def __init__(
        self, root: str, work: Work, drivers: CsiDrivers, in_use: VolumesInUse, times: OperationTimes
    ) -> None:
        self._root = root
        self._work = work
        self._drivers = drivers
        self._in_use = in_use
        self._times = times
        self._turns = Turns()
        self._done: set[str] = set()  # paths of volumes that are staged
        self._unstaging: set[str] = set()
        self._tasks = Tasks()

    async def close(self) -> None:
        """Stop unstaging."""
        await self._tasks.close()

    async def stage(
        self,
        staged: StagedVolume,
        data: dict[str, str],
        call: Callable[[], Awaitable[None]] | None,
        note: Callable[[], None],
    ) -> None:
        """Stage the volume by `call` (None: the driver does not stage), then `note` on disk who uses it.

        `note` blocks. Raises CsiFailed, OSError, and FailedPrecondition if other pods have it with another SELinux
        label. After a final failure nothing is left.
        """
        async with self._turns.of(staged.path):
            await self._leave_other_label(staged, data.get(vol_data.LABEL, ""))
            if call is not None and staged.path not in self._done:
                if staged.volume is not None:
                    self._in_use.add(staged.volume, NODE)
                await self._work.run("", partial(_begin, staged, self._data_directory(staged), data))
                try:
                    await call()
                except CsiFailed as failure:
                    if failure.is_final:
                        await self._work.run("", partial(self._remove_unused, staged))
                    raise
                self._done.add(staged.path)
            await self._work.run("", note)

    async def collect(self) -> None:
        """Unstage unused volumes in the background, each until it succeeds. Raises OSError."""
        for staged in await self._work.run("", partial(_unused, self._root)):
            if staged.path not in self._unstaging and not self._is_wanted(staged):
                self._unstaging.add(staged.path)
                self._tasks.start(self._unstage(staged), name=f"unstage {staged.path}")

    def _is_wanted(self, staged: StagedVolume) -> bool:
        """Whether a pod will use it soon."""
        return staged.volume is not None and self._in_use.has_pods(staged.volume)

    async def _unstage(self, staged: StagedVolume) -> None:
        pause_s, last = FIRST_PAUSE_S, ""
        try:
            while True:
                try:
                    await self._try_unstage(staged)
                except (PodwrightError, OSError) as failure:
                    if str(failure) != last:
                        log.warning("a volume cannot be unstaged yet: path=%s error=%s", staged.path, failure)
                    last = str(failure)
                else:
                    return
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        finally:
            self._unstaging.discard(staged.path)

    async def _try_unstage(self, staged: StagedVolume) -> None:
        """Unstage the volume, unless a pod uses it again."""
        async with self._turns.of(staged.path):
            if self._is_wanted(staged) or await self._work.run("", partial(self._is_used, staged)):
                return
            await self._unstage_in_turn(staged)

    async def _unstage_in_turn(self, staged: StagedVolume) -> None:
        driver = staged.volume.driver if staged.volume is not None else ""
        with self._times.of((csi_plugin(driver), UNMAP_DEVICE if staged.name else UNMOUNT_DEVICE)):
            await self._unstage_now(staged)

    async def _unstage_now(self, staged: StagedVolume) -> None:
        if staged.volume is not None and await self._work.run("", partial(os.path.lexists, staged.path)):
            node = self._drivers.node(staged.volume.driver)
            if DriverCapability.STAGE_UNSTAGE_VOLUME in await node.capabilities():
                self._done.discard(staged.path)
                await node.unstage(staged.volume.handle, staged.path)
        self._done.discard(staged.path)
        await self._work.run("", partial(self._remove, staged))
        if staged.volume is not None:
            self._in_use.drop(staged.volume, NODE)
        log.info("a volume is unstaged: path=%s", staged.path)

    async def _leave_other_label(self, staged: StagedVolume, wanted: str) -> None:
        """Unstage an unused volume with another SELinux label.

        A mount has one label. Raises FailedPrecondition if pods use the volume with the other one.
        """
        if not await self._work.run("", partial(mounting.is_mounted, staged.path)):
            return
        label = await self._work.run("", partial(vol_data.label, self._data_directory(staged)))
        if label == wanted:
            return
        if await self._work.run("", partial(self._is_used, staged)):
            raise FailedPrecondition(f'conflicting SELinux labels of the volume: "{label}" and "{wanted}"')
        await self._unstage_in_turn(staged)

    # -- blocking

    def _is_used(self, staged: StagedVolume) -> bool:
        is_there = os.path.lexists(self._data_directory(staged))
        return is_there and staged.path not in {each.path for each in _unused(self._root)}

    def _data_directory(self, staged: StagedVolume) -> str:
        if staged.name:
            return f"{CsiPlaces(self._root).block(staged.name)}/data"
        return os.path.dirname(staged.path)

    def _remove_unused(self, staged: StagedVolume) -> None:
        """Clean up after a final failure, unless a mount is left, which the next attempt uses."""
        if staged.volume is not None and not self._is_used(staged) and not mounting.is_mounted(staged.path):
            self._remove(staged)
            self._in_use.drop(staged.volume, NODE)

    def _remove(self, staged: StagedVolume) -> None:
        """Remove the files of an unstaged volume, and its mount if the driver is unknown.

        Raises FailedPrecondition if the driver left its mount behind.
        """
        if staged.volume is None and mounting.is_mounted(staged.path):
            log.warning(
                "a staged volume without a readable record is unmounted: record=%s path=%s", vol_data.FILE, staged.path
            )
            detached.detach(staged.path)
        if mounting.is_mounted(staged.path):
            raise FailedPrecondition(f"{staged.path} is still mounted", hint="the CSI driver has to unmount it")
        if not staged.name:
            with contextlib.suppress(FileNotFoundError):
                os.rmdir(staged.path)
            vol_data.remove(os.path.dirname(staged.path))
            return
        own = CsiPlaces(self._root)
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(os.path.dirname(own.block_published(staged.name, "-")))
        for path in (staged.path, own.block(staged.name)):
            with contextlib.suppress(FileNotFoundError), openat2.opened_root(os.path.dirname(path)) as parent:
                trees.delete(parent, os.path.basename(path))


def _begin(staged: StagedVolume, directory: str, data: dict[str, str]) -> None:
    os.makedirs(staged.path, mode=DIRECTORY_MODE, exist_ok=True)
    os.makedirs(directory, mode=DIRECTORY_MODE, exist_ok=True)
    vol_data.write(directory, data)


def _unused(root: str) -> list[StagedVolume]:
    """The staged volumes that no pod on disk uses."""
    staged = list(vol_data.staged(root))
    if not staged:
        return []
    found, own = list(vol_data.of_all_pods(root)), CsiPlaces(root)
    blocks = {each.name for each in found if each.is_block}
    used = {
        own.staged(each.volume.driver, each.volume.handle)
        for each in found
        if each.volume is not None and not each.is_block
    }
    return [each for each in staged if (each.name not in blocks if each.name else each.path not in used)]
