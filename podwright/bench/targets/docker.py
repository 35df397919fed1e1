"""Docker as a target, by its own Engine API, with the same pods that dockershim made.

A pod is a pause container on Docker's bridge and a container that joins its network and IPC namespaces. RunPodSandbox
means creating and starting the first, StopPodSandbox stopping both, RemovePodSandbox removing both.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from podwright.bench.options import TargetOptions
from podwright.bench.targets.base import (
    EXEC_COMMAND,
    IDLE_COMMAND,
    LABEL,
    StartedContainer,
    StartedPod,
    TargetVersion,
    Tunnel,
    new_run_id,
)
from podwright.bench.targets.docker_api import DockerApi
from podwright.bench.targets.sweeping import sweep_until_empty
from podwright.bench.timing import since_ms, timed_ms
from podwright.errors import DeadlineExceeded, Internal, NotFound, Unimplemented

TYPE_LABEL = "podwright.bench.type"
SANDBOX, CONTAINER = "podsandbox", "container"
PAUSE_COMMAND = ("sleep", "2147483647")
EXIT_CODE_LIMIT_S = 10.0


class DockerTarget:
    """A BenchTarget."""

    def __init__(self, options: TargetOptions, *, image: str) -> None:
        self.options = options
        self._api = DockerApi(options.endpoint)
        self._image = image
        self.run_id = new_run_id()

    async def version(self) -> TargetVersion:
        said = await self._api.call("GET", "/version")
        return TargetVersion(
            runtime_name="docker", runtime_version=said["Version"], api_version=f"Engine API {said['ApiVersion']}"
        )

    async def ensure_image(self, image: str) -> None:
        try:
            await self._api.call("GET", f"/images/{image}/json")
        except NotFound:
            await self.pull(image)

    async def start_pod(self, command: tuple[str, ...] = IDLE_COMMAND) -> StartedPod:
        began_ns = time.perf_counter_ns()
        sandbox = await self._create(PAUSE_COMMAND, SANDBOX, {"IpcMode": "shareable"})
        await self._api.call("POST", f"/containers/{sandbox}/start")
        sandbox_ms = since_ms(began_ns)
        container = await self._start_container(sandbox, command)
        return StartedPod(
            id=sandbox,
            container_id=container.id,
            steps_ms={"RunPodSandbox": sandbox_ms, **container.steps_ms},
            context=[container.id],
        )

    async def add_container(self, pod: StartedPod, name: str) -> StartedContainer:  # noqa: ARG002 # Docker names it
        container = await self._start_container(pod.id, IDLE_COMMAND)
        _containers_of(pod).append(container.id)
        return container

    async def _start_container(self, sandbox: str, command: tuple[str, ...]) -> StartedContainer:
        shared = {"NetworkMode": f"container:{sandbox}", "IpcMode": f"container:{sandbox}"}
        container, create_ms = await timed_ms(self._create(command, CONTAINER, shared))
        _, start_ms = await timed_ms(self._api.call("POST", f"/containers/{container}/start"))
        return StartedContainer(id=container, steps_ms={"CreateContainer": create_ms, "StartContainer": start_ms})

    async def end_pod(self, pod: StartedPod) -> Mapping[str, float]:
        everything = (*_containers_of(pod), pod.id)
        _, stop_ms = await timed_ms(
            self._in_order("POST", [f"/containers/{each}/stop" for each in everything], {"t": "0"})
        )
        _, remove_ms = await timed_ms(
            self._in_order("DELETE", [f"/containers/{each}" for each in everything], {"v": "1"})
        )
        return {"StopPodSandbox": stop_ms, "RemovePodSandbox": remove_ms}

    async def _in_order(self, method: str, paths: list[str], query: dict[str, str]) -> None:
        for path in paths:
            await self._api.read(method, path, query=query)

    async def address(self, pod: StartedPod) -> str:
        found = await self._api.call("GET", f"/containers/{pod.id}/json")
        address: str = found["NetworkSettings"]["IPAddress"]
        return address

    async def exec_sync(self, container_id: str) -> None:
        body = {"AttachStdout": True, "AttachStderr": True, "Cmd": EXEC_COMMAND}
        made = await self._api.call("POST", f"/containers/{container_id}/exec", body)
        await self._api.read("POST", f"/exec/{made['Id']}/start", {"Detach": False, "Tty": False})
        code = await self._exit_code(made["Id"])
        if code != 0:
            raise Internal(f"`true` ended with {code} in container {container_id}")

    async def _exit_code(self, exec_id: str) -> int:
        """The exit code. Docker may close the stream a moment before it knows it."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(EXIT_CODE_LIMIT_S):
                while True:
                    found = await self._api.call("GET", f"/exec/{exec_id}/json")
                    if not found["Running"]:
                        code: int = found["ExitCode"]
                        return code
        raise DeadlineExceeded(f"exec {exec_id} did not end in {EXIT_CODE_LIMIT_S} s")

    async def exec_stream(self, container_id: str) -> None:  # noqa: ARG002 # as a Target's
        raise Unimplemented("Docker has only one kind of exec, which is measured as ExecSync")

    def tunnel(self, pod: StartedPod) -> contextlib.AbstractAsyncContextManager[Tunnel]:  # noqa: ARG002 # as a Target's
        raise Unimplemented("Docker has no port-forward")

    async def relist(self) -> int:
        pods = await self._list(TYPE_LABEL, SANDBOX)
        await self._list(TYPE_LABEL, CONTAINER)
        return sum(each["Labels"].get(LABEL) == self.run_id for each in pods)

    async def list_images(self) -> int:
        return len(await self._api.call("GET", "/images/json"))

    async def pull(self, image: str) -> None:
        name, _, tag = image.rpartition(":")
        said = await self._api.read("POST", "/images/create", query={"fromImage": name, "tag": tag}, timeout_s=None)
        for line in said.splitlines():
            if failure := msgspec.json.decode(line).get("error"):
                raise Internal(f"docker could not pull {image}: {failure}")

    async def remove_image(self, image: str) -> None:
        with contextlib.suppress(NotFound):
            await self._api.call("DELETE", f"/images/{image}", query={"force": "1"})

    async def reconnect(self) -> None:
        await self._api.close()
        self._api = DockerApi(self.options.endpoint)

    async def monitored(self, pods: Sequence[StartedPod]) -> list[str]:
        return [identity for pod in pods for identity in pod.ids]

    async def sweep(self) -> None:
        await sweep_until_empty(self._ours, self._discard)

    async def close(self) -> None:
        await self._api.close()

    async def _create(self, command: tuple[str, ...], kind: str, host_config: dict[str, Any]) -> str:
        body = {
            "Image": self._image,
            "Entrypoint": [],
            "Cmd": command,
            "Labels": {LABEL: self.run_id, TYPE_LABEL: kind},
            "HostConfig": {
                **host_config,
                "CgroupParent": self.options.cgroup_parent,
                "Runtime": self.options.handler,
            },
        }
        made: str = (await self._api.call("POST", "/containers/create", body))["Id"]
        return made

    async def _list(self, label: str, value: str) -> list[dict[str, Any]]:
        filters = msgspec.json.encode({"label": [f"{label}={value}"]}).decode()
        listed: list[dict[str, Any]] = await self._api.call(
            "GET", "/containers/json", query={"all": "1", "filters": filters}
        )
        return listed

    async def _ours(self) -> list[str]:
        return [each["Id"] for each in await self._list(LABEL, self.run_id)]

    async def _discard(self, container: str) -> None:
        with contextlib.suppress(NotFound):
            await self._api.call("DELETE", f"/containers/{container}", query={"force": "1", "v": "1"})


def _containers_of(pod: StartedPod) -> list[str]:
    assert isinstance(pod.context, list)
    return pod.context
