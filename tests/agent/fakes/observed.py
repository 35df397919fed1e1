"""What the runtime holds, in few words, for tests of pure decisions."""

from __future__ import annotations

from typing import Any

from podwright.agent.pods.hashes import container_hash
from podwright.agent.pods.identity import CONTAINER_HASH
from podwright.agent.runtime.records import (
    CriContainerState,
    CriContainerStatus,
    CriSandboxState,
    ObservedPod,
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
        state=CriSandboxState.READY if ready else CriSandboxState.NOTREADY,
        created_at_ns=attempt * SECOND,
        ips=ips,
        **fields,
    )


def running(name: str = "main", attempt: int = 0, *, of: Container | None = None, **fields: Any) -> CriContainerStatus:
    """An instance that runs, made of the definition `of`."""
    return _status(name, attempt, CriContainerState.RUNNING, of, started_at_ns=SECOND, **fields)


def exited(
    name: str = "main", exit_code: int = 0, attempt: int = 0, *, of: Container | None = None, **fields: Any
) -> CriContainerStatus:
    """An instance that has ended."""
    reason = "Error" if exit_code else "Completed"
    times = {"started_at_ns": SECOND, "finished_at_ns": 2 * SECOND}
    return _status(
        name, attempt, CriContainerState.EXITED, of, **{"exit_code": exit_code, "reason": reason, **times, **fields}
    )


def created(name: str = "main", attempt: int = 0) -> CriContainerStatus:
    """An instance that was made and never ran."""
    return _status(name, attempt, CriContainerState.CREATED, None)


def unknown(name: str = "main", attempt: int = 0) -> CriContainerStatus:
    """An instance that the runtime has lost."""
    return _status(name, attempt, CriContainerState.UNKNOWN, None)


def _status(
    name: str, attempt: int, state: CriContainerState, of: Container | None, **fields: Any
) -> CriContainerStatus:
    definition = of or container(name)
    return CriContainerStatus(
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


def observed(*containers: CriContainerStatus, sandboxes: tuple[SandboxStatus, ...] | None = None) -> ObservedPod:
    """The pod `web` with these, newest first, in one ready sandbox unless others are given."""
    return ObservedPod(
        uid="uid-web",
        name="web",
        namespace="default",
        sandboxes=(sandbox(),) if sandboxes is None else sandboxes,
        containers=containers,
    )
