"""What a driver is told, and when we change groups: tables of the kubelet's rules."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from podwright.agent.csi.values import DriverCapability
from podwright.agent.volumes.ownership import GroupChange
from podwright.agent.volumes.storage import csi_inputs
from podwright.agent.volumes.storage.expansion import Growth, wanted_growth
from podwright.agent.volumes.storage.options import mount_flags
from podwright.agent.volumes.storage.plans import CsiPlan, attachment_name, inline_handle
from podwright.errors import FailedPrecondition
from podwright.k8s.objects import VolumeError
from podwright.linux.mount import MS_NODEV, MS_RDONLY
from tests.agent.volumes.storage.build import MemoryStorage, attachment, csi_driver, csi_volume

NOTHING: frozenset[DriverCapability] = frozenset()
GROUP = frozenset({DriverCapability.VOLUME_MOUNT_GROUP})


def plan(**fields: Any) -> CsiPlan:
    defaults: dict[str, Any] = {
        "name": "disk",
        "directory": "/pods/u",
        "uid": "u",
        "driver": "host.csi.test",
        "handle": "h1",
        "fs_type": "ext4",
        "access_modes": ("ReadWriteOnce",),
        "group": GroupChange(group=42),
        "persistent": csi_volume(),
    }
    return CsiPlan(**{**defaults, **fields})


@pytest.mark.parametrize(
    ("policy", "fields", "can", "changes"),
    [
        ("", {}, NOTHING, True),
        ("ReadWriteOnceWithFSType", {"access_modes": ("ReadWriteOncePod",)}, NOTHING, True),
        ("ReadWriteOnceWithFSType", {"access_modes": ("ReadWriteMany",)}, NOTHING, False),
        ("ReadWriteOnceWithFSType", {"fs_type": ""}, NOTHING, False),
        ("ReadWriteOnceWithFSType", {"persistent": None, "access_modes": ()}, NOTHING, True),
        ("File", {"fs_type": "", "access_modes": ("ReadWriteMany",)}, NOTHING, True),
        ("File", {"read_only": True}, NOTHING, False),
        ("File", {"group": None}, NOTHING, False),
        ("File", {"is_block": True}, NOTHING, False),
        ("File", {}, GROUP, False),
        ("None", {}, NOTHING, False),
    ],
)
def test_who_changes_the_group(
    policy: str, fields: dict[str, Any], can: frozenset[DriverCapability], *, changes: bool
) -> None:
    driver = csi_driver(fs_group_policy=policy) if policy else None
    assert csi_inputs.changes_group(plan(**fields), driver, can) is changes


def test_a_driver_that_can_gives_the_files_to_the_group() -> None:
    assert csi_inputs.access_of(plan(), GROUP).group == 42
    assert csi_inputs.access_of(plan(), NOTHING).group is None
    assert csi_inputs.access_of(plan(is_block=True), GROUP).is_block


def test_an_attachment_counts_when_it_says_so() -> None:
    _, found = attachment("h1", lun="3")
    assert csi_inputs.checked_attachment(found, "h1") == {"lun": "3"}
    _, missing = attachment("h1", attached=False)
    with pytest.raises(FailedPrecondition, match="volume h1 is not attached for volume attachment csi-"):
        csi_inputs.checked_attachment(missing, "h1")
    assert missing.status is not None
    failed = msgspec.structs.replace(missing.status, attach_error=VolumeError(message="no such disk"))
    with pytest.raises(FailedPrecondition, match="no such disk"):
        csi_inputs.checked_attachment(msgspec.structs.replace(missing, status=failed), "h1")
    going = msgspec.structs.replace(found.metadata, deletion_timestamp=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(FailedPrecondition, match="is being deleted"):
        csi_inputs.checked_attachment(msgspec.structs.replace(found, metadata=going), "h1")


def test_names_are_the_kubelets() -> None:
    """sha256 of `hdn` and of `uidv`, by sha256sum."""
    assert attachment_name("d", "h", "n") == "csi-9072ed11cc1acb5fa433a877ff339b6311d013f33bddd1d0092711a8ace5b16d"
    assert inline_handle("uid", "v") == "csi-805993d7c078d84a6cd26549afcb8ef6e4eefee1458b1f9ebaf9d6996efbf3e5"


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        ({"capacity": {"storage": "2Gi"}}, None),
        ({"capacity": {"storage": "1Gi"}}, "2Gi"),
        ({"capacity": {"storage": "1Gi"}, "allocated_resources": {"storage": "2Gi"}}, None),
        (
            {
                "capacity": {"storage": "1Gi"},
                "allocated_resources": {"storage": "1536Mi"},
                "allocated_resource_statuses": {"storage": "NodeResizePending"},
            },
            "1536Mi",
        ),
        (
            {
                "capacity": {"storage": "1Gi"},
                "allocated_resources": {"storage": "2Gi"},
                "allocated_resource_statuses": {"storage": "NodeResizeInfeasible"},
            },
            None,
        ),
    ],
)
def test_when_a_volume_grows(status: dict[str, Any], wanted: str | None) -> None:
    storage = MemoryStorage()
    storage.bind(csi_volume(capacity={"storage": "2Gi"}), **status)
    subject = plan(persistent=storage.volumes["disk"], claim=storage.claims["disk"])
    found = wanted_growth(subject)
    assert (found.text if found is not None else None) == wanted
    assert found is None or isinstance(found, Growth)
    assert wanted_growth(replace(subject, read_only=True)) is None


def test_options_are_flags_and_words() -> None:
    assert mount_flags(("ro,nodev", "data=ordered"), read_only=False) == (MS_RDONLY | MS_NODEV, "data=ordered")
    assert mount_flags(("rw",), read_only=True) == (MS_RDONLY, "")
    assert mount_flags(("nodev", "dev"), read_only=False) == (0, "")
