"""Decides which dead containers and sandboxes to remove.

Pure. The rules are the kubelet's (pkg/kubelet/kuberuntime).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence

import msgspec

from podwright.agent.runtime.records import (
    ContainerSummary,
    CriContainerState,
    CriContainerStatus,
    CriSandboxState,
    SandboxSummary,
)

IsRemovable = Callable[[str], bool]  # whether nothing of the pod with this UID is needed any more
LOG_DIRECTORY_PARTS = 3  # namespace, name and UID: none of them has an underscore


class DeadContainerLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How many dead containers stay. Negative numbers: no limit."""

    per_container: int = 1
    total: int = -1
    min_age_s: float = 0.0


def dead_containers(
    containers: Iterable[ContainerSummary], kept: DeadContainerLimits, now_ns: int, is_removable: IsRemovable
) -> list[ContainerSummary]:
    """The containers to remove: all of gone pods, and the oldest of other pods.

    The attempt decides which instance of a container is newer, because the clock may have been set back in between. So
    an instance from the future counts as old enough.
    """
    units: dict[tuple[str, str], list[ContainerSummary]] = defaultdict(list)
    gone: list[ContainerSummary] = []
    for each in sorted(containers, key=_age, reverse=True):
        is_young = 0 <= now_ns - each.created_at_ns < kept.min_age_s * 1e9
        if each.state is CriContainerState.RUNNING or is_young:
            continue
        if is_removable(each.pod_uid):
            gone.append(each)
        else:
            units[each.pod_uid, each.name].append(each)
    return gone + _beyond(units, kept.per_container) + _beyond_total(units, kept.total)


def _beyond(units: dict[tuple[str, str], list[ContainerSummary]], limit: int) -> list[ContainerSummary]:
    """Remove from each unit, and return, all instances except the newest `limit`."""
    taken: list[ContainerSummary] = []
    for unit in units.values() if limit >= 0 else ():
        taken += unit[limit:]
        del unit[limit:]
    return taken


def _beyond_total(units: dict[tuple[str, str], list[ContainerSummary]], total: int) -> list[ContainerSummary]:
    """Keep `total` instances: an equal share for each unit, at least one, and then the newest. Returns the others."""
    count = sum(map(len, units.values()))
    if total < 0 or count <= total:
        return []
    shares = _beyond(units, max(total // len(units), 1))
    left = sorted((each for unit in units.values() for each in unit), key=lambda each: -each.created_at_ns)
    return shares + left[total:]


def dead_instances(statuses: Sequence[CriContainerStatus], per_container: int) -> list[CriContainerStatus]:
    """The ended instances of one pod, except the newest of each container. `statuses` has the newest first."""
    seen: dict[str, int] = defaultdict(int)
    found = []
    for status in statuses:
        if status.state is CriContainerState.EXITED:
            seen[status.name] += 1
            if 0 <= per_container < seen[status.name]:
                found.append(status)
    return found


def dead_sandboxes(
    sandboxes: Iterable[SandboxSummary], in_use: Collection[str], is_removable: IsRemovable
) -> list[SandboxSummary]:
    """The sandboxes to remove: not ready, without containers (not in `in_use`), and not the newest of their pod."""
    pods: dict[str, list[SandboxSummary]] = defaultdict(list)
    for each in sorted(sandboxes, key=_age, reverse=True):
        pods[each.pod_uid].append(each)
    candidates = [each for uid, of in pods.items() for each in (of if is_removable(uid) else of[1:])]
    return [each for each in candidates if each.state is not CriSandboxState.READY and each.id not in in_use]


def _age(each: ContainerSummary | SandboxSummary) -> tuple[int, int]:
    return each.attempt, each.created_at_ns


def uid_of_log_directory(name: str) -> str:
    """The pod's UID in `<namespace>_<name>_<UID>`. Empty for other folders."""
    parts = name.split("_")
    return parts[-1] if len(parts) == LOG_DIRECTORY_PARTS and all(parts) else ""
