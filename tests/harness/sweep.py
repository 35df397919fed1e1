"""Takes down what a server left: processes, mounts, links, cgroups, its bridge's rules. The tests must not damage the
machine even when the program under test does; whatever had to be swept is a finding and is returned.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time

from podwright.conformance.patience import patient
from tests.harness import shim_sockets
from tools.leaks import PODS, Scope, Thing, remove_empty_parents, snapshot

EXIT_WAIT_S, SETTLE_S = patient(60.0), patient(60.0)
POLL_S = 0.05


def sweep(scope: Scope, *, settle_s: float = SETTLE_S) -> list[Thing]:
    """Remove what is left in `scope`. Returns the things that were still there after `settle_s`."""
    remove_empty_parents(scope)
    deadline = time.monotonic() + settle_s
    while (found := _ours(scope)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    if any(thing.kind == "process" for thing in found):
        _kill(scope, found)
    mounts = sorted((thing.name.partition(" #")[0] for thing in found if thing.kind == "mount"), reverse=True)
    for point in mounts:
        subprocess.run(["umount", "--lazy", point], check=False, capture_output=True)
    for thing in found:
        if thing.kind == "link":
            subprocess.run(["ip", "link", "delete", thing.name], check=False, capture_output=True)
    for thing in sorted(found, key=lambda thing: thing.name, reverse=True):
        if thing.kind == "cgroup":
            with contextlib.suppress(OSError):
                os.rmdir(thing.name)
    return found + _delete_tables(scope)


def _ours(scope: Scope) -> list[Thing]:
    return sorted((thing for thing in snapshot(scope, PODS) if thing.ours), key=lambda thing: (thing.kind, thing.name))


def _delete_tables(scope: Scope) -> list[Thing]:
    """Delete the nftables tables that are named after the scope's bridges. Returns them."""
    if shutil.which("nft") is None:
        return []
    listing = subprocess.run(["nft", "list", "tables", "ip"], check=False, capture_output=True, text=True).stdout
    names = [name for name in (line.split()[-1] for line in listing.splitlines() if line) if scope.has_link(name)]
    for name in names:
        subprocess.run(["nft", "delete", "table", "ip", name], check=False, capture_output=True)
    return [Thing(kind="rule", name=f"table ip {name}", ours=True) for name in names]


def _kill(scope: Scope, found: list[Thing]) -> None:
    """Kill the processes among the things, and wait until none of ours is left."""
    for thing in found:
        if thing.kind == "process":
            shim_sockets.kill(int(thing.name.split()[0]))
    deadline = time.monotonic() + EXIT_WAIT_S
    while any(thing.kind == "process" for thing in _ours(scope)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
