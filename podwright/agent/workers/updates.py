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
    SYNC = "sync"  # something happened at the runtime, or the pod is due
    KILL = "kill"  # the pod must end


class KillOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How a pod must end. `grace_s` replaces the pod's own grace when it is shorter."""

    grace_s: int | None = None
    set_status: SetStatus | None = None  # changes the status that is published while the pod ends
    evict: bool = False
    completed: asyncio.Future[None] | None = None  # completed when no container runs any more


class PodUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """One request. For a pod that only the runtime has, `runtime_pod` is set instead of `pod`, and `kind` is KILL."""

    kind: UpdateKind
    pod: Pod | None = None
    mirror: Pod | None = None
    runtime_pod: ObservedPod | None = None
    kill: KillOptions | None = None

    @property
    def uid(self) -> str:
        """The UID of the pod."""
        if self.pod is not None:
            return self.pod.metadata.uid
        if self.runtime_pod is not None:
            return self.runtime_pod.uid
        return ""
