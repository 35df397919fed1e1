"""Measures CNI plugins by themselves, and what Podwright adds: the distribution's bridge, host-local and portmap.

    python -m tools.cni_floor [--count 20] [--at-once 1] [--standing 0]

The plugins are run by hand, one after the other, in turn with Podwright's network service on the same configuration;
what they take by hand is the least that a pod on such a network can take. Everything happens in a network namespace
of its own: each of the bridge plugin's ten calls of iptables reads the whole nat table, so that rules that somebody
left on the host would be measured, too (`--standing` measures with those of so many pods).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from podwright.linux import libc, namespaces
from podwright.process import SAFE_PATH, PosixProcessRunner
from podwright.runtime.config import NetworkSettings
from podwright.runtime.model.ids import SandboxId, new_id
from podwright.runtime.model.sandbox import Attachment, SandboxName
from podwright.runtime.network import NetworkRequest, NetworkService
from podwright.runtime.state import Database
from tests.harness.cni import BIN_DIR, bridge_conf
from tests.harness.scratch import Part

TIMEOUT_S = 60


@dataclass(slots=True, kw_only=True)
class Pod:
    """A network namespace, and what came of its ADD by either way."""

    netns: str
    id: SandboxId = field(default_factory=lambda: SandboxId(new_id()))
    result: dict[str, Any] | None = None
    attachment: Attachment | None = None


class ByHand:
    """The plugins and nothing else."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document

    async def add(self, pod: Pod) -> None:
        """Each plugin with the result of the one before."""
        for plugin in self._document["plugins"]:
            pod.result = await asyncio.to_thread(self._call, "ADD", plugin, pod)

    async def delete(self, pod: Pod) -> None:
        """Backwards."""
        for plugin in reversed(self._document["plugins"]):
            await asyncio.to_thread(self._call, "DEL", plugin, pod)

    def _call(self, command: str, plugin: dict[str, Any], pod: Pod) -> dict[str, Any]:
        given = {**plugin, "name": self._document["name"], "cniVersion": self._document["cniVersion"]}
        if pod.result is not None:
            given["prevResult"] = pod.result
        env = {"PATH": SAFE_PATH, "CNI_COMMAND": command, "CNI_PATH": str(BIN_DIR), "CNI_IFNAME": "eth0"}
        env |= {"CNI_CONTAINERID": pod.id, "CNI_NETNS": pod.netns}
        done = subprocess.run(
            [BIN_DIR / plugin["type"]],
            input=json.dumps(given),
            env=env,
            capture_output=True,
            text=True,
            check=True,
            timeout=TIMEOUT_S,
            start_new_session=True,  # as Podwright does: to the kernel's autogroups it makes a difference
        )
        return dict(json.loads(done.stdout or "{}"))


class ByPodwright:
    """The same through the network service."""

    def __init__(self, service: NetworkService) -> None:
        self._service = service

    async def add(self, pod: Pod) -> None:
        """Attach."""
        pod.attachment = await self._service.attach(_request(pod))

    async def delete(self, pod: Pod) -> None:
        """Detach."""
        await self._service.detach(_request(pod), pod.attachment)


def _request(pod: Pod) -> NetworkRequest:
    return NetworkRequest(sandbox_id=pod.id, name=SandboxName(name="pod", namespace="floor", uid="u"), netns=pod.netns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One batch: its wall time, and the CPU time of all programs in it, per pod."""

    wall_ms: float
    cpu_ms: float


async def measured(work: Callable[[Pod], Awaitable[None]], pods: list[Pod]) -> Sample:
    """Do it for all pods at once."""
    before_ms, began = _children_cpu_ms(), time.perf_counter()
    await asyncio.gather(*map(work, pods))
    wall_ms = (time.perf_counter() - began) * 1e3
    return Sample(wall_ms=wall_ms, cpu_ms=(_children_cpu_ms() - before_ms) / len(pods))


def _children_cpu_ms() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (used.ru_utime + used.ru_stime) * 1e3


@contextlib.asynccontextmanager
async def pods_in(folder: Path, count: int) -> AsyncIterator[list[Pod]]:
    """That number of empty network namespaces."""
    pods = [Pod(netns=str(folder / f"netns{number}")) for number in range(count)]
    try:
        for pod in pods:
            namespaces.create_pinned({"net": pod.netns}, lambda: None)
        yield pods
    finally:
        for pod in pods:
            namespaces.unpin(pod.netns)


async def measure(folder: Path, count: int, at_once: int, standing: int) -> dict[str, list[Sample]]:
    """Batches in turn, by hand and by Podwright."""
    part = Part(directory=folder, bridge="floor0", subnet=IPv4Network("10.99.0.0/16"), cgroup_parent="/floor")
    document = bridge_conf(part, "floor")
    (folder / "10-floor.conflist").write_text(json.dumps(document))
    options = NetworkSettings(mode="cni", cni_conf_dir=str(folder), cni_cache_dir=str(folder / "cache"))
    with contextlib.closing(Database(str(folder / "root"))) as database:
        service = NetworkService(options, database, PosixProcessRunner())
        await service.start()
        hand = ByHand(document)
        ways: dict[str, ByHand | ByPodwright] = {"by hand": hand, "Podwright": ByPodwright(service)}
        samples: dict[str, list[Sample]] = {}
        (folder / "standing").mkdir()
        async with pods_in(folder / "standing", standing) as old:
            for pod in old:
                await hand.add(pod)
            for number in range(count * len(ways)):
                name = list(ways)[number % len(ways)]
                async with pods_in(folder, at_once) as pods:
                    samples.setdefault(f"ADD {name}", []).append(await measured(ways[name].add, pods))
                    samples.setdefault(f"DEL {name}", []).append(await measured(ways[name].delete, pods))
        await service.close()
    return samples


def main() -> int:
    """Measure and print. Returns the exit code."""
    parser = argparse.ArgumentParser(prog="tools.cni_floor", description="what CNI plugins cost by themselves")
    parser.add_argument("--count", type=int, default=20, help="batches of each kind")
    parser.add_argument("--at-once", type=int, default=1, help="pods in a batch")
    parser.add_argument("--standing", type=int, default=0, help="pods that are on the network all the while")
    given = parser.parse_args()
    if os.geteuid() != 0:
        print("cni_floor: needs root, for namespaces", file=sys.stderr)
        return 2
    libc.unshare(namespaces.CLONE_NEWNET)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="cni-floor-") as folder:
        samples = asyncio.run(measure(Path(folder), given.count, given.at_once, given.standing))
    print(
        f"{given.at_once} at once, {given.standing} standing; ms: best and p50 of {given.count}, plugins' CPU per pod"
    )
    for name, taken in sorted(samples.items()):
        walls, cpu = [sample.wall_ms for sample in taken], [sample.cpu_ms for sample in taken]
        print(f"{name:14} {min(walls):7.1f} {statistics.median(walls):7.1f}   CPU {statistics.median(cpu):6.1f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
