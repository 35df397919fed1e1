"""Which parents are a pod's own."""

from __future__ import annotations

import pytest

from podwright.runtime.stats.ownership import own_cgroup
from tests.runtime.stats.records import SANDBOX, UID, sandbox

UNDERSCORED = UID.replace("-", "_")
SLICE = f"kubepods-burstable-pod{UNDERSCORED}.slice"


@pytest.mark.parametrize(
    ("parent", "systemd", "own"),
    [
        ("", False, f"/podwright/{SANDBOX}"),
        (f"/kubepods/besteffort/pod{UID}", False, f"/kubepods/besteffort/pod{UID}"),
        (f"kubepods/pod{UID}/", False, f"/kubepods/pod{UID}"),
        (
            f"/kubepods.slice/{SLICE}",
            True,
            f"/kubepods.slice/kubepods-burstable.slice/{SLICE}",
        ),
        ("/kubepods", False, None),
        ("/", False, None),
        ("/system.slice", True, None),
        (f"podwright-{SANDBOX}.slice", True, f"/podwright.slice/podwright-{SANDBOX}.slice"),
        (f"/kubepods/pod{UID}x", False, None),
        ("/kubepods/pod", False, None),
    ],
)
def test_own_cgroup(parent: str, systemd: bool, own: str | None) -> None:
    assert own_cgroup(sandbox(parent=parent), systemd=systemd) == own


def test_a_pod_without_uid_owns_nothing_by_it() -> None:
    assert own_cgroup(sandbox(parent="/kubepods/pod", uid=""), systemd=False) is None
