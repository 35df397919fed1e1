"""The device nodes that every program opens, which a run must leave as they were."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from tools.leaks.thing import Scope, Thing

NODES = ("/dev/full", "/dev/null", "/dev/random", "/dev/tty", "/dev/urandom", "/dev/zero")


def devices(_: Scope, nodes: tuple[str, ...] = NODES) -> Iterator[Thing]:
    """Each with its owner and mode, so that another owner is another thing. Nothing tells whose work that was."""
    for node in nodes:
        try:
            facts = os.stat(node)
        except FileNotFoundError:
            continue
        mode = stat.S_IMODE(facts.st_mode)
        yield Thing(kind="device", name=f"{node} belongs to {facts.st_uid}:{facts.st_gid} and has mode {mode:04o}")
