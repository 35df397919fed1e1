"""A volume that is one too many for the node: its pod is refused, and the CSINode is corrected. Virtual time."""

from __future__ import annotations

import asyncio
import tempfile
from typing import Any

import pytest
from msgspec.structs import replace

from podwright.agent.csi.drivers import CsiDrivers, NoCluster
from podwright.agent.volumes.failures import AttachLimitExceeded
from podwright.agent.volumes.manager import VolumeManager
from podwright.errors import DeadlineExceeded, PodwrightError, Unavailable
from podwright.k8s.objects import VolumeAttachmentStatus, VolumeError
from tests.agent.fakes.time import run_virtual
from tests.agent.volumes.build import InlineWork
from tests.agent.volumes.storage.build import (
    DRIVER,
    MemoryNode,
    MemoryStorage,
    attachment,
    csi_driver,
    csi_volume,
    name_in_use,
    pod_of,
    storage_ports,
)

EXHAUSTED, OTHER = 8, 13  # of gRPC


class CountingDrivers(CsiDrivers):
    """Counts what is corrected. `failure` is what a correction runs into."""

    def __init__(self, failure: PodwrightError | None = None) -> None:
        super().__init__(NoCluster())
        self.refreshed: list[str] = []
        self._failure = failure

    async def refresh(self, name: str) -> None:
        self.refreshed.append(name)
        if self._failure is not None:
            raise self._failure


def storage(code: int | None, *, period_s: int | None = 60) -> MemoryStorage:
    """A volume whose attachment has failed with this code; None: it has not failed."""
    made = MemoryStorage()
    made.bind(csi_volume("disk", handle="h1"))
    made.drivers[DRIVER] = csi_driver(attach_required=True, node_allocatable_update_period_seconds=period_s)
    name, found = attachment("h1", attached=False)
    error = VolumeError(error_code=code, message="no room") if code is not None else None
    made.attachments[name] = replace(found, status=VolumeAttachmentStatus(attached=False, attach_error=error))
    return made


def wait(made: MemoryStorage, drivers: CsiDrivers, *, attached: bool = False) -> None:
    async def scenario() -> None:
        with tempfile.TemporaryDirectory() as root:
            node = MemoryNode()
            if attached:
                node.attach(name_in_use("h1"))
            manager = VolumeManager(storage_ports(made, node, drivers), root, InlineWork())
            try:
                await manager.wait_mounted(pod_of("disk"))
            finally:
                assert asyncio.get_running_loop().time() >= 123
                await manager.close()

    run_virtual(scenario())


@pytest.mark.parametrize("failure", [None, Unavailable("the driver does not answer")])
def test_the_pod_is_refused_and_the_node_corrected(failure: PodwrightError | None) -> None:
    drivers = CountingDrivers(failure)
    with pytest.raises(AttachLimitExceeded) as raised:
        wait(storage(EXHAUSTED), drivers)
    assert raised.value.message == (
        "Node has reached its volume attachment limit, rejecting pod. unmounted volumes=[disk], "
        "unattached volumes=[disk], failed to process volumes=[]: context deadline exceeded"
    )
    assert drivers.refreshed == [DRIVER]


OTHER_CASES: dict[str, dict[str, Any]] = {
    "another failure": {"code": OTHER},
    "no failure": {"code": None},
    "a driver that wants no corrections": {"code": EXHAUSTED, "period_s": None},
}


@pytest.mark.parametrize("case", OTHER_CASES.values(), ids=OTHER_CASES)
def test_other_volumes_are_waited_for(case: dict[str, Any]) -> None:
    drivers = CountingDrivers()
    with pytest.raises(DeadlineExceeded):
        wait(storage(case["code"], period_s=case.get("period_s", 60)), drivers)
    assert drivers.refreshed == []


def test_an_attachment_that_is_not_there_yet() -> None:
    made = storage(EXHAUSTED)
    made.attachments.clear()
    with pytest.raises(DeadlineExceeded):
        wait(made, CountingDrivers())


def test_a_volume_that_is_attached_is_not_over_the_limit() -> None:
    with pytest.raises(DeadlineExceeded):
        wait(storage(EXHAUSTED), CountingDrivers(), attached=True)
