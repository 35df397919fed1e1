"""Mounts an overlay and uses it like a container, in a mount namespace that ends with the test."""

from __future__ import annotations

import os
import shutil
import tempfile

from podwright.linux import libc
from podwright.linux.mount import MS_PRIVATE, MS_REC, Overlay, mount_overlay
from podwright.linux.namespaces import CLONE_NEWNS, in_thread


def try_overlay(parent: str) -> str:
    """The error if an overlay below `parent` (an existing directory) fails, or "". Blocks."""
    try:
        folder = tempfile.mkdtemp(prefix=".podwright-doctor-", dir=parent)
    except OSError as failure:
        return _words(failure)
    try:
        in_thread(lambda: _mount_and_use(folder))
    except OSError as failure:
        return _words(failure)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return ""


def _mount_and_use(folder: str) -> None:
    """Copy-up, removal (a whiteout) and a new file. Each fails on some filesystems that can be mounted."""
    lower, upper, work, target = (f"{folder}/{name}" for name in ("lower", "upper", "work", "target"))
    for path in (lower, upper, work, target):
        os.mkdir(path)
    for name in ("changed", "removed"):
        _write(f"{lower}/{name}", "lower")
    libc.unshare(CLONE_NEWNS)
    libc.mount("none", "/", None, MS_REC | MS_PRIVATE, None)
    mount_overlay(Overlay(target=target, lower=(lower,), upper=upper, work=work))
    _write(f"{target}/changed", "upper")
    _write(f"{target}/new", "upper")
    os.unlink(f"{target}/removed")
    # The mount ends with this thread's namespace.


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="ascii") as file:
        file.write(text)


def _words(failure: OSError) -> str:
    return failure.strerror or str(failure)
