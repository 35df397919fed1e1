"""The two drivers that make cgroups: as directories (cgroupfs), or as slices by systemd."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from msgspec.structs import replace

from podwright.agent.resources import cgroupfs, slices
from podwright.agent.resources.limits import CgroupLimits
from podwright.errors import Internal
from podwright.linux import cgroup
from podwright.linux.cgroup import CgroupHost
from podwright.linux.files import replace_file
from podwright.process import Command, ProcessRunner

COMMAND_TIMEOUT_S = 20.0
KILL_TIMEOUT_S = 5.0


class CgroupDriver(Protocol):
    """Makes, limits and removes the cgroup at a path. All methods may raise PodwrightError and OSError."""

    async def make(self, path: str, limits: CgroupLimits) -> None:
        """Make the cgroup and its parents. An existing one gets the limits, too."""

    async def limit(self, path: str, limits: CgroupLimits) -> None:
        """Change the limits of an existing cgroup."""

    async def remove(self, path: str) -> None:
        """Kill what is left in the cgroup and remove it. An absent one succeeds."""


class CgroupfsDriver:
    """Makes cgroups as directories."""

    def __init__(self, host: CgroupHost) -> None:
        self._host = host

    async def make(self, path: str, limits: CgroupLimits) -> None:
        await _to_the_end(cgroupfs.make, self._host, path, limits)

    async def limit(self, path: str, limits: CgroupLimits) -> None:
        await _to_the_end(cgroupfs.set_limits, self._host, path, limits)

    async def remove(self, path: str) -> None:
        await _to_the_end(cgroupfs.remove, self._host, path)


class SystemdDriver:
    """Makes cgroups as slices by systemd, which removes directories of others.

    `control` is the directory of the settings that `set-property` makes.
    """

    def __init__(self, host: CgroupHost, runner: ProcessRunner, control: str = slices.CONTROL) -> None:
        self._host = host
        self._is_v2 = host.layout == "v2"
        self._runner = runner
        self._control = control
        self._files = CgroupfsDriver(host)

    async def make(self, path: str, limits: CgroupLimits) -> None:
        await asyncio.to_thread(self._keep_in_shutdown, path)
        await self._run(slices.make_commands(path, limits, is_v2=self._is_v2))
        await self._files.make(path, _as_set(limits))

    async def limit(self, path: str, limits: CgroupLimits) -> None:
        await self._run(slices.update_commands(path, limits, is_v2=self._is_v2))
        await self._files.limit(path, _as_set(limits))

    async def remove(self, path: str) -> None:
        """See CgroupDriver. Containers' scopes in the slice are stopped with it.

        Processes are killed first: systemd would wait 90 s for one that ignores SIGTERM.
        """
        await _to_the_end(self._kill, path)
        await self._run(slices.stop_commands(path))
        await asyncio.to_thread(shutil.rmtree, slices.drop_ins(path, self._control), ignore_errors=True)
        await self._files.remove(path)

    def _keep_in_shutdown(self, path: str) -> None:
        """Write `slices.DEPENDENCIES`, except for a running slice.

        systemd would report such a slice as changed on disk.
        """
        if cgroupfs.has_directory(self._host, path):
            return
        name, text = slices.DEPENDENCIES
        directory = slices.drop_ins(path, self._control)
        os.makedirs(directory, mode=0o755, exist_ok=True)
        replace_file(f"{directory}/{name}", text.encode(), mode=0o644)

    def _kill(self, path: str) -> None:
        """Kill the processes in the cgroup. The `remove` that follows reports a failure."""
        cgroup.kill_all(self._host, path, timeout_s=KILL_TIMEOUT_S)

    async def _run(self, commands: Iterable[tuple[str, ...]]) -> None:
        for argv in commands:
            completed = await self._runner.run(Command(argv=argv, timeout_s=COMMAND_TIMEOUT_S))
            if completed.returncode != 0:
                raise Internal(
                    f"{' '.join(argv)}: {completed.error_text()}", hint="set cgroupDriver to cgroupfs without systemd"
                )


async def _to_the_end(function: Callable[..., None], *args: Any) -> None:
    """Run the function in a thread, and wait for its end even if cancelled, so that no undo runs beside it."""
    work = asyncio.create_task(asyncio.to_thread(function, *args), name=f"cgroups: {function.__name__}")
    try:
        await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        if not work.cancelled():
            work.exception()  # the caller was cancelled: mark the failure as retrieved
        raise


def _as_set(limits: CgroupLimits) -> CgroupLimits:
    return replace(limits, cpu_quota_us=slices.rounded(limits))
