"""What the runtime holds, in few words, for tests of pure decisions."""

from __future__ import annotations

from typing import Any

from podwright.agent.pods.hashes import container_hash
from podwright.agent.pods.identity import CONTAINER_HASH
from podwright.agent.runtime.records import (
    ContainerState,
    ContainerStatus,
    ObservedPod,
    SandboxState,
    SandboxStatus,
)
from podwright.k8s.objects import Container
from tests.agent.fakes.pods import container

SECOND = 10**9


def sandbox(
    attempt: int = 0, *, ready: bool = True, ips: tuple[str, ...] = ("10.0.0.1",), **fields: Any
) -> SandboxStatus:
    """A sandbox of the pod."""
    return SandboxStatus(
        id=f"sandbox{attempt}",
        pod_uid="uid-web",
        pod_name="web",
        pod_namespace="default",
        attempt=attempt,
        state=SandboxState.READY if ready else SandboxState.NOTREADY,
        created_at_ns=attempt * SECOND,
        ips=ips,
        **fields,
    )


def running(name: str = "main", attempt: int = 0, *, of: Container | None = None, **fields: Any) -> ContainerStatus:
    """An instance that runs, made of the definition `of`."""
    return _status(name, attempt, ContainerState.RUNNING, of, started_at_ns=SECOND, **fields)


def exited(
    name: str = "main", exit_code: int = 0, attempt: int = 0, *, of: Container | None = None, **fields: Any
) -> ContainerStatus:
    """An instance that has ended."""
    reason = "Error" if exit_code else "Completed"
    times = {"started_at_ns": SECOND, "finished_at_ns": 2 * SECOND}
    return _status(
        name, attempt, ContainerState.EXITED, of, **{"exit_code": exit_code, "reason": reason, **times, **fields}
    )


def created(name: str = "main", attempt: int = 0) -> ContainerStatus:
    """An instance that was made and never ran."""
    return _status(name, attempt, ContainerState.CREATED, None)


def unknown(name: str = "main", attempt: int = 0) -> ContainerStatus:
    """An instance that the runtime has lost."""
    return _status(name, attempt, ContainerState.UNKNOWN, None)


def _status(name: str, attempt: int, state: ContainerState, of: Container | None, **fields: Any) -> ContainerStatus:
    definition = of or container(name)
    return ContainerStatus(
        id=f"{name}-{attempt}",
        name=name,
        sandbox_id="sandbox0",
        restart_count=attempt,
        state=state,
        created_at_ns=attempt * SECOND,
        image=definition.image,
        annotations={CONTAINER_HASH: container_hash(definition)},
        **fields,
    )


def observed(*containers: ContainerStatus, sandboxes: tuple[SandboxStatus, ...] | None = None) -> ObservedPod:
    """The pod `web` with these, newest first, in one ready sandbox unless others are given."""
    return ObservedPod(
        uid="uid-web",
        name="web",
        namespace="default",
        sandboxes=(sandbox(),) if sandboxes is None else sandboxes,
        containers=containers,
    )
