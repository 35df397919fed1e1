"""A daemon that dies and comes back, and a client that finds it again; requests as a kubelet makes them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.conformance.pods import CasePod, remove_pod, sandbox_config
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from tests.faults.audit import settled
from tests.harness.podwright import Podwright

POLL_S = 0.02
UNTIL_TOLD = "until test -e /go; do usleep 5000; done"  # in a container's script


@dataclass
class Node:
    """A server, the client of its present life, and the pods on it. Made by the `node` fixture."""

    server: Podwright
    image: str
    cri: CriClient
    pods: list[CasePod] = field(default_factory=list)

    @property
    def peer(self) -> CriPeer:
        """For the helpers of the conformance tests."""
        return self.server.peer(self.cri)

    async def again(self) -> None:
        """Start it (once more, if it runs), with a new client: the old one would wait before it tries again."""
        await self.cri.close()
        await asyncio.to_thread(self.server.restart)
        self.cri = self.server.client()
        for pod in self.pods:
            pod.cri = self.cri

    async def reborn(self) -> None:
        """`kill -9`, and start it again."""
        self.server.kill9()
        await self.again()

    def config(self, **fields: object) -> api.PodSandboxConfig:
        """A sandbox's config, its log directory made."""
        return sandbox_config(self.peer, **fields)

    async def pull(self) -> str:
        """PullImage of the sample image."""
        request = api.PullImageRequest(image=api.ImageSpec(image=self.image))
        return (await self.cri.call(self.cri.images.PullImage, request)).image_ref

    async def pod(self, *, handler: str = "", **fields: object) -> CasePod:
        """A READY pod, with the image pulled."""
        await self.pull()
        return await self.sandbox(self.config(**fields), handler)

    async def sandbox(self, config: api.PodSandboxConfig, handler: str = "") -> CasePod:
        """RunPodSandbox."""
        request = api.RunPodSandboxRequest(config=config, runtime_handler=handler)
        made = await self.cri.call(self.cri.runtime.RunPodSandbox, request)
        pod = CasePod(cri=self.cri, id=made.pod_sandbox_id, config=config, image=self.image)
        self.pods.append(pod)
        return pod

    async def remove(self, pod: CasePod) -> None:
        """Stop and remove a pod."""
        await remove_pod(self.cri, pod.id)
        self.pods = [other for other in self.pods if other is not pod]

    async def status(self, pod: CasePod) -> api.PodSandboxStatus:
        """PodSandboxStatus."""
        request = api.PodSandboxStatusRequest(pod_sandbox_id=pod.id)
        return (await self.cri.call(self.cri.runtime.PodSandboxStatus, request)).status

    async def listed(self) -> list[api.PodSandbox]:
        """Every sandbox."""
        return list((await self.cri.call(self.cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())).items)

    async def audited(self) -> None:
        """Fail unless, within a moment, everything on the host belongs to a record and the other way round."""
        findings = await asyncio.to_thread(settled, self.server)
        assert not findings, "\n".join(findings)

    async def emptied(self) -> None:
        """Remove all pods, and fail when anything of them stays."""
        for pod in list(self.pods):
            await self.remove(pod)
        assert await self.listed() == []
        await self.audited()


@contextlib.asynccontextmanager
async def running_node(server: Podwright, image: str) -> AsyncIterator[Node]:
    """A client for a server that runs."""
    node = Node(server=server, image=image, cri=server.client())
    try:
        yield node
    finally:
        await node.cri.close()


def tell(pid: int) -> None:
    """Let the container go on that waits UNTIL_TOLD, with no daemon's help."""
    Path(f"/proc/{pid}/root/go").touch()


def is_alive(pid: int) -> bool:
    """Whether it is there, and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(") ")[2][0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def gone(*pids: int) -> None:
    """Wait until these processes have ended."""

    async def all_ended() -> bool:
        return not any(map(is_alive, pids))

    await eventually(all_ended, "processes end")


async def eventually(
    holds: Callable[[], Coroutine[Any, Any, bool]], what: str, timeout_s: float = patient(60.0)
) -> None:
    """Wait until it holds. Raises AssertionError."""
    try:
        async with asyncio.timeout(timeout_s):
            while not await holds():  # noqa: ASYNC110 # nobody tells us
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise AssertionError(f"not within {timeout_s} s: {what}") from None
