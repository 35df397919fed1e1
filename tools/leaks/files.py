"""Files in the places where runtimes keep them."""

from __future__ import annotations

import os
from collections.abc import Iterator

from tools.leaks.thing import Scope, Thing

WATCHED = (
    "/dev/shm",
    "/etc/cni/net.d",
    "/run/containerd/s",
    "/run/crun",
    "/run/podwright",
    "/run/runc",
    "/var/lib/cni",
    "/var/lib/podwright",
    "/var/log/pods",
)
DEPTH = 3
# libcni and host-local make these once and keep them.
STANDING = {"/var/lib/cni/cache", "/var/lib/cni/networks", "/var/lib/cni/results"}


def files(scope: Scope) -> Iterator[Thing]:
    """Entries of the watched directories, three levels deep; ours are those that name something of ours."""
    for top in WATCHED:
        for path in _entries(top, DEPTH):
            if path not in STANDING:
                yield Thing(kind="file", name=path, ours=scope.mentioned_in(path))


def _entries(folder: str, depth: int) -> Iterator[str]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except (FileNotFoundError, PermissionError):
        return
    for entry in entries:
        yield entry.path
        if depth > 1 and entry.is_dir(follow_symlinks=False):
            yield from _entries(entry.path, depth - 1)
