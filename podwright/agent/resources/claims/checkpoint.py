"""The kubelet's file of claims in use, `dra_manager_state`: JSON inside of JSON, with a CRC-32. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable

import msgspec

from podwright.agent.resources.claims.records import ClaimDevice, ClaimRecord
from podwright.errors import FailedPrecondition

FILE_NAME = "dra_manager_state"
KIND, API_VERSION = "DRACheckpoint", "checkpoint.dra.kubelet.k8s.io/v1"
HINT = "drain the node and remove the file"


class _Device(msgspec.Struct, frozen=True, rename="pascal"):
    pool_name: str
    device_name: str
    share_id: str | None = msgspec.field(name="ShareID", default=None)
    request_names: list[str] | None = None
    cdi_device_ids: list[str] | None = msgspec.field(name="CDIDeviceIDs", default=None)


class _StoredDriver(msgspec.Struct, frozen=True, rename="pascal"):
    devices: list[_Device] | None = None


class _StoredClaim(msgspec.Struct, frozen=True, rename="pascal"):
    claim_uid: str = msgspec.field(name="ClaimUID")
    claim_name: str
    namespace: str
    pod_uids: dict[str, dict[str, str]] | None = msgspec.field(name="PodUIDs")
    driver_state: dict[str, _StoredDriver] | None


class _ClaimData(msgspec.Struct, frozen=True):
    kind: str
    api_version: str = msgspec.field(name="apiVersion")
    claims: list[_StoredClaim] | None = msgspec.field(name="ClaimInfoStateList")


class _ClaimFile(msgspec.Struct, frozen=True, rename="pascal"):
    data: str
    checksum: int


def encode(records: Iterable[ClaimRecord]) -> bytes:
    """The file's bytes."""
    claims = [
        _StoredClaim(
            claim_uid=record.uid,
            claim_name=record.name,
            namespace=record.namespace,
            pod_uids={uid: {} for uid in sorted(record.pods)},
            driver_state={name: _driver(devices) for name, devices in sorted(record.drivers.items())},
        )
        for record in records
    ]
    data = msgspec.json.encode(_ClaimData(kind=KIND, api_version=API_VERSION, claims=claims))
    return msgspec.json.encode(_ClaimFile(data=data.decode(), checksum=zlib.crc32(data)))


def decode(content: bytes) -> list[ClaimRecord]:
    """Parse the file. Raises FailedPrecondition if it is invalid or damaged."""
    try:
        file = msgspec.json.decode(content, type=_ClaimFile)
        data = file.data.encode()
        if zlib.crc32(data) != file.checksum:
            raise FailedPrecondition(f"{FILE_NAME} is damaged: its checksum is wrong", hint=HINT)
        found = msgspec.json.decode(data, type=_ClaimData)
    except (msgspec.DecodeError, UnicodeError) as failure:
        raise FailedPrecondition(f"{FILE_NAME} cannot be read: {failure}", hint=HINT) from failure
    return [_record(claim) for claim in found.claims or ()]


def _driver(devices: Iterable[ClaimDevice]) -> _StoredDriver:
    kept = [
        _Device(
            pool_name=device.pool,
            device_name=device.device,
            share_id=device.share,
            request_names=list(device.requests),
            cdi_device_ids=list(device.cdi_names),
        )
        for device in devices
    ]
    return _StoredDriver(devices=kept or None)


def _record(claim: _StoredClaim) -> ClaimRecord:
    return ClaimRecord(
        uid=claim.claim_uid,
        name=claim.claim_name,
        namespace=claim.namespace,
        pods=frozenset(claim.pod_uids or ()),
        drivers={name: _devices(driver) for name, driver in (claim.driver_state or {}).items()},
    )


def _devices(driver: _StoredDriver) -> tuple[ClaimDevice, ...]:
    return tuple(map(_device, driver.devices or ()))


def _device(device: _Device) -> ClaimDevice:
    return ClaimDevice(
        pool=device.pool_name,
        device=device.device_name,
        share=device.share_id,
        requests=tuple(device.request_names or ()),
        cdi_names=tuple(device.cdi_device_ids or ()),
    )
