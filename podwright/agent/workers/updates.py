"""Requests to a pod worker."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import Callable

import msgspec

from podwright.agent.runtime.records import ObservedPod
from podwright.k8s.objects import Pod, PodStatus

SetStatus = Callable[[PodStatus], PodStatus]


class UpdateKind(enum.Enum):
    """Why the worker is called."""

    CREATE = "create"  # the pod is new to this agent
    UPDATE = "update"  # its source changed it
    SYNC = "sync"  # something happened in the runtime, or it is time to look
    KILL = "kill"  # it must end


class KillOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a pod must end. `grace_s` replaces the pod's own grace when it is shorter."""

    grace_s: int | None = None
    set_status: SetStatus | None = None  # changes the status that is published while the pod terminates
    evict: bool = False
    completed: asyncio.Future[None] | None = None  # gets its result when no container runs any more


class PodUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One request. A pod that only the runtime knows has no `pod` but a `runtime_pod`, and can only be killed."""

    kind: UpdateKind
    pod: Pod | None = None
    mirror: Pod | None = None
    runtime_pod: ObservedPod | None = None
    kill: KillOptions | None = None

    @property
    def uid(self) -> str:
        """The UID of the pod that it is about."""
        if self.pod is not None:
            return self.pod.metadata.uid
        if self.runtime_pod is not None:
            return self.runtime_pod.uid
        return ""
