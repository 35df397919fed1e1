"""Namespaces without a process: created by a thread, kept by bind mounts of its /proc entries.

The thread is used once, because unshare and setns change the calling thread for good.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import TypeVar

from podwright.linux import libc, mount

Result = TypeVar("Result")

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000

FLAGS = {"user": CLONE_NEWUSER, "net": CLONE_NEWNET, "ipc": CLONE_NEWIPC, "uts": CLONE_NEWUTS}


def in_thread(work: Callable[[], Result]) -> Result:
    """Run `work` in a new thread. Returns its result or raises its exception."""
    outcome: list[Result] = []
    failure: list[BaseException] = []

    def target() -> None:
        try:
            outcome.append(work())
        except BaseException as error:  # noqa: BLE001 # handed to the caller, whatever it is
            failure.append(error)

    thread = threading.Thread(target=target, name="namespace", daemon=True)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return outcome[0]


def create_pinned(pins: Mapping[str, str], inside: Callable[[], Result]) -> Result:
    """Create one namespace per entry of `pins` (kind to path of the pin), and run `inside` in them.

    Kinds are "net", "ipc" and "uts". The kernel allows a user namespace only for single-threaded processes. The pin
    files are created, and after a failure unmounted and removed. Raises OSError.
    """

    def work() -> Result:
        flags = 0
        for kind in pins:
            flags |= FLAGS[kind]
        libc.unshare(flags)
        pin(f"/proc/self/task/{threading.get_native_id()}", pins)
        try:
            return inside()
        except BaseException:
            for path in pins.values():
                unpin(path)
            raise

    return in_thread(work)


def pin(process: str, pins: Mapping[str, str]) -> None:
    """Pin namespaces of a process or thread (its directory in /proc) at the paths of `pins`: all, or none.

    User namespaces are possible as well. Raises OSError.
    """
    done: list[str] = []
    try:
        for kind, path in pins.items():
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY | os.O_CLOEXEC, 0o400))
            done.append(path)
            mount.bind(f"{process}/ns/{kind}", path)
    except BaseException:
        for path in done:
            unpin(path)
        raise


def unpin(path: str) -> None:
    """Release a pinned namespace. An absent one succeeds. Raises OSError."""
    mount.unmount(path)
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def is_pinned(path: str) -> bool:
    """Whether a namespace is mounted at `path`: then the file is on the kernel's nsfs."""
    try:
        return os.stat(path).st_dev != os.stat(os.path.dirname(path)).st_dev
    except FileNotFoundError:
        return False


def run_in(path: str, kind: str, work: Callable[[], Result]) -> Result:
    """Run `work` in the namespace at `path`, in a thread of its own. Raises OSError."""
    return run_in_all({kind: path}, work)


def run_in_all(pins: Mapping[str, str], work: Callable[[], Result]) -> Result:
    """Run `work` in all these namespaces (kind -> path, user namespaces excepted), in a thread of its own.

    Raises OSError.
    """

    def inside() -> Result:
        for kind, path in pins.items():
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            try:
                libc.setns(fd, FLAGS[kind])
            finally:
                os.close(fd)
        return work()

    return in_thread(inside)
