"""Pods for cases: made through CRI alone, removed whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from podwright.conformance.patience import patient
from podwright.conformance.peer import CriPeer
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import NotFound, PodwrightError

SLEEP = ("sh", "-c", "trap 'exit 0' TERM; echo ready; while :; do sleep 0.1; done")
DEAF = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done")
LISTENS = 'until grep -qs ":{port:04X} [0:]* 0A" /proc/net/tcp /proc/net/tcp6; do sleep 0.02; done'
WAIT_S, POLL_S = patient(60.0), patient(0.02)
EXEC_S = int(patient(20.0))  # what ExecSync gives a command that should end


def serving(commands: Mapping[int, str]) -> tuple[str, ...]:
    """A command that serves each of its ports by another one, and says "ready" when all of them listen."""
    servers = [f"nc -ll -p {port} -e {command} &" for port, command in commands.items()]
    checks = [f"{LISTENS.format(port=port)};" for port in commands]
    return ("sh", "-c", " ".join([*servers, *checks, "echo ready; wait"]))


@dataclass
class CasePod:
    """A sandbox that is READY, and shorthand for what tests do with it."""

    cri: CriClient
    id: str
    config: api.PodSandboxConfig
    image: str
    containers: list[str] = field(default_factory=list)

    @property
    def image_spec(self) -> api.ImageSpec:
        """The image as a kubelet requests it. CRI-O creates no container without the name in the Pod."""
        return api.ImageSpec(image=self.image, user_specified_image=self.image)

    async def create(self, command: tuple[str, ...] = SLEEP, **fields: object) -> str:
        """Create a container by its config's fields. Returns its id."""
        name = str(fields.pop("name", f"c{len(self.containers)}"))
        attempt = fields.pop("attempt", 0)
        config = api.ContainerConfig(
            metadata=api.ContainerMetadata(name=name, attempt=attempt),  # type: ignore[arg-type] # keyword of a test
            command=command,
            log_path=f"{name}.log",
            **{"image": self.image_spec, **fields},  # type: ignore[arg-type] # as above
        )
        return await self.create_from(config)

    async def create_from(self, config: api.ContainerConfig) -> str:
        """Create a container by its complete config. The pod's namespace options are the default, as in a kubelet."""
        security = config.linux.security_context
        if not security.HasField("namespace_options"):
            security.namespace_options.CopyFrom(self.config.linux.security_context.namespace_options)
        request = api.CreateContainerRequest(pod_sandbox_id=self.id, config=config, sandbox_config=self.config)
        container_id = (await self.cri.call(self.cri.runtime.CreateContainer, request)).container_id
        self.containers.append(container_id)
        return container_id

    async def start(self, container_id: str) -> None:
        """StartContainer."""
        await self.cri.call(self.cri.runtime.StartContainer, api.StartContainerRequest(container_id=container_id))

    async def run(self, command: tuple[str, ...] = SLEEP, **fields: object) -> str:
        """Create and start."""
        container_id = await self.create(command, **fields)
        await self.start(container_id)
        return container_id

    async def run_ready(self, command: tuple[str, ...] = SLEEP, **fields: object) -> str:
        """Create, start, and wait for the word "ready": the command has said what it does with signals."""
        container_id = await self.run(command, **fields)
        async with asyncio.timeout(WAIT_S):
            while "ready" not in self.log(container_id):  # noqa: ASYNC110 # a log file tells nobody
                await asyncio.sleep(POLL_S)
        return container_id

    async def status(self, container_id: str) -> api.ContainerStatus:
        """ContainerStatus."""
        request = api.ContainerStatusRequest(container_id=container_id)
        return (await self.cri.call(self.cri.runtime.ContainerStatus, request)).status

    async def exited(self, container_id: str) -> api.ContainerStatus:
        """Its status once it has exited."""
        async with asyncio.timeout(WAIT_S):
            while (status := await self.status(container_id)).state != api.CONTAINER_EXITED:  # noqa: ASYNC110 # as a kubelet polls
                await asyncio.sleep(POLL_S)
        return status

    async def exec(self, container_id: str, *command: str, timeout: int = EXEC_S) -> api.ExecSyncResponse:
        """ExecSync."""
        request = api.ExecSyncRequest(container_id=container_id, cmd=command, timeout=timeout)
        return await self.cri.call(self.cri.runtime.ExecSync, request)

    async def output(self, *command: str, **fields: object) -> str:
        """What a command prints in a container of its own that then ends well."""
        container_id = await self.run(command, **fields)
        status = await self.exited(container_id)
        text = self.text(container_id, status)
        assert status.exit_code == 0, text
        return text

    def text(self, container_id: str, status: api.ContainerStatus | None = None) -> str:
        """What the container wrote, both streams, unfinished lines joined."""
        written = ""
        for line in self.log(container_id, status).splitlines():
            _, _, tag, content = line.split(" ", 3)
            written += content + ("\n" if tag == "F" else "")
        return written

    def log(self, container_id: str, status: api.ContainerStatus | None = None) -> str:
        """The container's log file as it is."""
        name = status.metadata.name if status else f"c{self.containers.index(container_id)}"
        path = Path(self.config.log_directory) / f"{name}.log"
        return path.read_text() if path.exists() else ""

    async def stop(self, container_id: str, timeout: int = 10) -> None:
        """StopContainer."""
        request = api.StopContainerRequest(container_id=container_id, timeout=timeout)
        await self.cri.call(self.cri.runtime.StopContainer, request)


