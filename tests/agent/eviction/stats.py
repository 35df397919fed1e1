"""Statistics of nodes and pods, in few words. Sizes are bytes."""

from __future__ import annotations

from podwright.agent.stats.protocol import Filesystems
from podwright.agent.stats.records import (
    Fs,
    NodeStats,
    PodReference,
    PodStats,
    Rlimit,
    SummaryContainer,
    SummaryMemory,
    SummaryProcesses,
    SummaryVolume,
    moment,
)

START_NS = 1_700_000_000 * 10**9


def at(seconds: float = 0) -> int:
    """Nanoseconds since the epoch."""
    return START_NS + int(seconds * 1e9)


def fs(available: int, capacity: int = 1000, inodes_free: int = 1000, inodes: int = 1000, *, time_s: float = 0) -> Fs:
    return Fs(
        time=moment(at(time_s)),
        available_bytes=available,
        capacity_bytes=capacity,
        inodes_free=inodes_free,
        inodes=inodes,
    )


def memory(available: int, working_set: int, *, usage: int | None = None, time_s: float = 0) -> SummaryMemory:
    return SummaryMemory(
        time=moment(at(time_s)),
        available_bytes=available,
        working_set_bytes=working_set,
        usage_bytes=working_set if usage is None else usage,
    )


def node(
    *,
    available: int = 1000,
    capacity: int = 1000,
    pods: SummaryMemory | None = None,
    pids: tuple[int, int] = (10, 1000),
    time_s: float = 0,
) -> NodeStats:
    """A node with so much memory available; `pids` are how many there are and may be."""
    parts = (SummaryContainer(name="pods", start_time=moment(START_NS), memory=pods),) if pods is not None else ()
    return NodeStats(
        node_name="node-a",
        start_time=moment(START_NS),
        system_containers=parts,
        memory=memory(available, capacity - available, time_s=time_s),
        rlimit=Rlimit(time=moment(at(time_s)), curproc=pids[0], maxpid=pids[1]),
    )


def filesystems(available: int = 1000, *, time_s: float = 0, images: Fs | None = None) -> Filesystems:
    """One filesystem for all, or images on one of their own."""
    found = fs(available, time_s=time_s)
    return Filesystems(
        node=found, images=images or found, containers=images or found, dedicated_images=images is not None
    )


def used(bytes_: int, inodes: int = 0) -> Fs:
    return Fs(time=moment(START_NS), used_bytes=bytes_, inodes_used=inodes)


def pod_stats(
    name: str,
    *,
    working_set: int = 0,
    processes: int = 0,
    layers: Fs | None = None,
    logs: Fs | None = None,
    volumes: dict[str, Fs] | None = None,
    ephemeral: int | None = None,
) -> PodStats:
    """Of `fakes.pods.pod(name)`, with its one container."""
    main = SummaryContainer(
        name="main",
        start_time=moment(START_NS),
        memory=memory(0, working_set),
        rootfs=layers or used(0),
        logs=logs or used(0),
    )
    return PodStats(
        pod_ref=PodReference(name=name, namespace="default", uid=f"uid-{name}"),
        start_time=moment(START_NS),
        containers=(main,),
        memory=memory(0, working_set),
        process_stats=SummaryProcesses(process_count=processes),
        volume_stats=tuple(
            SummaryVolume(name=name, time=each.time, used_bytes=each.used_bytes, inodes_used=each.inodes_used)
            for name, each in (volumes or {}).items()
        ),
        ephemeral_storage=used(ephemeral) if ephemeral is not None else None,
    )
