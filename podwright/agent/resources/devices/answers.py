"""Turns the answers of plug-ins to Allocate into the allocation for a container. Pure."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TypeVar

from podwright.agent.configs.devices import Allocation, AllottedDevice, HostMount
from podwright.kubelet_grpc import device_plugin_pb2 as messages

log = logging.getLogger(__name__)

Part = TypeVar("Part")


def allocation_of(answers: Iterable[bytes]) -> Allocation:
    """The allocation of all answers for one container. Of two entries with the same name or path the first counts."""
    found = [messages.ContainerAllocateResponse.FromString(answer) for answer in answers]
    devices = [
        AllottedDevice(host_path=each.host_path, container_path=each.container_path, permissions=each.permissions)
        for answer in found
        for each in answer.devices
    ]
    mounts = [
        HostMount(host_path=each.host_path, container_path=each.container_path, read_only=each.read_only)
        for answer in found
        for each in answer.mounts
    ]
    return Allocation(
        devices=_distinct(devices, lambda device: device.container_path, "device"),
        mounts=_distinct(mounts, lambda mount: mount.container_path, "mount"),
        environment=dict(_distinct((pair for answer in found for pair in answer.envs.items()), _name, "variable")),
        annotations=dict(
            _distinct((pair for answer in found for pair in answer.annotations.items()), _name, "annotation")
        ),
        cdi_devices=tuple(dict.fromkeys(each.name for answer in found for each in answer.cdi_devices)),
    )


def _name(pair: tuple[str, str]) -> str:
    return pair[0]


def _distinct(parts: Iterable[Part], name_of: Callable[[Part], str], what: str) -> tuple[Part, ...]:
    kept: dict[str, Part] = {}
    for part in parts:
        if kept.setdefault(name_of(part), part) != part:
            log.warning("device plug-ins contradict each other, the first counts: %s=%s", what, name_of(part))
    return tuple(kept.values())
