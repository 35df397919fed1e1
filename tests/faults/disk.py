"""A filesystem that is small enough to be filled."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

STEPS_BYTES = (1 << 20, 1 << 16, 1 << 12)


class SmallDisk:
    """An ext4 of `size_mib`, from an image file, mounted at `path` until `close`."""

    def __init__(self, folder: Path, size_mib: int = 32) -> None:
        folder.mkdir()
        image, self.path = folder / "image", folder / "disk"
        self.path.mkdir()
        with image.open("wb") as file:
            file.truncate(size_mib << 20)
        subprocess.run(["mkfs.ext4", "-q", "-b", "4096", "-m", "0", "-O", "^has_journal", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, self.path], check=True)
        self._ballast = self.path / "ballast"

    def fill(self) -> None:
        """Until not one block is left."""
        fd = os.open(self._ballast, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            for step in STEPS_BYTES:
                self._write_all(fd, bytes(step))
        finally:
            os.close(fd)

    @staticmethod
    def _write_all(fd: int, data: bytes) -> None:
        while True:
            try:
                os.write(fd, data)
                os.fsync(fd)
            except OSError as failure:
                if failure.errno == errno.ENOSPC:
                    return
                raise

    def free(self) -> None:
        """Somebody tidies up."""
        self._ballast.unlink(missing_ok=True)

    def used_bytes(self) -> int:
        """What is not free."""
        facts = os.statvfs(self.path)
        return (facts.f_blocks - facts.f_bfree) * facts.f_frsize

    def close(self) -> None:
        """Unmount."""
        subprocess.run(["umount", self.path], check=True)
