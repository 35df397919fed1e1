"""The conditions PodResizePending and PodResizeInProgress of every pod.

The rules are those of pkg/kubelet/status/status_manager.go of Kubernetes 1.36: a condition keeps the generation of the
spec that it is about, which may be older than the pod's.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace

from podwright.k8s.objects import Pod, PodCondition

PENDING, IN_PROGRESS = "PodResizePending", "PodResizeInProgress"
DEFERRED, INFEASIBLE, ERROR = "Deferred", "Infeasible", "Error"


class _Resize(msgspec.Struct, frozen=True, kw_only=True):
    pending: PodCondition | None = None
    in_progress: PodCondition | None = None


class ResizeConditions:
    """The conditions about resizes of all pods, by UID."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._pods: dict[str, _Resize] = {}

    def of(self, uid: str) -> tuple[PodCondition, ...]:
        """The present conditions of a pod."""
        known = self._of(uid)
        return tuple(each for each in (known.pending, known.in_progress) if each is not None)

    def pending(self, uid: str) -> PodCondition | None:
        """Why the pod's resize is not allocated yet."""
        return self._of(uid).pending

    def defer(self, pod: Pod, reason: str, message: str) -> bool:
        """Set PodResizePending, because the resize is not accepted now.

        Returns whether the condition has changed. All reasons but `Infeasible` are `Deferred`.
        """
        uid, generation = pod.metadata.uid, pod.metadata.generation
        reason = reason if reason == INFEASIBLE else DEFERRED
        known = self._of(uid)
        new = self._condition(PENDING, known.pending, reason, message, generation)
        self._pods[uid] = _Resize(pending=new, in_progress=known.in_progress)
        before = known.pending
        return before is None or (before.reason, before.observed_generation) != (reason, generation)

    def clear_pending(self, uid: str) -> None:
        """Remove PodResizePending."""
        self._put(uid, _Resize(in_progress=self._of(uid).in_progress))

    def begin(self, pod: Pod) -> None:
        """Note that a resize was allocated. Forgets the failure of the one before."""
        new = self._condition(IN_PROGRESS, None, "", "", pod.metadata.generation)
        self._put(pod.metadata.uid, _Resize(in_progress=new))

    def progress(self, pod: Pod, reason: str = "", message: str = "") -> tuple[int, bool]:
        """Set PodResizeInProgress, with a reason after a failure. Returns its generation, and whether it has changed.

        Without a new reason the old one stays, until the resize is done.
        """
        known = self._of(pod.metadata.uid)
        before, generation = known.in_progress, pod.metadata.generation
        if before is not None:
            generation = before.observed_generation
            if not reason and not message:
                reason, message = before.reason, before.message
        new = self._condition(IN_PROGRESS, before, reason, message, generation)
        self._put(pod.metadata.uid, _Resize(pending=known.pending, in_progress=new))
        return generation, before is None or (before.reason, before.message) != (reason, message)

    def finish(self, uid: str) -> int | None:
        """Remove PodResizeInProgress, because the pod has what it was allocated.

        Returns the generation of the finished resize, None if there was none.
        """
        known = self._of(uid)
        self._put(uid, _Resize(pending=known.pending))
        return known.in_progress.observed_generation if known.in_progress is not None else None

    def recover(self, pods: Iterable[Pod]) -> None:
        """Take over the conditions at the API of pods that are new to this agent."""
        for pod in pods:
            shown = {each.type: each for each in pod.status.conditions}
            found = _Resize(pending=shown.get(PENDING), in_progress=shown.get(IN_PROGRESS))
            if pod.metadata.uid not in self._pods:
                self._put(pod.metadata.uid, found)

    def retain(self, uids: Collection[str]) -> None:
        """Forget all pods except these."""
        self._pods = {uid: each for uid, each in self._pods.items() if uid in uids}

    def _of(self, uid: str) -> _Resize:
        return self._pods.get(uid, _Resize())

    def _put(self, uid: str, resize: _Resize) -> None:
        if resize == _Resize():
            self._pods.pop(uid, None)
        else:
            self._pods[uid] = resize

    def _condition(
        self, type_: str, before: PodCondition | None, reason: str, message: str, generation: int
    ) -> PodCondition:
        """A condition. Its time of transition changes with the reason, because the status is always True."""
        now = self._now()
        is_same = before is not None and before.reason == reason
        since = before.last_transition_time if before is not None and is_same else now
        return replace(
            PodCondition(type=type_, status="True"),
            reason=reason,
            message=message,
            observed_generation=generation,
            last_probe_time=now,
            last_transition_time=since,
        )
