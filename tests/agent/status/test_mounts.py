"""How the mounts of volumes are shown."""

from __future__ import annotations

import pytest

from podwright.agent.status.mounts import volume_mounts
from podwright.k8s.objects import VolumeMount, VolumeMountStatus
from tests.agent.fakes.pods import container
from tests.agent.fakes.statuses import shown


@pytest.mark.parametrize(
    ("read_only", "wanted", "propagation", "supported", "expected"),
    [
        (False, None, None, True, None),
        (True, None, None, True, "Disabled"),
        (True, "Disabled", None, True, "Disabled"),
        (True, "IfPossible", None, True, "Enabled"),
        (True, "IfPossible", "None", True, "Enabled"),
        (True, "IfPossible", None, False, "Disabled"),
        (True, "Enabled", None, True, "Enabled"),
        (True, "Enabled", None, False, "Disabled"),
        (True, "Enabled", "HostToContainer", True, "Disabled"),
    ],
)
def test_recursive_read_only(
    read_only: bool, wanted: str | None, propagation: str | None, supported: bool, expected: str | None
) -> None:
    mount = VolumeMount(
        name="data",
        mount_path="/data",
        read_only=read_only,
        recursive_read_only=wanted,
        mount_propagation=propagation,
    )
    (status,) = volume_mounts(container(volume_mounts=(mount,)), None, supports_recursive=supported)
    assert status == VolumeMountStatus(
        name="data", mount_path="/data", read_only=read_only, recursive_read_only=expected
    )


def test_what_was_shown_stays() -> None:
    before = shown(volume_mounts=(VolumeMountStatus(name="data", mount_path="/data", recursive_read_only="Enabled"),))
    mount = VolumeMount(name="data", mount_path="/data", read_only=True, recursive_read_only="IfPossible")
    assert volume_mounts(container(volume_mounts=(mount,)), before, supports_recursive=False) == before.volume_mounts
