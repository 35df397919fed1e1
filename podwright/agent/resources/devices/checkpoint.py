"""The kubelet's file of allotted devices, `kubelet_internal_checkpoint`. Pure.

See `state_files` for its checksum, over the text of the structures of the kubelet's device manager.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from podwright.agent.resources import state_files
from podwright.agent.resources.devices.allotments import Allotment, Holding
from podwright.errors import InvalidArgument

FILE_NAME = "kubelet_internal_checkpoint"


class _DeviceEntry(msgspec.Struct, frozen=True, rename="pascal"):
    pod_uid: str = msgspec.field(name="PodUID")
    container_name: str
    resource_name: str
    device_ids: dict[int, list[str]] | None = msgspec.field(name="DeviceIDs")
    alloc_resp: str | None  # base64


class _DeviceData(msgspec.Struct, frozen=True, rename="pascal"):
    pod_device_entries: list[_DeviceEntry] | None
    registered_devices: dict[str, list[str] | None] | None


class _DeviceFile(msgspec.Struct, frozen=True, rename="pascal"):
    data: _DeviceData
    checksum: int


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """The content: allotments, and the resources that had a plug-in, each with the ids of its healthy devices."""

    holdings: tuple[Holding, ...]
    registered: Mapping[str, Sequence[str]]


def encode(holdings: Iterable[Holding], registered: Mapping[str, Sequence[str]]) -> bytes:
    """The file's bytes."""
    entries = [
        _DeviceEntry(
            pod_uid=each.uid,
            container_name=each.container,
            resource_name=each.resource,
            device_ids={node: list(ids) for node, ids in sorted(each.allotment.devices.items())},
            alloc_resp=base64.b64encode(each.allotment.answer).decode(),
        )
        for each in holdings
    ]
    data = _DeviceData(
        pod_device_entries=entries or None,
        registered_devices={name: list(ids) for name, ids in sorted(registered.items())},
    )
    return msgspec.json.encode(_DeviceFile(data=data, checksum=_checksum(data)))


def decode(text: bytes) -> Checkpoint:
    """Parse the file. Raises InvalidArgument if it is invalid or damaged."""
    try:
        file = msgspec.json.decode(text, type=_DeviceFile)
        wanted = _checksum(file.data)
        holdings = tuple(_holding(entry) for entry in file.data.pod_device_entries or ())
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error) as failure:
        raise InvalidArgument(f"the checkpoint of devices cannot be read: {failure}") from failure
    if file.checksum != wanted:
        raise InvalidArgument(f"the checkpoint of devices is damaged: checksum {file.checksum}, computed {wanted}")
    registered = {name: tuple(ids or ()) for name, ids in (file.data.registered_devices or {}).items()}
    return Checkpoint(holdings=holdings, registered=registered)


def _holding(entry: _DeviceEntry) -> Holding:
    allotment = Allotment(
        devices={node: tuple(ids) for node, ids in (entry.device_ids or {}).items()},
        answer=base64.b64decode(entry.alloc_resp or "", validate=True),
    )
    return Holding(
        uid=entry.pod_uid, container=entry.container_name, resource=entry.resource_name, allotment=allotment
    )


def _checksum(data: _DeviceData) -> int:
    return state_files.checksum(_spewed(data))


def _spewed(data: _DeviceData) -> str:
    entries, registered = data.pod_device_entries, data.registered_devices
    listed = "<nil>" if entries is None else _listed(_spewed_entry(entry) for entry in entries)
    mapped = "<nil>" if registered is None else _mapped(registered)
    return (
        f"(checkpoint.checkpointData){{PodDeviceEntries:([]checkpoint.PodDevicesEntry){listed} "
        f"RegisteredDevices:(map[string][]string){mapped}}}"
    )


def _spewed_entry(entry: _DeviceEntry) -> str:
    ids = "<nil>" if entry.device_ids is None else _mapped(entry.device_ids)
    answer = "<nil>" if entry.alloc_resp is None else _listed(map(str, base64.b64decode(entry.alloc_resp)))
    return (
        f"{{PodUID:(string){entry.pod_uid} ContainerName:(string){entry.container_name} "
        f"ResourceName:(string){entry.resource_name} DeviceIDs:(checkpoint.DevicesPerNUMA){ids} "
        f"AllocResp:([]uint8){answer}}}"
    )


def _mapped(mapping: Mapping[int, list[str]] | Mapping[str, list[str] | None]) -> str:
    parts = (f"{key}:{'<nil>' if ids is None else _listed(ids)}" for key, ids in sorted(mapping.items()))
    return "map" + _listed(parts)


def _listed(parts: Iterable[str]) -> str:
    return "[" + " ".join(parts) + "]"
