"""Makes a filesystem on an empty block device, and checks an existing one. Never overwrites data.

The rules and the programs' options are those of k8s.io/mount-utils (SafeFormatAndMount).
"""

from __future__ import annotations

import re

from podwright.errors import FailedPrecondition
from podwright.process import Command, ProcessRunner, find_executable

TOOL_TIMEOUT_S = 600.0  # a large disk takes long
FS_TYPE = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
NOTHING_FOUND = 2  # blkid's exit code for a device without a signature
ERRORS_CORRECTED, ERRORS_LEFT = 1, 4  # fsck's


async def format_if_empty(runner: ProcessRunner, device: str, fs_type: str, *, read_only: bool) -> None:
    """Make or check the filesystem on the device.

    Raises FailedPrecondition if it fails or has another one, and OSError.
    """
    if FS_TYPE.fullmatch(fs_type) is None:
        raise FailedPrecondition(f"{fs_type!r} cannot be the name of a filesystem")
    found = await _signature(runner, device)
    if not found:
        if read_only:
            raise FailedPrecondition(
                f"cannot mount unformatted disk {device} as we are manipulating it in read-only mode"
            )
        await _make(runner, device, fs_type)
    elif found != fs_type:
        raise FailedPrecondition(f'failed to mount the volume as "{fs_type}", it already contains {found}')
    elif not read_only:
        await _check(runner, device)


async def _signature(runner: ProcessRunner, device: str) -> str:
    """The type of the data on the device. Empty if there is none."""
    argv = (find_executable("blkid"), "-p", "-s", "TYPE", "-s", "PTTYPE", "-o", "export", device)
    done = await runner.run(Command(argv=argv, timeout_s=TOOL_TIMEOUT_S))
    if done.returncode == NOTHING_FOUND:
        return ""
    if done.returncode != 0:
        raise FailedPrecondition(f"blkid cannot tell what is on {device}: {_text(done.stderr)}")
    values = dict(line.split("=", 1) for line in done.stdout.decode(errors="replace").splitlines() if "=" in line)
    return "unknown data, probably partitions" if values.get("PTTYPE") else values.get("TYPE", "unknown data")


async def _make(runner: ProcessRunner, device: str, fs_type: str) -> None:
    options: tuple[str, ...] = ("-F", "-m0") if fs_type in ("ext3", "ext4") else ("-f",) if fs_type == "xfs" else ()
    done = await runner.run(
        Command(argv=(find_executable(f"mkfs.{fs_type}"), *options, device), timeout_s=TOOL_TIMEOUT_S)
    )
    if done.returncode != 0:
        raise FailedPrecondition(f"format of disk {device} as {fs_type} failed: {_text(done.stderr)}")


async def _check(runner: ProcessRunner, device: str) -> None:
    done = await runner.run(Command(argv=(find_executable("fsck"), "-a", device), timeout_s=TOOL_TIMEOUT_S))
    if done.returncode == ERRORS_LEFT:
        raise FailedPrecondition(
            f"'fsck' found errors on device {device} but could not correct them: {_text(done.stdout)}"
        )


def _text(output: bytes) -> str:
    return output.decode(errors="replace").strip()[:500]
