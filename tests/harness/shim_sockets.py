"""Kills a peer's process. A containerd shim that is killed leaves its socket, in a directory that all containerds
share: it is removed with the process.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path

DIRECTORY = Path("/run/containerd/s")
OPTIONS = ("-address", "-namespace", "-id")


def kill(pid: int) -> None:
    """SIGKILL, unless it has ended."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, FileNotFoundError):
        return
    if "containerd-shim" in words[0] and set(OPTIONS) <= set(words):
        with contextlib.suppress(FileNotFoundError):
            socket_of(words).unlink()


def socket_of(words: Sequence[str]) -> Path:
    """The socket of the shim with this command line (containerd: pkg/shim, SocketAddress)."""
    identity = "/".join(words[words.index(option) + 1] for option in OPTIONS)
    return DIRECTORY / hashlib.sha256(identity.encode()).hexdigest()
