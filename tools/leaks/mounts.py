"""Mounts, and the network namespaces that a name in /run/netns keeps alive."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tools.leaks.thing import Scope, Thing

NETNS_FOLDER = Path("/run/netns")
# What containers bring with them; other new mounts (a user's session, a backup) are nobody's leak.
CONTAINER_TYPES = {"overlay", "nsfs"}


def mounts(scope: Scope) -> Iterator[Thing]:
    """Everything below our directories, and all overlays and pinned namespaces."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        # proc_pid_mountinfo(5): id parent major:minor root mountpoint options [tags] - type source superoptions
        left, _, right = line.partition(" - ")
        mount_id, _, _, _, point = left.split()[:5]
        fstype = right.split()[0]
        ours = scope.holds(point) or scope.mentioned_in(right)
        if ours or fstype in CONTAINER_TYPES:
            yield Thing(kind="mount", name=f"{point} #{mount_id}", detail=right[:200], ours=ours)


def named_netns(_scope: Scope) -> Iterator[Thing]:
    """Names in /run/netns. Nothing in a name tells whose it is; ours are pinned below our directories."""
    if NETNS_FOLDER.is_dir():
        for name in sorted(os.listdir(NETNS_FOLDER)):
            yield Thing(kind="netns", name=name)
