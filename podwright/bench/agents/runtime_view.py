"""The pods of a run as the container runtime reports them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import msgspec

from podwright.bench.agents.pods import POD_LABEL
from podwright.bench.targets.base import LABEL
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """`running` has the id of the running container of each pod. `alive` are pods with anything that still runs."""

    running: Mapping[str, str]
    alive: frozenset[str]


class RuntimeView:
    """Queries one CRI endpoint. Every method raises a PodwrightError if a call fails."""

    def __init__(self, cri: CriClient, run_id: str) -> None:
        self._cri = cri
        self._run_id = run_id

    async def snapshot(self) -> Snapshot:
        """Sandboxes by the run's labels, and running containers, which do not have their pod's labels."""
        runtime = self._cri.runtime
        ours = api.PodSandboxFilter(label_selector={LABEL: self._run_id})
        sandboxes = (await self._cri.call(runtime.ListPodSandbox, api.ListPodSandboxRequest(filter=ours))).items
        wanted = api.ContainerFilter(state=api.ContainerStateValue(state=api.CONTAINER_RUNNING))
        request = api.ListContainersRequest(filter=wanted)
        containers = (await self._cri.call(runtime.ListContainers, request)).containers
        pods = {sandbox.id: sandbox.labels.get(POD_LABEL, "") for sandbox in sandboxes}
        running = {pods[each.pod_sandbox_id]: each.id for each in containers if each.pod_sandbox_id in pods}
        ready = {pods[sandbox.id] for sandbox in sandboxes if sandbox.state == api.SANDBOX_READY}
        return Snapshot(running=running, alive=frozenset({*running, *ready}))

    async def started_ns(self, container_id: str) -> int:
        """When the runtime started a container, in wall clock nanoseconds."""
        request = api.ContainerStatusRequest(container_id=container_id)
        return (await self._cri.call(self._cri.runtime.ContainerStatus, request)).status.started_at

    async def all_started_ns(self, container_ids: Sequence[str]) -> list[int]:
        """The same for several containers."""
        return list(await asyncio.gather(*map(self.started_ns, container_ids)))
