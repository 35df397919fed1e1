"""Names of cgroups for both drivers, as tables."""

from __future__ import annotations

import pytest

from podwright.errors import InvalidArgument
from podwright.runtime.oci_spec import cgroups

KUBELET = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1_2.slice"


@pytest.mark.parametrize(
    ("parent", "systemd", "path", "directory"),
    [
        ("/kubepods/pod1", False, "/kubepods/pod1/c", "/kubepods/pod1/c"),
        ("kubepods/pod1/", False, "/kubepods/pod1/c", "/kubepods/pod1/c"),
        (KUBELET, True, "kubepods-burstable-pod1_2.slice:podwright:c", f"{KUBELET}/podwright-c.scope"),
        (KUBELET, False, f"{KUBELET}/c", f"{KUBELET}/c"),
        ("a-b.slice", True, "a-b.slice:podwright:c", "/a.slice/a-b.slice/podwright-c.scope"),
        ("system.slice/", True, "system.slice:podwright:c", "/system.slice/podwright-c.scope"),
        ("-.slice", True, "-.slice:podwright:c", "/podwright-c.scope"),
    ],
)
def test_containers(parent: str, systemd: bool, path: str, directory: str) -> None:
    assert cgroups.cgroups_path(parent, "c", systemd=systemd) == path
    assert cgroups.cgroup_directory(parent, "c", systemd=systemd) == directory


@pytest.mark.parametrize(
    ("requested", "configured", "systemd", "parent"),
    [
        ("", "/podwright", False, "/podwright/s"),
        ("/given", "/podwright", False, "/given"),
        (KUBELET, "/podwright", False, KUBELET),
        ("", "/podwright", True, "/podwright.slice/podwright-pods.slice"),
        ("", "/a/my-pods.slice", True, "/my.slice/my-pods.slice/my-pods-pods.slice"),
        (KUBELET, "/podwright", True, KUBELET),
        ("/test.slice", "/podwright", True, "/test.slice"),
    ],
)
def test_pods(requested: str, configured: str, systemd: bool, parent: str) -> None:
    assert cgroups.pod_parent(requested, configured, "s", systemd=systemd) == parent


@pytest.mark.parametrize("requested", ["/kubepods/pod1", "/a.slice/b", "/"])
def test_systemd_needs_a_slice(requested: str) -> None:
    with pytest.raises(InvalidArgument, match="slice"):
        cgroups.pod_parent(requested, "/podwright", "s", systemd=True)


@pytest.mark.parametrize(("configured", "name"), [("/podwright", "podwright.slice"), ("/", "podwright.slice")])
def test_configured_parents_as_slices(configured: str, name: str) -> None:
    assert cgroups.slice_name(configured) == name
