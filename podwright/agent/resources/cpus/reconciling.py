"""Moves running containers to their CPUs, when assignments change and at a fixed period.

A new container gets its CPUs with CreateContainer. Running containers must leave CPUs that are allotted to others, and
may use CPUs that become free.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import Protocol

import msgspec

from podwright.agent.resources.cpus.manager import CpuManager
from podwright.agent.runtime.records import CriContainerStatus, ObservedPod
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound, PodwrightError
from podwright.k8s.objects import Pod
from podwright.linux.cpu_lists import spelt

log = logging.getLogger(__name__)


class ContainerUpdater(Protocol):
    """Changes running containers: `runtime`."""

    async def update_container(self, container_id: str, resources: api.LinuxContainerResources) -> None:
        """Change the limits of an existing container. Raises PodwrightError."""


class CpuReconcilerPorts(msgspec.Struct, frozen=True, kw_only=True):
    """What the reconciler needs. `pods` returns those that run or will run, None until all are known."""

    manager: CpuManager
    runtime: ContainerUpdater
    pods: Callable[[], list[Pod] | None]
    look: Callable[[str], ObservedPod | None]
    retain: Callable[[Collection[str]], None]  # releases the CPUs of all pods except these


class CpuReconciler:
    """Runs the rounds."""

    def __init__(self, ports: CpuReconcilerPorts, period_s: float) -> None:
        self._ports = ports
        self._period_s = period_s
        self._failures: dict[str, str] = {}  # the last failure by container id, so that each is logged once

    async def run(self) -> None:
        """Make rounds forever."""
        changed = self._ports.manager.changed
        while True:
            try:
                async with asyncio.timeout(self._period_s):
                    await changed.wait()
            except TimeoutError:
                pass
            changed.clear()
            await self.reconcile()

    async def reconcile(self) -> None:
        """Make one round. A failure is logged, and the next round tries again."""
        ports = self._ports
        pods = ports.pods()
        if pods is None:
            return
        uids = [pod.metadata.uid for pod in pods]
        try:
            ports.retain(uids)
        except PodwrightError as failure:
            log.warning("resources of pods that are gone cannot be taken back: error=%s", failure)
        ports.manager.forget_others(uids)
        running = [(uid, status) for uid in uids if (seen := ports.look(uid)) for status in seen.running()]
        ids = {status.id for _, status in running}
        self._failures = {each: text for each, text in self._failures.items() if each in ids}
        for uid, status in running:
            if not ports.manager.is_moved(uid, status.name):
                await self._move(uid, status)

    async def _move(self, uid: str, status: CriContainerStatus) -> None:
        manager = self._ports.manager
        cpus = manager.cpus_of(uid, status.name)
        if not cpus:
            return
        try:
            await self._ports.runtime.update_container(status.id, api.LinuxContainerResources(cpuset_cpus=spelt(cpus)))
        except NotFound:
            return
        except PodwrightError as failure:
            if self._failures.get(status.id) != str(failure):
                log.warning(
                    "a container cannot be moved to its CPUs: id=%s cpus=%s error=%s", status.id, spelt(cpus), failure
                )
            self._failures[status.id] = str(failure)
            return
        manager.moved(uid, status.name, cpus)