RunPod = Callable[..., contextlib.AbstractAsyncContextManager[CasePod]]


def sandbox_config(peer: CriPeer, **fields: object) -> api.PodSandboxConfig:
    """A config with a name of its own, on the peer's own part of the host, and with a kubelet's pid namespaces."""
    uid = uuid.uuid4().hex
    namespaces = fields.pop("namespaces", api.NamespaceOption(pid=api.CONTAINER))
    security = fields.pop("security", api.LinuxSandboxSecurityContext())
    security.namespace_options.CopyFrom(namespaces)  # type: ignore[attr-defined] # keywords of a test
    linux = api.LinuxPodSandboxConfig(
        cgroup_parent=peer.cgroup_parent,
        security_context=security,  # type: ignore[arg-type] # as above
        sysctls=fields.pop("sysctls", {}),  # type: ignore[arg-type] # as above
    )
    given = {
        "metadata": api.PodSandboxMetadata(name=f"pod-{uid[:8]}", uid=uid, namespace="conformance"),
        "log_directory": str(peer.logs / uid),
        "linux": linux,
    }
    return api.PodSandboxConfig(**{**given, **fields})  # type: ignore[arg-type] # as above


@contextlib.asynccontextmanager
async def running_pod(peer: CriPeer, image: str, **fields: object) -> AsyncIterator[CasePod]:
    """A pod with the image pulled. It is stopped and removed at the end."""
    cri = peer.client
    handler = str(fields.pop("runtime_handler", ""))
    config = sandbox_config(peer, **fields)
    Path(config.log_directory).mkdir(parents=True)
    await cri.call(cri.images.PullImage, api.PullImageRequest(image=api.ImageSpec(image=image)))
    request = api.RunPodSandboxRequest(config=config, runtime_handler=handler)
    made = await cri.call(cri.runtime.RunPodSandbox, request)
    pod = CasePod(cri=cri, id=made.pod_sandbox_id, config=config, image=image)
    try:
        yield pod
    finally:
        for container_id in pod.containers:  # a sandbox's stop may give each of them half a minute to end
            with contextlib.suppress(PodwrightError):
                await pod.stop(container_id, timeout=0)
        await remove_pod(cri, made.pod_sandbox_id)


async def remove_pod(cri: CriClient, sandbox_id: str) -> None:
    """Stop and remove it like a kubelet, which accepts runtimes that do not find a removed pod."""
    with contextlib.suppress(NotFound):
        await cri.call(cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=sandbox_id))
    await cri.call(cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=sandbox_id))
