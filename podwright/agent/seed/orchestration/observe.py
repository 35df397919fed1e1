"""Looking at a pod through CRI: lists each time, a container's details once it has ended."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from podwright.agent.seed.manifest.container import Container
from podwright.agent.seed.orchestration.container import log_path, termination_file
from podwright.agent.seed.orchestration.context import PodContext
from podwright.agent.seed.orchestration.identity import POD_UID
from podwright.agent.seed.pods.status import ContainerRecord, ContainerState, PodStatus, SandboxRecord, newest_first
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.crilog.tail import tail_text
from podwright.errors import NotFound

# The kubelet's limits for termination messages.
MESSAGE_LIMIT_BYTES = 4096
FALLBACK_LINES = 80
FALLBACK_LIMIT_BYTES = 2048

_STATES: dict[int, ContainerState] = {
    api.CONTAINER_CREATED: "created",
    api.CONTAINER_RUNNING: "running",
    api.CONTAINER_EXITED: "exited",
}


class Observer:
    """Sees one pod. What has ended does not change any more, so its details are asked for once."""

    def __init__(self, cri: CriClient, context: PodContext) -> None:
        self._cri = cri
        self._context = context
        self._ended: dict[str, ContainerRecord] = {}

    async def observe(self) -> PodStatus:
        """The pod now. Raises PodwrightError when the runtime does not answer."""
        labels = {POD_UID: self._context.uid}
        sandboxes, containers = await asyncio.gather(
            self._cri.call(
                self._cri.runtime.ListPodSandbox,
                api.ListPodSandboxRequest(filter=api.PodSandboxFilter(label_selector=labels)),
            ),
            self._cri.call(
                self._cri.runtime.ListContainers,
                api.ListContainersRequest(filter=api.ContainerFilter(label_selector=labels)),
            ),
        )
        records = [await self._record(item) for item in containers.containers]
        by_age, instances = newest_first([_sandbox(item) for item in sandboxes.items], records)
        return PodStatus(sandboxes=by_age, containers=instances)

    async def _record(self, item: api.Container) -> ContainerRecord:
        record = ContainerRecord(
            id=item.id,
            name=item.metadata.name,
            attempt=item.metadata.attempt,
            state=_STATES.get(item.state, "unknown"),
            sandbox_id=item.pod_sandbox_id,
            created_at_ns=item.created_at,
        )
        if record.state != "exited":
            return record
        if record.id not in self._ended:
            self._ended[record.id] = await self._details(record)
        return self._ended[record.id]

    async def _details(self, record: ContainerRecord) -> ContainerRecord:
        request = api.ContainerStatusRequest(container_id=record.id)
        try:
            status = (await self._cri.call(self._cri.runtime.ContainerStatus, request)).status
        except NotFound:  # removed between the list and now
            return replace(record, exit_code=137, reason="ContainerStatusUnknown")
        container = self._context.pod.find_container(record.name)
        own = termination_message(self._context, container, record.attempt, status) if container else ""
        return replace(
            record,
            started_at_ns=status.started_at,
            finished_at_ns=status.finished_at,
            exit_code=status.exit_code,
            reason=status.reason,
            message="\n".join(text for text in (status.message, own) if text),
        )


def termination_message(context: PodContext, container: Container, attempt: int, status: api.ContainerStatus) -> str:
    """What the container left in its terminationMessagePath, or the end of its log when the policy says so."""
    text = ""
    try:
        with open(termination_file(context, container, attempt), "rb") as file:
            text = file.read()[-MESSAGE_LIMIT_BYTES:].decode(errors="replace")
    except OSError:
        text = ""
    if text or container.termination_message_policy == "File" or status.exit_code == 0:
        return text
    path = f"{context.log_directory}/{log_path(container.name, attempt)}"
    return tail_text(path, lines=FALLBACK_LINES, limit_bytes=FALLBACK_LIMIT_BYTES)


def _sandbox(item: api.PodSandbox) -> SandboxRecord:
    return SandboxRecord(
        id=item.id,
        attempt=item.metadata.attempt,
        ready=item.state == api.SANDBOX_READY,
        created_at_ns=item.created_at,
    )
