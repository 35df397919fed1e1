"""Takes snapshots and compares them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from tools.leaks.cgroups import cgroups
from tools.leaks.devices import devices
from tools.leaks.files import files
from tools.leaks.mounts import mounts, named_netns
from tools.leaks.network import links, rules
from tools.leaks.processes import processes
from tools.leaks.thing import Scope, Thing

Source = Callable[[Scope], Iterator[Thing]]
PODS: Sequence[Source] = (mounts, links, processes, cgroups)  # what there is of each pod, and can be taken away
ALL: Sequence[Source] = (*PODS, named_netns, rules, files, devices)
POLL_S = 0.2


def snapshot(scope: Scope, sources: Sequence[Source] = ALL) -> frozenset[Thing]:
    """All things that exist now."""
    return frozenset(thing for source in sources for thing in source(scope))


def leaked(before: frozenset[Thing], scope: Scope, *, whole_host: bool = True, settle_s: float = 5.0) -> list[Thing]:
    """The things that exist now and are not in `before`, sorted by kind and name.

    The kernel and dying processes get `settle_s` to finish. With `whole_host` False only things that can be traced
    to the scope count.
    """
    deadline = time.monotonic() + settle_s
    while True:
        found = [thing for thing in snapshot(scope) - before if whole_host or thing.ours]
        if not found or time.monotonic() > deadline:
            return sorted(found, key=lambda thing: (thing.kind, thing.name))
        time.sleep(POLL_S)
