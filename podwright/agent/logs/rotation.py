"""Rotates the logs of running containers that have grown too large.

It checks the sizes of logs of containers that the agent knows to run, without a call of the runtime.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import stat
from collections.abc import Callable, Iterable

import msgspec
from isal import isal_zlib

from podwright.agent.clock import Clock
from podwright.agent.logs.rotated import COMPRESSED, TEMPORARY, cleaning, rotated_name
from podwright.agent.runtime.protocol import CriRuntime
from podwright.agent.runtime.records import CriContainerStatus, ObservedPod
from podwright.errors import PodwrightError
from podwright.linux.files import remove_file

log = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
GZIP_BITS = 31  # zlib's number for a gzip header and the largest window


class LogLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The greatest size of a log, and the number of its files. `max_size_bytes` below 1: no rotation."""

    max_size_bytes: int = 10 << 20
    max_files: int = 5
    workers: int = 1
    period_s: float = 10.0


class LogRotator:
    """Checks the logs at a fixed period."""

    def __init__(
        self,
        runtime: CriRuntime,
        observed: Callable[[], Iterable[ObservedPod]],
        clock: Clock,
        limits: LogLimits,
    ) -> None:
        """`observed` returns the newest look at every pod."""
        self._runtime = runtime
        self._observed = observed
        self._clock = clock
        self._limits = limits
        self._turns = asyncio.Semaphore(max(limits.workers, 1))
        self._failures: dict[str, str] = {}  # by container, so that each failure is logged once

    async def run(self) -> None:
        """Check the logs every `period_s`. Returns only if rotation is off."""
        while self._limits.max_size_bytes > 0:
            await self.rotate_all()
            await asyncio.sleep(self._limits.period_s)

    async def rotate_all(self) -> None:
        """Rotate the logs that are too large. Failures are logged, and the next round tries again."""
        running = [status for pod in self._observed() for status in pod.running() if status.log_path]
        known = {status.id for status in running}
        self._failures = {each: text for each, text in self._failures.items() if each in known}
        work = [status for status in running if self._needs_work(status)]
        if work:
            await asyncio.gather(*(self._work(status) for status in work))

    def _needs_work(self, status: CriContainerStatus) -> bool:
        """Whether a log is too large, or absent: an agent was killed while rotating it, or somebody removed it."""
        try:
            found = os.stat(status.log_path, follow_symlinks=False)
        except FileNotFoundError:
            return True
        except OSError as failure:
            self._note(status, failure)
            return False
        return stat.S_ISREG(found.st_mode) and found.st_size >= self._limits.max_size_bytes

    async def _work(self, status: CriContainerStatus) -> None:
        try:
            async with self._turns:
                if os.path.exists(status.log_path):
                    await self._rotate(status)
                else:
                    await self._runtime.reopen_log(status.id)
        except (PodwrightError, OSError) as failure:
            self._note(status, failure)
        else:
            self._failures.pop(status.id, None)

    def _note(self, status: CriContainerStatus, failure: Exception) -> None:
        text = str(failure)
        if self._failures.get(status.id) != text:
            log.warning("cannot rotate a log: container=%s path=%s error=%s", status.id, status.log_path, text)
        self._failures[status.id] = text

    async def _rotate(self, status: CriContainerStatus) -> None:
        """Rotate a log.

        If the runtime does not reopen it, it gets its name back. Raises PodwrightError and OSError.
        """
        path = status.log_path
        await asyncio.to_thread(clean, path, self._limits.max_files)
        rotated = rotated_name(path, self._clock.now_ns())
        if os.path.exists(rotated) or os.path.exists(rotated + COMPRESSED):
            return  # it was already rotated in this second; the next round finds another name
        os.rename(path, rotated)
        try:
            await self._runtime.reopen_log(status.id)
        except PodwrightError:
            _give_name_back(rotated, path)
            raise


def _give_name_back(rotated: str, path: str) -> None:
    """Rename a log back, unless there is a new one, which the runtime may have made even if its answer was lost."""
    with contextlib.suppress(FileExistsError):
        os.link(rotated, path, follow_symlinks=False)
        os.unlink(rotated)


def clean(path: str, max_files: int) -> None:
    """Remove and compress the rotated parts of a log. Blocks. Raises OSError."""
    directory, _, name = path.rpartition("/")
    plan = cleaning([each for each in os.listdir(directory) if each.startswith(f"{name}.")], max_files)
    for each in plan.remove:
        remove_file(f"{directory}/{each}")
    for each in plan.compress:
        _compress(f"{directory}/{each}")


def _compress(path: str) -> None:
    """Compress a part. At any moment there is a complete file, compressed or not."""
    temporary = path + TEMPORARY
    try:
        with open(path, "rb") as source:
            mode = stat.S_IMODE(os.fstat(source.fileno()).st_mode)
            target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
            with open(target, "wb") as file:
                packer = isal_zlib.compressobj(wbits=GZIP_BITS)
                while chunk := source.read(CHUNK_BYTES):
                    file.write(packer.compress(chunk))
                file.write(packer.flush())
        os.rename(temporary, path + COMPRESSED)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise
    os.unlink(path)
