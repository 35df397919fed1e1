"""Turns the complete sets that sources send into changes of pods.

The rules are the kubelet's (pkg/kubelet/config/config.go of Kubernetes 1.36).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping

import msgspec

from podwright.agent.clock import Clock, utc_now
from podwright.agent.pods.identity import CONFIG_SEEN, CONFIG_SOURCE, LOCAL_ANNOTATIONS, full_name
from podwright.agent.sources.changes import Operation, SourceChange
from podwright.k8s.objects import Pod

log = logging.getLogger(__name__)

Dropped = Callable[[Pod, str], None]


class Merger:
    """Remembers each source's last set."""

    def __init__(self, clock: Clock, dropped: Dropped) -> None:
        """`dropped` is called once for each ignored pod, with the reason."""
        self._clock = clock
        self._dropped = dropped
        self._sets: dict[str, dict[str, Pod]] = {}
        self._left_out: dict[str, frozenset[str]] = {}  # the UIDs of ignored pods, by source

    def seen(self) -> frozenset[str]:
        """The sources that have sent a set."""
        return frozenset(self._sets)

    def merge(self, source: str, pods: Iterable[Pod]) -> list[SourceChange]:
        """The changes that lead to this set of the source's pods, in order."""
        is_first = source not in self._sets
        known = self._sets.get(source, {})
        found: dict[Operation, list[Pod]] = {operation: [] for operation in Operation}
        current: dict[str, Pod] = {}
        operation: Operation | None
        for pod in self._unique(source, pods, known):
            uid = pod.metadata.uid
            before = known.get(uid)
            if before is None:
                kept, operation = self._adopted(pod, source), Operation.ADD  # also one that is being deleted
            else:
                kept, operation = _updated(before, pod)
            if operation is not None:
                found[operation].append(kept)
            current[uid] = kept
        found[Operation.REMOVE] = [pod for uid, pod in known.items() if uid not in current]
        self._sets[source] = current
        changes = [
            SourceChange(operation=operation, pods=tuple(changed), source=source)
            for operation, changed in found.items()
            if changed
        ]
        if is_first and not changes:
            changes.append(SourceChange(operation=Operation.ADD, pods=(), source=source))
        return changes

    def _unique(self, source: str, pods: Iterable[Pod], known: Mapping[str, Pod]) -> list[Pod]:
        """The pods of the set, each name and UID once.

        Known pods have priority: a second manifest with the same name must not end the running pod.
        """
        names: set[str] = set()
        unique: dict[str, Pod] = {}
        left_out: dict[str, Pod] = {}
        for pod in sorted(pods, key=lambda each: each.metadata.uid not in known):
            name, uid = full_name(pod), pod.metadata.uid
            if name in names or uid in unique:
                left_out[uid] = pod
                continue
            names.add(name)
            unique[uid] = pod
        for uid, pod in left_out.items():
            if uid not in self._left_out.get(source, ()):
                name = f"{pod.metadata.namespace}/{pod.metadata.name}"
                self._dropped(pod, f"another pod of this source is called {name}")
        self._left_out[source] = frozenset(left_out)
        return list(unique.values())

    def _adopted(self, pod: Pod, source: str) -> Pod:
        """The pod with its source and the time when it was first seen."""
        seen = utc_now(self._clock).isoformat().replace("+00:00", "Z")
        local = {CONFIG_SOURCE: source, CONFIG_SEEN: seen}
        return _with_annotations(pod, {**pod.metadata.annotations, **local})


def _updated(before: Pod, pod: Pod) -> tuple[Pod, Operation | None]:
    """The pod to keep, and the operation for the pod before. None for no change.

    The agent's own annotations stay, so that they make no difference.
    """
    kept = {key: value for key, value in before.metadata.annotations.items() if key in LOCAL_ANNOTATIONS}
    merged = _with_annotations(pod, {**pod.metadata.annotations, **kept})
    if not _differs(before, merged):
        if before.status != merged.status:
            return merged, Operation.RECONCILE
        return before, None
    deleting = merged.metadata.deletion_timestamp is not None
    return merged, Operation.DELETE if deleting else Operation.UPDATE


def _differs(before: Pod, pod: Pod) -> bool:
    """Whether anything that the agent acts on has changed."""
    old, new = before.metadata, pod.metadata
    return (
        before.spec != pod.spec
        or old.labels != new.labels
        or old.annotations != new.annotations
        or old.deletion_timestamp != new.deletion_timestamp
        or old.deletion_grace_period_seconds != new.deletion_grace_period_seconds
    )


def _with_annotations(pod: Pod, annotations: dict[str, str]) -> Pod:
    metadata = msgspec.structs.replace(pod.metadata, annotations=annotations)
    return msgspec.structs.replace(pod, metadata=metadata)
