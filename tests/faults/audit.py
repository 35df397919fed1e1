"""Compares what is on the host with what the daemon has on record: each must explain the other."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from podwright.conformance.patience import patient
from tests.harness.podwright import Podwright
from tools.leaks import PODS, snapshot

CONTAINER = re.compile(r"/[0-9a-f]{64}$")  # cgroups above are those of whoever named them in a request
SETTLE_S = patient(60.0)  # links are deleted in the background, one after the other on the whole host
POLL_S = 0.05
RUNSC = "_sandbox:"  # in the names of its files of a container, before the pod's
Records = dict[str, dict[str, Any]]


def settled(server: Podwright) -> list[str]:
    """The findings of an audit, once what goes on in the background has had its time."""
    deadline = time.monotonic() + SETTLE_S
    while (findings := audit(server)) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return findings


def audit(server: Podwright) -> list[str]:
    """Sentences about what is half-made or left over; empty when all is well."""
    sandboxes, containers = records(server, "sandboxes"), records(server, "containers")
    running = {key for key, record in containers.items() if record["state"] == "running"}
    attached = {key for key, record in sandboxes.items() if record.get("attachment")}
    known = {*sandboxes, *containers}
    findings = [
        f"{kind} {key} is half-made"
        for kind, rows in (("sandbox", sandboxes), ("container", containers))
        for key, record in rows.items()
        if record["state"] == "creating"
    ]
    findings += _unknown("lease", records(server, "network_leases"), attached)
    findings += _unknown("image hold", records(server, "image_holds"), containers)
    findings += _unknown("sandbox directory", _names(server.state / "sandboxes"), sandboxes)
    findings += _unknown("exit directory", _names(server.state / "exits"), containers)
    findings += _unknown("bundle", _names(server.state / "containers"), containers)
    findings += _unknown("container storage", _names(server.root / "containers"), containers)
    for handler in _names(server.state / "runtimes"):
        folder = server.state / "runtimes" / handler
        folder = folder / "k8s.io" if (folder / "k8s.io").exists() else folder  # as runc's shim divides it
        names = {name.partition(RUNSC)[0] for name in _names(folder)}
        findings += _unknown(f"{handler} state", names, known)
    for handler in _names(server.state / "shims"):
        findings += _unknown(f"{handler} shim", _names(server.state / "shims" / handler), sandboxes)
    findings += _unknown("download", _names(server.root / "images" / "ingest"), ())
    findings += [f"layer {name} is half-made" for name in _names(server.root / "layers") if name.startswith(".")]
    findings += [f"exec of {path.parent.name} left {path.name}" for path in server.state.glob("containers/*/exec-*")]
    return findings + _on_host(server, known, running, attached)


def _on_host(server: Podwright, known: set[str], running: set[str], attached: set[str]) -> list[str]:
    """Mounts, links, processes and cgroups."""
    findings = []
    links = 0
    for thing in snapshot(server.part.scope, PODS):
        if not thing.ours:
            continue
        words = f"{thing.name} {thing.detail}"
        if thing.kind == "mount" and thing.name.startswith(f"{server.state}/exits #"):
            continue  # of all containers
        if thing.kind == "mount" and not any(key in thing.name for key in known):
            findings.append(f"mount {words}")
        elif thing.kind == "cgroup" and CONTAINER.search(thing.name) and not any(key in thing.name for key in known):
            findings.append(f"cgroup {words}")
        elif thing.kind == "process" and " conmon " in thing.name and not any(key in words for key in running):
            findings.append(f"monitor {words}")
        elif thing.kind == "process" and " containerd-shim" in thing.name and not any(key in words for key in known):
            findings.append(f"shim {words}")
        elif thing.kind == "process" and " crun " in thing.name:
            findings.append(f"runtime {words}")
        elif thing.kind == "link" and thing.name != server.part.bridge:
            links += 1
    if links > len(attached):
        findings.append(f"{links} links for {len(attached)} sandboxes")
    return findings


def records(server: Podwright, table: str) -> Records:
    """The rows of one of the daemon's tables, read beside it."""
    connection = sqlite3.connect(f"file:{server.root}/state.db?mode=ro", uri=True)
    try:
        rows = connection.execute(f"SELECT id, record FROM {table}").fetchall()
    finally:
        connection.close()
    return {key: json.loads(record) for key, record in rows}


def _unknown(what: str, found: Iterable[str], known: Iterable[str]) -> list[str]:
    return [f"{what} {name} belongs to nothing" for name in sorted(set(found) - set(known))]


def _names(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.is_dir() else []
