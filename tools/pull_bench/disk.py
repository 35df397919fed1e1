"""A filesystem of the bench's own: ext4 with a journal, as nodes have, in a file.

Without it a run would depend on what others do to the machine's filesystem, and on its own rounds before: an ext4
without a journal searches long for inodes that were not deleted lately.
"""

from __future__ import annotations

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

SIZE_BYTES = 16 << 30  # sparse


@contextlib.contextmanager
def private_disk() -> Iterator[Path]:
    """Mounted until the end of the context; the path is short because of sockets below it."""
    with tempfile.TemporaryDirectory(prefix="pwb-") as folder, contextlib.ExitStack() as stack:
        file, mountpoint = Path(folder, "image"), Path(folder, "d")
        mountpoint.mkdir()
        with file.open("wb") as image:
            image.truncate(SIZE_BYTES)
        # All tables now, not by the kernel in the background while we measure.
        _run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", str(file))
        device = _run("losetup", "--find", "--show", "--direct-io=on", str(file)).strip()
        stack.callback(_run, "losetup", "--detach", device)
        _run("mount", device, str(mountpoint))
        stack.callback(_run, "umount", "--recursive", str(mountpoint))  # Docker mounts inside
        yield mountpoint


def _run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout
