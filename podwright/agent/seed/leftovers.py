"""What earlier runs left at a CRI server. Called at the start of a run, and to find a pod of the same name."""

from __future__ import annotations

from podwright.agent.seed.orchestration.identity import POD_NAME, POD_NAMESPACE, POD_UID
from podwright.cri.client import CriClient
from podwright.cri.v1 import api_pb2 as api
from podwright.errors import AlreadyExists


async def known_uids(cri: CriClient) -> frozenset[str]:
    """The UIDs of all pods that the server holds anything of."""
    response = await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())
    return frozenset(item.labels.get(POD_UID) or item.metadata.uid for item in response.items)


async def remove_everything(cri: CriClient) -> int:
    """Stop and remove all pods of an embedded server, which only held those of dead runs; how many there were."""
    sandboxes = (await cri.call(cri.runtime.ListPodSandbox, api.ListPodSandboxRequest())).items
    containers = (await cri.call(cri.runtime.ListContainers, api.ListContainersRequest())).containers
    for container in containers:
        stop = api.StopContainerRequest(container_id=container.id, timeout=0)
        await cri.call(cri.runtime.StopContainer, stop)
        remove = api.RemoveContainerRequest(container_id=container.id)
        await cri.call(cri.runtime.RemoveContainer, remove)
    for sandbox in sandboxes:
        await cri.call(cri.runtime.StopPodSandbox, api.StopPodSandboxRequest(pod_sandbox_id=sandbox.id))
        await cri.call(cri.runtime.RemovePodSandbox, api.RemovePodSandboxRequest(pod_sandbox_id=sandbox.id))
    return len(sandboxes)


async def refuse_same_name(cri: CriClient, namespace: str, name: str) -> None:
    """Raises AlreadyExists when a pod of that name runs: two would fight for ports and confuse whoever looks."""
    labels = {POD_NAMESPACE: namespace, POD_NAME: name}
    ready = api.PodSandboxStateValue(state=api.SANDBOX_READY)
    request = api.ListPodSandboxRequest(filter=api.PodSandboxFilter(label_selector=labels, state=ready))
    running = (await cri.call(cri.runtime.ListPodSandbox, request)).items
    if running:
        message = f"pod {namespace}/{name} runs already ({running[0].id[:13]})"
        raise AlreadyExists(message, hint=f"podwright rm -f {running[0].id[:13]}, or give it another name")
