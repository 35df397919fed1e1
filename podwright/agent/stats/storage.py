"""A pod's ephemeral storage: layers, logs, volumes on the node's disk, /etc/hosts. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from podwright.agent.stats.records import Fs, SummaryContainer, SummaryVolume


def ephemeral_storage(
    node: Fs, containers: Iterable[SummaryContainer], volumes: Iterable[SummaryVolume], files: Iterable[Fs]
) -> Fs:
    """The sum.

    `files` are the pod's own files outside of containers. The rules are those of the kubelet's calcEphemeralStorage.
    """
    parts: list[Fs | SummaryVolume | None] = [each.rootfs for each in containers]
    parts += [each.logs for each in containers if each.rootfs is not None]
    parts += [*volumes, *files]
    found = [part for part in parts if part is not None]
    return Fs(
        time=max([node.time, *(part.time for part in found)]),
        available_bytes=node.available_bytes,
        capacity_bytes=node.capacity_bytes,
        inodes_free=node.inodes_free,
        inodes=node.inodes,
        used_bytes=_sum(part.used_bytes for part in found),
        inodes_used=_sum(part.inodes_used for part in found),
    )


def _sum(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
